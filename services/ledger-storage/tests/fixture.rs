//! Small decided blocks, cheap to make: storage does not look at signatures.

use std::sync::Arc;

use ledger_types::{
    Block, BlockHeader, Certificate, CertificateKind, Digest, Executed, LedgerId, Payload,
    Signature, SigningKey, Statement, Transaction, TransactionBody, ValidatorIndex,
    message::DecidedBlock,
};

pub(crate) const LEDGER: LedgerId = LedgerId([5; 16]);

pub(crate) fn transaction(nonce: u64) -> Arc<Transaction> {
    let key = SigningKey::from_seed(&[3; 32]);
    let body = TransactionBody {
        ledger: LEDGER,
        signer: key.public_key(),
        nonce,
        valid_from_ms: 0,
        valid_until_ms: 1_000,
        payload: Payload::Sql(vec![Statement { sql: "DELETE FROM t".into(), parameters: vec![] }]),
    };
    Arc::new(body.sign(&key))
}

/// Block `height` with two transactions of its own.
pub(crate) fn block(height: u64) -> DecidedBlock {
    let transactions = vec![transaction(2 * height), transaction(2 * height + 1)];
    let header = BlockHeader {
        height,
        epoch: 0,
        parent: Digest([u8::try_from(height % 251).unwrap(); 32]),
        time_ms: height,
        proposer: ValidatorIndex(0),
        transaction_count: 2,
        transactions_root: Block::transactions_root(&transactions),
        batches: Digest::ZERO,
        executed: Executed { height: height - 1, root: Digest::ZERO },
    };
    let certificate = Certificate {
        kind: CertificateKind::Commit,
        epoch: 0,
        height,
        round: 0,
        block: header.digest(LEDGER),
        signatures: vec![(ValidatorIndex(0), Signature([7; 64]))],
    };
    DecidedBlock { block: Arc::new(Block { header, transactions }), certificate }
}
