//! Consensus votes.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Digest, Domain},
    id::{LedgerId, ValidatorIndex},
    key::{PublicKey, Signature, SigningKey},
};

/// Which of the two votes.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum VoteKind {
    /// First vote: the block is valid and the voter's own root is the header's.
    Prepare,
    /// Second vote: the voter holds a prepare certificate.
    Commit,
}

/// What a vote's signature covers.
#[derive(BorshSerialize)]
struct Signed {
    kind: VoteKind,
    epoch: u32,
    height: u64,
    round: u32,
    block: Digest,
}

/// One validator's vote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Vote {
    /// Prepare or commit.
    pub kind: VoteKind,
    /// Validator set.
    pub epoch: u32,
    /// Height.
    pub height: u64,
    /// Round, from 0.
    pub round: u32,
    /// The block's digest.
    pub block: Digest,
    /// Who votes.
    pub voter: ValidatorIndex,
    /// Over everything above but `voter`, which the key implies.
    pub signature: Signature,
}

/// The digest that a vote's signature covers.
pub fn vote_digest(
    ledger: LedgerId,
    kind: VoteKind,
    epoch: u32,
    height: u64,
    round: u32,
    block: Digest,
) -> Digest {
    Digest::tagged_value(Domain::Vote, ledger, &Signed { kind, epoch, height, round, block })
}

impl Vote {
    /// Signs a vote.
    pub fn sign(
        key: &SigningKey,
        ledger: LedgerId,
        voter: ValidatorIndex,
        kind: VoteKind,
        epoch: u32,
        height: u64,
        round: u32,
        block: Digest,
    ) -> Self {
        let signature = key.sign(&vote_digest(ledger, kind, epoch, height, round, block));
        Self { kind, epoch, height, round, block, voter, signature }
    }

    /// The digest under the signature.
    pub fn digest(&self, ledger: LedgerId) -> Digest {
        vote_digest(ledger, self.kind, self.epoch, self.height, self.round, self.block)
    }

    /// Whether the signature is `key`'s.
    #[must_use]
    pub fn verify(&self, ledger: LedgerId, key: &PublicKey) -> bool {
        key.verify(&self.digest(ledger), &self.signature)
    }
}
