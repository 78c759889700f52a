//! Members' signatures.

use hansa_core::{Refusal, Result};
use hansa_types::{PublicKey, Signature};
use ledger_types::Digest;

/// Checks a member's signature over a statement, by the rules that ledgers use.
pub(crate) fn check(key: PublicKey, statement: &[u8], signature: Signature) -> Result<()> {
    let key = ledger_types::PublicKey(*key.bytes());
    key.check().map_err(|_| Refusal::KeyInvalid)?;
    let signature = ledger_types::Signature(*signature.bytes());
    if key.verify(&Digest::of(statement), &signature) {
        Ok(())
    } else {
        Err(Refusal::SignatureInvalid.into())
    }
}
