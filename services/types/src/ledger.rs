//! Ledgers.

use hansa_core::{ConsortiumId, Generation, LedgerId, Name, Revision, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{LedgerHealth, OperationReason, word_enum};

word_enum! {
    /// How the nodes of a ledger agree.
    ConsensusPolicy {
        /// Safe against Byzantine nodes: f of 3f + 1; needs four nodes.
        Bft = "bft",
        /// Safe against crashes of a minority only; needs three nodes.
        Cft = "cft",
        /// Changes between the two by what it sees. Not available yet.
        Adaptive = "adaptive",
    }
}

word_enum! {
    /// Hashes and signatures of a ledger, fixed at its genesis.
    CryptoSuite {
        /// Ed25519 and SHA-256.
        Ed25519Sha256 = "ed25519-sha256",
    }
}

word_enum! {
    /// Where a ledger is in its life.
    LedgerPhase {
        /// Members add nodes; there is no genesis yet.
        Draft = "draft",
        /// The launch operation is running.
        Launching = "launching",
        /// It has a genesis and its nodes are meant to run.
        Running = "running",
        /// The launch failed; `reason` says why and it can be launched again.
        Failed = "failed",
        /// Its nodes are being ended.
        Deleting = "deleting",
        /// Ended.
        Deleted = "deleted",
    }
}

/// One chain of a consortium.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ledger {
    /// Its id, the same inside the chain.
    pub id: LedgerId,
    /// The consortium.
    pub consortium_id: ConsortiumId,
    /// Its name, unique in the consortium.
    pub name: Name,
    /// How its nodes agree.
    pub policy: ConsensusPolicy,
    /// Accepts fewer nodes than production needs.
    pub development: bool,
    /// Its hashes and signatures.
    pub suite: CryptoSuite,
    /// Where it is in its life.
    pub phase: LedgerPhase,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<OperationReason>,
    /// How it does; absent before it has a genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<LedgerHealth>,
    /// Grows with each change of what should be.
    pub generation: Generation,
    /// The generation that the controller has seen.
    pub observed_generation: Generation,
    /// Changes with each change.
    pub revision: Revision,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new ledger.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "main", "policy": "bft"}))]
#[serde(deny_unknown_fields)]
pub struct LedgerCreate {
    /// Unique in the consortium.
    pub name: Name,
    /// How its nodes agree.
    pub policy: ConsensusPolicy,
    /// With `cft`: accept one or two nodes. Never for anything that matters.
    #[serde(default)]
    pub development: bool,
    /// Its hashes and signatures.
    #[serde(default = "default_suite")]
    pub suite: CryptoSuite,
}

const fn default_suite() -> CryptoSuite {
    CryptoSuite::Ed25519Sha256
}

/// A change of a ledger that has no genesis yet (merge patch).
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({"policy": "cft"}))]
#[serde(deny_unknown_fields)]
pub struct LedgerUpdate {
    /// How its nodes agree.
    pub policy: Option<ConsensusPolicy>,
    /// Accept fewer nodes than production needs.
    pub development: Option<bool>,
}
