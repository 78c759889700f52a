//! The one policy. It decides among what the caller's tenant sees; what it does not see is "not
//! found" before this is asked. `tests/golden/policy.txt` shows the whole matrix to the reviewer.

use hansa_types::{Relation, Role};

use crate::handle::InvitationSide;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// See it.
    Read,
    /// Make one.
    Create,
    /// Change what it is.
    Modify,
    /// End it.
    Delete,
    /// Offer a seat in it.
    Invite,
    /// Answer it in the name of the member.
    Answer,
    /// Bring it to life.
    Launch,
    /// Add a node to it.
    AddNode,
    /// Start, stop or restart it.
    Run,
    /// Give up the own seat.
    Leave,
    /// End what is in progress.
    Cancel,
    /// See what it writes for those who run it.
    ReadLog,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Create,
        Self::Modify,
        Self::Delete,
        Self::Invite,
        Self::Answer,
        Self::Launch,
        Self::AddNode,
        Self::Run,
        Self::Leave,
        Self::Cancel,
        Self::ReadLog,
    ];
}

/// What it is done to, as far as the policy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The tenants of the installation.
    Tenants,
    /// The clusters of the installation.
    Clusters,
    /// People of the own tenant.
    Users,
    /// The caller's own session and identity.
    Me,
    /// Machine credentials of the own tenant.
    ApiKeys,
    /// The own tenant's list of consortiums.
    Consortiums,
    /// A consortium.
    Consortium(Relation),
    /// The own tenant's invitations.
    Invitations,
    /// An invitation.
    Invitation(InvitationSide),
    /// A ledger.
    Ledger(Relation),
    /// A node, of the own member or of another.
    Node {
        /// Whether it belongs to the caller's own member.
        own: bool,
    },
    /// Operations of the own tenant.
    Operations,
    /// The own tenant's event stream.
    Events,
    /// The own tenant's audit trail.
    AuditTrail,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 21] = [
        Self::Tenants,
        Self::Clusters,
        Self::Users,
        Self::Me,
        Self::ApiKeys,
        Self::Consortiums,
        Self::Consortium(Relation::Owner),
        Self::Consortium(Relation::Member),
        Self::Consortium(Relation::Invitee),
        Self::Invitations,
        Self::Invitation(InvitationSide::Owner),
        Self::Invitation(InvitationSide::Invitee),
        Self::Invitation(InvitationSide::Member),
        Self::Ledger(Relation::Owner),
        Self::Ledger(Relation::Member),
        Self::Ledger(Relation::Invitee),
        Self::Node { own: true },
        Self::Node { own: false },
        Self::Operations,
        Self::Events,
        Self::AuditTrail,
    ];
}

/// Whether `role` may do `action` to `subject`.
///
/// Wildcards here say "no": a new action is denied until a line allows it, and the golden matrix
/// shows which line did.
#[must_use]
pub const fn allows(role: Role, action: Action, subject: Subject) -> bool {
    use Action as A;
    use Role as R;
    use Subject as S;

    let platform = matches!(role, R::PlatformOperator);
    let admin = matches!(role, R::TenantAdmin);
    let operator = matches!(role, R::TenantAdmin | R::Operator);
    let viewer = matches!(role, R::TenantAdmin | R::Operator | R::Viewer);

    match subject {
        // The operator of the installation makes and ends tenants and has no part in consortiums.
        S::Tenants => match action {
            A::Read | A::Create | A::Delete => platform,
            _ => false,
        },
        // Tenants choose among them; what is behind them is the operator's.
        S::Clusters => match action {
            A::Read => viewer || platform,
            A::Create | A::Modify | A::Delete => platform,
            _ => false,
        },
        // Everybody may see and end their own session.
        S::Me => matches!(action, A::Read | A::Create | A::Delete),
        S::Users | S::ApiKeys => match action {
            A::Read | A::Create | A::Modify | A::Delete => admin || platform,
            _ => false,
        },
        S::AuditTrail => matches!(action, A::Read) && (admin || platform),
        S::Operations => match action {
            A::Read => viewer,
            A::Cancel => operator,
            _ => false,
        },
        S::Events | S::Invitations => matches!(action, A::Read) && viewer,
        S::Consortiums => match action {
            A::Read => viewer,
            A::Create => admin,
            _ => false,
        },
        S::Consortium(relation) => match (action, relation) {
            (A::Read, _) => viewer,
            (A::Modify | A::Delete | A::Invite, Relation::Owner) => admin,
            (A::Create, Relation::Owner) => operator,
            (A::Leave, Relation::Member) => admin,
            _ => false,
        },
        S::Invitation(side) => match (action, side) {
            (A::Read, _) => viewer,
            (A::Delete, InvitationSide::Owner) | (A::Answer, InvitationSide::Invitee) => admin,
            _ => false,
        },
        S::Ledger(relation) => match (action, relation) {
            (A::Read, Relation::Owner | Relation::Member) => viewer,
            (A::AddNode, Relation::Owner | Relation::Member) => operator,
            (A::Modify | A::Launch, Relation::Owner) => operator,
            (A::Delete, Relation::Owner) => admin,
            (A::Answer, Relation::Owner | Relation::Member) => operator,
            _ => false,
        },
        S::Node { own } => match action {
            A::Read => viewer,
            A::Run | A::Delete | A::ReadLog => operator && own,
            _ => false,
        },
    }
}
