//! Receipts: one transaction's outcome, provable offline against the genesis alone.

use serde::{Deserialize, Serialize};

use crate::{
    block::BlockHeader,
    certificate::{Certificate, CertificateError},
    digest::Digest,
    genesis::{Genesis, GenesisError},
    id::LedgerId,
    merkle::MerklePath,
    outcome::{Outcome, execution_root},
};

/// A transaction's outcome with the proof that the validators certified it (`receipt.json`).
///
/// The chain of proof: outcome → results root → execution root of `height` → the header that
/// states it (`covering`) → a certificate by the genesis' validators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// The ledger.
    pub ledger: LedgerId,
    /// The transaction's id.
    pub transaction: Digest,
    /// The block that holds it.
    pub height: u64,
    /// Its place in the block and the way to the results root.
    pub path: MerklePath,
    /// What became of it.
    pub outcome: Outcome,
    /// State root after `height`.
    pub state_root: Digest,
    /// The header that states the execution root of `height`.
    pub covering: BlockHeader,
    /// The decision for that header.
    pub certificate: Certificate,
}

/// What is wrong with a receipt.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReceiptError {
    /// The genesis itself does not hold.
    #[error("the genesis is not valid: {0}")]
    Genesis(#[from] GenesisError),
    /// Another ledger's.
    #[error("the receipt is for ledger {receipt}, the genesis for {genesis}")]
    Ledger {
        /// In the receipt.
        receipt: LedgerId,
        /// In the genesis.
        genesis: LedgerId,
    },
    /// The Merkle path is malformed.
    #[error("the path to the results root does not fit its stated list")]
    Path,
    /// Outcome, transaction id, path or state root are not what was certified.
    #[error("outcome, transaction, place or state root differ from what the covering block states")]
    Root,
    /// The covering header is about another height.
    #[error("the covering block states height {stated}, the receipt is for {height}")]
    Height {
        /// In the header.
        stated: u64,
        /// In the receipt.
        height: u64,
    },
    /// The certificate is for another block.
    #[error("the certificate is for another block than the covering one")]
    Block,
    /// The certificate decides nothing.
    #[error("the certificate is a prepare certificate, which decides nothing")]
    NotADecision,
    /// The certificate does not hold.
    #[error("the certificate does not hold: {0}")]
    Certificate(#[from] CertificateError),
}

impl Receipt {
    /// Checks the whole chain of proof against a genesis that the caller trusts.
    ///
    /// # Errors
    /// The first thing that is wrong, by name.
    pub fn verify(&self, genesis: &Genesis) -> Result<(), ReceiptError> {
        genesis.check()?;
        let ledger = genesis.ledger();
        if self.ledger != ledger {
            return Err(ReceiptError::Ledger { receipt: self.ledger, genesis: ledger });
        }
        if self.covering.executed.height != self.height {
            let stated = self.covering.executed.height;
            return Err(ReceiptError::Height { stated, height: self.height });
        }
        let leaf = self.outcome.leaf(ledger, self.transaction);
        let results = self.path.root(&leaf).ok_or(ReceiptError::Path)?;
        let root = execution_root(ledger, self.height, self.state_root, results, self.path.count);
        if root != self.covering.executed.root {
            return Err(ReceiptError::Root);
        }
        if self.certificate.block != self.covering.digest(ledger)
            || self.certificate.height != self.covering.height
            || self.certificate.epoch != self.covering.epoch
        {
            return Err(ReceiptError::Block);
        }
        if !self.certificate.decides() {
            return Err(ReceiptError::NotADecision);
        }
        Ok(self.certificate.verify(ledger, &genesis.consensus_keys(), &genesis.quorum())?)
    }
}
