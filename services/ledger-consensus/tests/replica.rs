//! What a replica takes from its peers, and how it lives with its machine's clock.

use std::sync::Arc;

use ledger_consensus::{
    Replica, ReplicaConfig, Restored,
    replica::{Effect, Event, Tail},
};
use ledger_types::{
    Batch, Digest, Executed, Message, Payload, Policy, Statement, Transaction, TransactionBody,
    ValidatorIndex, Value, limits,
};

use crate::cluster::{GENESIS, LEDGER, config, key};

const NOW_MS: u64 = 1_700_000_000_000;

fn replica() -> Replica {
    let executed = Executed { height: 0, root: Digest::ZERO };
    let tail = Tail { executed, time_ms: NOW_MS, open: false };
    let consensus = config(Policy::Bft, 4, 0);
    let restored = Restored::fresh(GENESIS);
    Replica::new(ReplicaConfig::default(), consensus, restored, Vec::new(), tail, NOW_MS)
}

fn transaction(nonce: u64, bytes: usize) -> Arc<Transaction> {
    let key = key(9);
    let statement = Statement {
        sql: "INSERT INTO t VALUES (?1)".into(),
        parameters: vec![Value::from("x".repeat(bytes).as_str())],
    };
    let body = TransactionBody {
        ledger: LEDGER,
        signer: key.public_key(),
        nonce,
        valid_from_ms: NOW_MS - 1_000,
        valid_until_ms: NOW_MS + 60_000,
        payload: Payload::Sql(vec![statement]),
    };
    Arc::new(body.sign(&key))
}

/// Whether a batch that `from` sends is taken up.
fn takes(from: u16, origin: u16, transactions: Vec<Arc<Transaction>>) -> bool {
    let mut replica = replica();
    replica.take_effects();
    let origin = ValidatorIndex(origin);
    let message = Message::Batch(Arc::new(Batch { origin, sequence: 1, transactions }));
    replica.handle(NOW_MS, Event::Message { from: ValidatorIndex(from), message });
    replica.take_effects().iter().any(|effect| matches!(effect, Effect::VerifyBatch(_)))
}

#[test]
fn a_batch_that_fits_no_block_is_never_taken() {
    // It would wait at the head of every honest leader's queue, and no block with it would be valid:
    // one message of one validator would halt the ledger.
    let large = |count: u64| (0..count).map(|n| transaction(n, 250 * 1024)).collect::<Vec<_>>();
    assert!(takes(1, 1, large(16)), "within {} bytes", limits::BATCH_BYTES_MAX);
    assert!(!takes(1, 1, large(17)));
    assert!(!takes(1, 1, vec![]));
}

#[test]
fn nobody_fills_another_validators_share() {
    // Batches that wait are bounded for each origin: a liar would shut an honest one out.
    assert!(!takes(1, 2, vec![transaction(1, 10)]));
    assert!(!takes(1, 0, vec![transaction(1, 10)]), "not even the receiver's own");
}

fn heads(replica: &mut Replica) -> usize {
    let is_head = |effect: &Effect| matches!(effect, Effect::Broadcast(message) if matches!(**message, Message::Head(_)));
    replica.take_effects().iter().filter(|effect| is_head(effect)).count()
}

#[test]
fn a_clock_that_was_an_hour_ahead_silences_nobody() {
    // A machine that resumes tells a wrong time until it is corrected.
    let mut replica = replica();
    let hour = 3_600_000;
    replica.handle(NOW_MS + hour, Event::Tick);
    assert_eq!(heads(&mut replica), 1);
    let said: usize = (0..30)
        .map(|tenth| {
            replica.handle(NOW_MS + 100 * tenth, Event::Tick);
            heads(&mut replica)
        })
        .sum();
    assert!(said >= 2, "{said} heads in three seconds");
}
