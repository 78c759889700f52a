//! Frozen encodings: a refactoring cannot change a byte on the wire, on disk or under a signature
//! without showing it in `conformance.txt`.
//!
//! After an intended change: `HANSA_BLESS=1 cargo test -p ledger-types conformance`, then review
//! the difference and give the changed layout a new domain string.

use std::{fmt::Write as _, path::Path, sync::Arc};

use ledger_types::{
    AccessChange, Batch, CertificateKind, Digest, LastVote, Message, Outcome, Payload, Proposal,
    Reason, RecordKind, Roles, Timeout, ValidatorIndex, Value,
    codec::encode,
    message::{ConsensusMessage, DecidedBlock, Head},
};

use crate::fixture::{LEDGER, block, certificate, genesis, key, receipt, transaction};

fn lines() -> String {
    let block = block();
    let header = block.header.clone();
    let prepare = certificate(CertificateKind::Prepare, &header, &[0, 1, 2]);
    let commit = certificate(CertificateKind::Commit, &header, &[1, 2, 3]);
    let last_vote = LastVote { round: 0, block: prepare.block, signature: prepare.signatures[0].1 };
    let timeout = Timeout::sign(
        &key(10),
        LEDGER,
        ValidatorIndex(0),
        0,
        1,
        1,
        Some(last_vote),
        Some(prepare.clone()),
    );
    let batch = Arc::new(Batch {
        origin: ValidatorIndex(2),
        sequence: 5,
        transactions: block.transactions.clone(),
    });
    let proposal = Proposal::sign(
        &key(11),
        LEDGER,
        ValidatorIndex(1),
        1,
        header.clone(),
        vec![batch.reference(LEDGER)],
        vec![timeout.clone()],
        None,
    );
    let head = Head {
        node: ValidatorIndex(3),
        in_progress: 2,
        decided: 1,
        block: header.digest(LEDGER),
        executed: header.executed,
        heard: vec![1, 1, 0, 2],
        proof: Some(commit.clone()),
        time_ms: 5,
        signature: ledger_types::Signature([0; 64]),
    }
    .sign(&key(13), LEDGER);
    let refused = Outcome::Refused {
        reason: Reason::Unique,
        statement: Some(1),
        position: None,
        detail: "t.id".into(),
    };
    let access =
        Payload::Access(vec![AccessChange { key: key(4).public_key(), roles: Roles::READ }]);
    let record = Payload::Record { kind: RecordKind::Incident, body: "{}".into() };
    let values = [Value::Null, (-1).into(), "ü".into(), vec![0u8, 255].into()];
    let decided = DecidedBlock { block: Arc::new(block.clone()), certificate: commit.clone() };
    let consensus = |m: ConsensusMessage| encode(&Message::Consensus(m));

    let mut text = String::new();
    let mut line = |name: &str, bytes: &[u8]| {
        writeln!(text, "{name} {} {}", bytes.len(), Digest::of(bytes)).unwrap();
    };
    line("transaction", transaction(1).raw());
    line("transaction.id", &transaction(1).id().0);
    line("payload.access", &encode(&access));
    line("payload.record", &encode(&record));
    line("values", &encode(&values));
    line("block", &encode(&block));
    line("block.digest", &header.digest(LEDGER).0);
    line("genesis", &encode(&genesis()));
    line("genesis.digest", &genesis().digest().0);
    line("charter.digest", &genesis().charter.digest().0);
    line("endorsement.digest", &genesis().validators[0].identity.digest(&genesis().charter).0);
    line("certificate.prepare", &encode(&prepare));
    line("certificate.commit", &encode(&commit));
    line("outcome.applied", &receipt().outcome.leaf(LEDGER, Digest::ZERO).0);
    line("outcome.refused", &refused.leaf(LEDGER, Digest::ZERO).0);
    line("receipt.covering", &receipt().covering.digest(LEDGER).0);
    line("message.proposal", &consensus(ConsensusMessage::Proposal(Box::new(proposal))));
    line("message.timeout", &consensus(ConsensusMessage::Timeout(Box::new(timeout))));
    line("message.decision", &consensus(ConsensusMessage::Decision(Box::new(commit))));
    line("message.batch", &encode(&Message::Batch(batch)));
    line("message.blocks", &encode(&Message::Blocks(vec![decided])));
    line("message.head", &encode(&Message::Head(Box::new(head))));
    line("message.fetch-blocks", &encode(&Message::FetchBlocks { from: 1, to: 9 }));
    text
}

#[test]
fn encodings_are_the_frozen_ones() {
    // Relative to the package, where tests run: a build may be shared between checkouts.
    let path = Path::new("tests/conformance.txt");
    let now = lines();
    if std::env::var_os("HANSA_BLESS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let frozen = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        frozen, now,
        "an encoding changed; if intended: HANSA_BLESS=1 cargo test -p ledger-types conformance"
    );
}

/// A charter and a node's endorsement as documents, with the digests that members sign.
fn charter() -> String {
    let genesis = genesis();
    let endorsement = &genesis.validators[0].identity;
    let document = serde_json::json!({
        "seed": "01".repeat(32),
        "charter": genesis.charter,
        "digest": genesis.charter.digest(),
        "endorsements": [{
            "node_id": endorsement.node,
            "endorsement": endorsement,
            "digest": endorsement.digest(&genesis.charter),
        }],
    });
    serde_json::to_string_pretty(&document).unwrap() + "\n"
}

#[test]
fn what_members_sign_in_a_browser_is_the_frozen_one() {
    // The console computes these digests by itself (web/src/lib/charter.ts) and is tested with this
    // file: a difference would lock members out, or let them sign what they do not see.
    let path = Path::new("tests/charter.json");
    let now = charter();
    if std::env::var_os("HANSA_BLESS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let frozen = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        frozen == now,
        "the charter changed; if intended: HANSA_BLESS=1 cargo test -p ledger-types conformance"
    );
}
