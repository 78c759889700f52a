//! Blocks and their headers.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Digest, Domain},
    id::{LedgerId, ValidatorIndex},
    merkle::merkle_root,
    transaction::Transaction,
};

/// What a node has executed: the root that covers state and results of a height.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Executed {
    /// The height; 0 is the state of the genesis.
    pub height: u64,
    /// Its execution root ([`crate::outcome::execution_root`]).
    pub root: Digest,
}

/// What the validators sign: everything of a block but its transactions' bytes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlockHeader {
    /// From 1.
    pub height: u64,
    /// Which validator set decides it; 0 is the genesis.
    pub epoch: u32,
    /// Digest of the header before; the genesis digest at height 1.
    pub parent: Digest,
    /// Unix milliseconds, never before the parent's.
    pub time_ms: u64,
    /// Who built it. A later round's leader proposes it again unchanged.
    pub proposer: ValidatorIndex,
    /// How many transactions, duplicates included.
    pub transaction_count: u32,
    /// Merkle root over the transactions' ids in order.
    pub transactions_root: Digest,
    /// Digest over the names of its batches ([`crate::BatchRef::list_digest`]).
    pub batches: Digest,
    /// What the proposer has executed: the height before this one.
    pub executed: Executed,
}

impl BlockHeader {
    /// The block's digest: what votes name and the next header's `parent`.
    pub fn digest(&self, ledger: LedgerId) -> Digest {
        Digest::tagged_value(Domain::Block, ledger, self)
    }
}

/// A header with its transactions.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// What is signed.
    pub header: BlockHeader,
    /// In execution order, as sent: an id may occur twice, only its first occurrence has effect.
    pub transactions: Vec<Arc<Transaction>>,
}

impl Block {
    /// The Merkle root that `header.transactions_root` must state.
    pub fn transactions_root(transactions: &[Arc<Transaction>]) -> Digest {
        merkle_root(transactions.iter().map(|t| t.id()))
    }

    /// Whether the transactions are the ones that the header names.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.transactions.len() == self.header.transaction_count as usize
            && Self::transactions_root(&self.transactions) == self.header.transactions_root
    }
}
