//! Round-change messages.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    certificate::Certificate,
    digest::{Digest, Domain},
    id::{LedgerId, ValidatorIndex},
    key::{PublicKey, Signature, SigningKey},
};

/// The sender's highest-round prepare vote at this height, with that vote's signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LastVote {
    /// Round of the vote.
    pub round: u32,
    /// Block of the vote.
    pub block: Digest,
    /// The vote's signature.
    pub signature: Signature,
}

/// "I enter `round`; this is what I have voted for and seen." After it the sender votes in no
/// earlier round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Timeout {
    /// Validator set.
    pub epoch: u32,
    /// Height.
    pub height: u64,
    /// The round entered, from 1.
    pub round: u32,
    /// Highest-round prepare vote of the sender at this height.
    pub last_vote: Option<LastVote>,
    /// Highest-round prepare certificate that the sender holds at this height.
    pub prepared: Option<Certificate>,
    /// Who sends it.
    pub voter: ValidatorIndex,
    /// Over everything above.
    pub signature: Signature,
}

#[derive(BorshSerialize)]
struct Signed<'a> {
    epoch: u32,
    height: u64,
    round: u32,
    last_vote: &'a Option<LastVote>,
    prepared: &'a Option<Certificate>,
    voter: ValidatorIndex,
}

impl Timeout {
    /// Signs a timeout.
    pub fn sign(
        key: &SigningKey,
        ledger: LedgerId,
        voter: ValidatorIndex,
        epoch: u32,
        height: u64,
        round: u32,
        last_vote: Option<LastVote>,
        prepared: Option<Certificate>,
    ) -> Self {
        let signature = Signature([0; 64]);
        let mut timeout = Self { epoch, height, round, last_vote, prepared, voter, signature };
        timeout.signature = key.sign(&timeout.digest(ledger));
        timeout
    }

    /// The digest under the signature.
    pub fn digest(&self, ledger: LedgerId) -> Digest {
        let Self { epoch, height, round, last_vote, prepared, voter, signature: _ } = self;
        Digest::tagged_value(
            Domain::Timeout,
            ledger,
            &Signed {
                epoch: *epoch,
                height: *height,
                round: *round,
                last_vote,
                prepared,
                voter: *voter,
            },
        )
    }

    /// Whether the outer signature is `key`'s. The vote and the certificate inside are checked by
    /// the engine, which knows the validator set.
    #[must_use]
    pub fn verify(&self, ledger: LedgerId, key: &PublicKey) -> bool {
        key.verify(&self.digest(ledger), &self.signature)
    }
}
