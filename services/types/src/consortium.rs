//! Consortiums.

use hansa_core::{ConsortiumId, Name, Revision, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DisplayName, PublicKey, Signature, word_enum};

word_enum! {
    /// How a tenant stands to a consortium.
    Relation {
        /// Founded it.
        Owner = "owner",
        /// Has a seat.
        Member = "member",
        /// Has an open invitation: sees the consortium and who is in it, not its ledgers.
        Invitee = "invitee",
    }
}

word_enum! {
    /// Where a consortium is in its life.
    ConsortiumPhase {
        /// In use.
        Active = "active",
        /// Its nodes are being ended.
        Deleting = "deleting",
        /// Ended; volumes are kept for the retention time.
        Deleted = "deleted",
    }
}

word_enum! {
    /// How a share of votes is compared with the threshold.
    Comparator {
        /// More than the threshold.
        GreaterThan = "greater_than",
        /// At least the threshold.
        GreaterThanOrEqualTo = "greater_than_or_equal_to",
    }
}

/// When a proposal of the consortium passes: the share of yes votes among all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "threshold_percentage": 50, "comparator": "greater_than", "proposal_duration_hours": 24
}))]
pub struct VotingPolicy {
    /// 0 to 100.
    #[schema(minimum = 0, maximum = 100, value_type = u8)]
    pub threshold_percentage: Percentage,
    /// How the share is compared.
    pub comparator: Comparator,
    /// How long a vote is open, 1 to 168 hours.
    #[schema(minimum = 1, maximum = 168, value_type = u8)]
    pub proposal_duration_hours: ProposalHours,
}

impl Default for VotingPolicy {
    /// More than half, within a day.
    fn default() -> Self {
        Self {
            threshold_percentage: Percentage(50),
            comparator: Comparator::GreaterThan,
            proposal_duration_hours: ProposalHours(24),
        }
    }
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $min:literal, $max:literal, $error:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "i16", into = "i16")]
        pub struct $name(i16);

        impl TryFrom<i16> for $name {
            type Error = &'static str;

            fn try_from(value: i16) -> Result<Self, &'static str> {
                if ($min..=$max).contains(&value) { Ok(Self(value)) } else { Err($error) }
            }
        }

        impl From<$name> for i16 {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}
bounded!(
    /// A share of votes, 0 to 100.
    Percentage, 0, 100, "must be 0 to 100"
);
bounded!(
    /// How long a vote is open, 1 to 168 hours.
    ProposalHours, 1, 168, "must be 1 to 168"
);

/// A group of member tenants that owns ledgers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Consortium {
    /// Its id.
    pub id: ConsortiumId,
    /// Its name, unique among the owner's.
    pub name: Name,
    /// Its title for people.
    pub display_name: DisplayName,
    /// The tenant that founded it.
    pub owner_tenant_id: TenantId,
    /// How the caller's tenant stands to it.
    pub relation: Relation,
    /// When its proposals pass.
    pub voting_policy: VotingPolicy,
    /// Where it is in its life.
    pub phase: ConsortiumPhase,
    /// Changes with each change.
    pub revision: Revision,
    /// When it was founded.
    pub created_at: Timestamp,
}

/// A new consortium with its founder's seat.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "demo", "display_name": "Demo", "administrator_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "signature": "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"}))]
#[serde(deny_unknown_fields)]
pub struct ConsortiumCreate {
    /// Unique among the owner's.
    pub name: Name,
    /// Title for people.
    pub display_name: DisplayName,
    /// When proposals pass; more than half of all members unless given.
    #[serde(default)]
    pub voting_policy: VotingPolicy,
    /// The name of the founder's seat; the tenant's name unless given.
    #[serde(default)]
    pub member_name: Option<Name>,
    /// The founder's administrator key: its authority over the consortium's ledgers.
    pub administrator_key: PublicKey,
    /// That key's signature over the founding statement.
    pub signature: Signature,
}

/// A change of a consortium (merge patch): absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({"display_name": "Demo"}))]
#[serde(deny_unknown_fields)]
pub struct ConsortiumUpdate {
    /// Title for people.
    pub display_name: Option<DisplayName>,
}
