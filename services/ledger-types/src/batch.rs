//! Sealed batches: how transactions reach all nodes before they are ordered.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    digest::{Digest, Domain},
    id::{LedgerId, ValidatorIndex},
    limits,
    transaction::Transaction,
};

/// Transactions that one node gathered and sent once to all others.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Batch {
    /// Who sealed it.
    pub origin: ValidatorIndex,
    /// Counted by the origin, from 1, never reused in one run of it.
    pub sequence: u64,
    /// As sent; duplicates are skipped at execution, never here.
    pub transactions: Vec<Arc<Transaction>>,
}

/// The name of a batch inside a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct BatchRef {
    /// Who sealed it.
    pub origin: ValidatorIndex,
    /// The origin's count.
    pub sequence: u64,
    /// The batch's content.
    pub digest: Digest,
}

impl BatchRef {
    /// The digest that a header states over the names of its batches.
    pub fn list_digest(references: &[Self], ledger: LedgerId) -> Digest {
        Digest::tagged_value(Domain::References, ledger, references)
    }
}

impl Batch {
    /// The digest of the batch as sent.
    pub fn digest(&self, ledger: LedgerId) -> Digest {
        Digest::tagged_value(Domain::Batch, ledger, self)
    }

    /// Whether it keeps to its limits: a larger one could fill more than a block, and no block that
    /// holds it would ever be accepted.
    pub fn is_bounded(&self) -> bool {
        !self.transactions.is_empty()
            && self.transactions.len() <= limits::BATCH_TRANSACTIONS_MAX
            && self.bytes() <= limits::BATCH_BYTES_MAX
    }

    /// Bytes of its transactions.
    pub fn bytes(&self) -> usize {
        self.transactions.iter().map(|t| t.raw().len()).sum()
    }

    /// Its name in proposals.
    pub fn reference(&self, ledger: LedgerId) -> BatchRef {
        BatchRef { origin: self.origin, sequence: self.sequence, digest: self.digest(ledger) }
    }
}
