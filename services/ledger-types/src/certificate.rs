//! Certificates: enough votes for one block. Individual signatures are kept, so a certificate
//! names each voter.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    id::{LedgerId, ValidatorIndex},
    key::{PublicKey, Signature},
    quorum::Quorum,
    vote::{VoteKind, vote_digest},
};

/// What the votes prove.
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
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CertificateKind {
    /// `quorum.certify` prepare votes: the block may be committed in this round.
    Prepare,
    /// `quorum.fast` prepare votes: decided.
    Fast,
    /// `quorum.certify` commit votes: decided.
    Commit,
}

/// Votes of distinct validators for one block in one round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Certificate {
    /// What it proves.
    pub kind: CertificateKind,
    /// Validator set.
    pub epoch: u32,
    /// Height.
    pub height: u64,
    /// Round of the votes.
    pub round: u32,
    /// The block's digest.
    pub block: Digest,
    /// Strictly increasing by validator.
    pub signatures: Vec<(ValidatorIndex, Signature)>,
}

/// What is wrong with a certificate.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    /// Validators are listed twice or out of order.
    #[error("the voters are not strictly increasing at validator {0}")]
    NotIncreasing(ValidatorIndex),
    /// A voter that the set does not have.
    #[error("validator {0} is not in the validator set")]
    UnknownValidator(ValidatorIndex),
    /// Too few voters.
    #[error("{have} of the {need} votes that a {kind:?} certificate needs")]
    TooFew {
        /// What it claims to be.
        kind: CertificateKind,
        /// Votes in it.
        have: usize,
        /// Votes needed.
        need: u16,
    },
    /// The policy has no commit votes.
    #[error("this ledger's policy has no commit votes")]
    NoCommitVotes,
    /// A signature does not verify.
    #[error("the vote of validator {0} does not verify")]
    BadSignature(ValidatorIndex),
}

impl Certificate {
    /// Whether it proves a decision by itself.
    #[must_use]
    pub const fn decides(&self) -> bool {
        match self.kind {
            CertificateKind::Fast | CertificateKind::Commit => true,
            CertificateKind::Prepare => false,
        }
    }

    /// Checks thresholds and every signature against the validators' keys in genesis order.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(
        &self,
        ledger: LedgerId,
        keys: &[PublicKey],
        quorum: &Quorum,
    ) -> Result<(), CertificateError> {
        self.check_shape(keys.len(), quorum)?;
        let digest = self.signed_digest(ledger);
        for (voter, signature) in &self.signatures {
            if !keys[voter.place()].verify(&digest, signature) {
                return Err(CertificateError::BadSignature(*voter));
            }
        }
        Ok(())
    }

    /// Everything of [`Certificate::verify`] but the signatures.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_shape(&self, validators: usize, quorum: &Quorum) -> Result<(), CertificateError> {
        let need = match self.kind {
            CertificateKind::Prepare => quorum.certify,
            CertificateKind::Fast => quorum.fast,
            CertificateKind::Commit if quorum.commit_votes => quorum.certify,
            CertificateKind::Commit => return Err(CertificateError::NoCommitVotes),
        };
        if self.signatures.len() < need as usize {
            let have = self.signatures.len();
            return Err(CertificateError::TooFew { kind: self.kind, have, need });
        }
        let mut last = None;
        for (voter, _) in &self.signatures {
            if voter.place() >= validators {
                return Err(CertificateError::UnknownValidator(*voter));
            }
            if last.is_some_and(|l| l >= *voter) {
                return Err(CertificateError::NotIncreasing(*voter));
            }
            last = Some(*voter);
        }
        Ok(())
    }

    /// The digest that each of its signatures covers.
    pub fn signed_digest(&self, ledger: LedgerId) -> Digest {
        let kind = match self.kind {
            CertificateKind::Prepare | CertificateKind::Fast => VoteKind::Prepare,
            CertificateKind::Commit => VoteKind::Commit,
        };
        vote_digest(ledger, kind, self.epoch, self.height, self.round, self.block)
    }
}
