//! A leader's proposal.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    batch::BatchRef,
    block::BlockHeader,
    certificate::Certificate,
    codec::encode,
    digest::{Digest, Domain},
    id::{LedgerId, ValidatorIndex},
    key::{PublicKey, Signature, SigningKey},
    timeout::Timeout,
};

/// One block proposed in one round: the header, the names of its batches, and in rounds above 0
/// the timeouts that allow it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// The round; the height is the header's.
    pub round: u32,
    /// The block.
    pub header: BlockHeader,
    /// Where its transactions are, in order; the header states their digest.
    pub batches: Vec<BatchRef>,
    /// `n − f` timeouts for this round; empty in round 0.
    pub justification: Vec<Timeout>,
    /// The decision of the height before, so that a follower that missed it can go on.
    pub parent: Option<Certificate>,
    /// The leader of the round.
    pub leader: ValidatorIndex,
    /// Over round, block digest and the justification's digest.
    pub signature: Signature,
}

#[derive(BorshSerialize)]
struct Signed {
    epoch: u32,
    height: u64,
    round: u32,
    block: Digest,
    justification: Digest,
}

/// The digest that a leader's signature covers.
pub fn proposal_digest(
    ledger: LedgerId,
    round: u32,
    header: &BlockHeader,
    justification: &[Timeout],
) -> Digest {
    let justification = Digest::tagged(Domain::Justification, ledger, &encode(justification));
    let signed = Signed {
        epoch: header.epoch,
        height: header.height,
        round,
        block: header.digest(ledger),
        justification,
    };
    Digest::tagged_value(Domain::Proposal, ledger, &signed)
}

impl Proposal {
    /// Signs a proposal.
    pub fn sign(
        key: &SigningKey,
        ledger: LedgerId,
        leader: ValidatorIndex,
        round: u32,
        header: BlockHeader,
        batches: Vec<BatchRef>,
        justification: Vec<Timeout>,
        parent: Option<Certificate>,
    ) -> Self {
        let signature = key.sign(&proposal_digest(ledger, round, &header, &justification));
        Self { round, header, batches, justification, parent, leader, signature }
    }

    /// Whether the signature is `key`'s.
    #[must_use]
    pub fn verify(&self, ledger: LedgerId, key: &PublicKey) -> bool {
        let digest = proposal_digest(ledger, self.round, &self.header, &self.justification);
        key.verify(&digest, &self.signature)
    }
}
