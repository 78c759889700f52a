//! Tenants and consortiums for tests.

use hansa_authz::{Actor, OpContext};
use hansa_core::{
    ClusterId, ConsortiumId, InvitationId, LedgerId, MemberId, Name, NodeId, RequestId, TenantId,
    Timestamp, UserId,
};
use hansa_postgres::{Login, TestDatabase};
use hansa_store::{
    NewCluster, NewConsortium, NewInvitation, NewLedger, NewMember, NewNode, NewTenant, NewUser,
    Store, SystemTx, TenantTx,
    testing::{api_store, controller_store, database},
};
use hansa_types::{
    ClusterAccessKind, ConsensusPolicy, CryptoSuite, DisplayName, Email, InvitationPhase,
    PublicKey, Relation, Role, Signature, TenantKind, VotingPolicy,
};
use sqlx::{ConnectOptions, PgConnection};

/// A database with nothing in it, as the API and as the controller see it.
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) api: Store,
    pub(crate) controller: Store,
}

/// One tenant and its administrator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) user: UserId,
}

impl Tenant {
    pub(crate) fn context(&self) -> OpContext {
        let actor = Actor::User(self.user);
        OpContext::authenticated(RequestId::new(), actor, self.id, Role::TenantAdmin)
    }
}

/// A moment of this century; tests move on from it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_micros(1_800_000_000_000_000).expect("a year of this century")
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = database().await;
        Self { api: api_store(&database), controller: controller_store(&database), database }
    }

    pub(crate) async fn tenant(&self, text: &str) -> Tenant {
        let (id, user) = (TenantId::new(), UserId::new());
        let display_name = DisplayName::try_from(text.to_owned()).expect("a title");
        let mut tx = self.identity_tx().await;
        let (kind, now) = (TenantKind::Customer, now());
        let tenant =
            NewTenant { id, name: name(text), display_name: display_name.clone(), kind, now };
        tx.tenant_insert(&tenant).await.expect("a tenant");
        let user_row = NewUser {
            id: user,
            tenant: id,
            tenant_kind: kind,
            email: Email::try_from(format!("ana@{text}.example")).expect("an address"),
            display_name,
            role: Role::TenantAdmin,
            password_hash: "unusable".to_owned(),
            now,
        };
        tx.user_insert(&user_row).await.expect("a user");
        tx.commit().await.expect("committed");
        Tenant { id, user }
    }

    /// A transaction in the identity role.
    pub(crate) async fn identity_tx(&self) -> SystemTx {
        let scope = OpContext::anonymous(RequestId::new()).identity_scope();
        self.api.system_tx(scope).await.expect("a transaction")
    }

    /// A transaction in the controller's role.
    pub(crate) async fn controller_tx(&self) -> SystemTx {
        let context = OpContext::reconciler(RequestId::new(), "node");
        let scope = context.system_scope().expect("a reconciler's context");
        self.controller.system_tx(scope).await.expect("a transaction")
    }

    pub(crate) async fn cluster(&self, text: &str) -> ClusterId {
        let id = ClusterId::new();
        let image = format!("registry.example/node@sha256:{}", "0".repeat(64));
        let settings = serde_json::from_value(serde_json::json!({ "image": image }));
        let new = NewCluster {
            id,
            name: name(text),
            access: ClusterAccessKind::InCluster,
            settings: settings.expect("settings"),
            now: now(),
        };
        let mut tx = self.identity_tx().await;
        tx.cluster_insert(&new).await.expect("a cluster");
        tx.commit().await.expect("committed");
        id
    }

    pub(crate) async fn tx(&self, tenant: &Tenant) -> TenantTx {
        let scope = tenant.context().tenant_scope().expect("a tenant's context");
        self.api.tenant_tx(scope).await.expect("a transaction")
    }

    pub(crate) async fn consortium(&self, owner: &Tenant, text: &str) -> ConsortiumId {
        let id = ConsortiumId::new();
        let mut tx = self.tx(owner).await;
        let new = NewConsortium {
            id,
            name: name(text),
            display_name: DisplayName::try_from(text.to_owned()).expect("a title"),
            voting_policy: VotingPolicy::default(),
            now: now(),
        };
        tx.consortium_insert(&new).await.expect("a consortium");
        tx.member_insert(&seat(id, owner)).await.expect("a seat");
        tx.commit().await.expect("committed");
        id
    }

    pub(crate) async fn invite(
        &self,
        owner: &Tenant,
        consortium: ConsortiumId,
        guest: &Tenant,
    ) -> InvitationId {
        let id = InvitationId::new();
        let mut tx = self.tx(owner).await;
        let expires_at = now() + std::time::Duration::from_secs(60);
        let new = NewInvitation { id, consortium, tenant: guest.id, now: now(), expires_at };
        tx.invitation_insert(&new).await.expect("an invitation");
        tx.access_insert(consortium, guest.id, Relation::Invitee).await.expect("a sight of it");
        tx.commit().await.expect("committed");
        id
    }

    pub(crate) async fn accept(
        &self,
        guest: &Tenant,
        consortium: ConsortiumId,
        invitation: InvitationId,
    ) -> MemberId {
        let mut tx = self.tx(guest).await;
        tx.invitation_close(invitation, InvitationPhase::Accepted, now()).await.expect("open");
        tx.access_accept(consortium).await.expect("an invitee");
        let seat = seat(consortium, guest);
        tx.member_insert(&seat).await.expect("a seat");
        tx.commit().await.expect("committed");
        seat.id
    }

    pub(crate) async fn ledger(&self, owner: &Tenant, consortium: ConsortiumId) -> LedgerId {
        let id = LedgerId::new();
        let mut tx = self.tx(owner).await;
        let new = NewLedger {
            id,
            consortium,
            name: name("main"),
            policy: ConsensusPolicy::Bft,
            development: false,
            suite: CryptoSuite::Ed25519Sha256,
            now: now(),
        };
        tx.ledger_insert(&new).await.expect("a ledger");
        tx.commit().await.expect("committed");
        id
    }

    pub(crate) async fn node(&self, member: &Tenant, ledger: LedgerId, text: &str) -> NodeId {
        let id = NodeId::new();
        let mut tx = self.tx(member).await;
        let (ledger, _) = tx.ledger_find(ledger).await.expect("it is seen");
        let new = NewNode {
            id,
            ledger,
            member: ledger.seat().expect("a seat"),
            name: name(text),
            runtime: "process".parse().unwrap(),
            cluster: None,
            size: hansa_types::NodeSize::Small,
            volume_gib: 10,
            now: now(),
        };
        tx.node_insert(&new).await.expect("a node");
        tx.commit().await.expect("committed");
        id
    }

    /// A plain connection in a role, for what the store's methods would never do.
    pub(crate) async fn raw(&self, login: Login) -> PgConnection {
        self.database.login(login).connect().await.expect("a connection")
    }

    pub(crate) async fn superuser(&self) -> PgConnection {
        self.database.superuser().connect().await.expect("a connection")
    }
}

pub(crate) fn seat(consortium: ConsortiumId, tenant: &Tenant) -> NewMember {
    let mut key = [0; 32];
    key[..16].copy_from_slice(tenant.id.uuid().as_bytes());
    NewMember {
        id: MemberId::new(),
        consortium,
        name: name(&format!("m{}", tenant.id)),
        administrator_key: PublicKey::from(key),
        signature: Signature::from([0; 64]),
        now: now(),
    }
}
