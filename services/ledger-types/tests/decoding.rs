//! Bytes from outside: refused precisely or decoded canonically, never a panic.

use bytes::Bytes;
use ledger_types::{
    Block, Genesis, Message, Transaction, codec, limits, message::ConsensusMessage,
};
use proptest::prelude::*;

use crate::fixture::{block, certificate, genesis, transaction};

#[test]
fn a_transaction_keeps_its_bytes_and_its_id() {
    let signed = transaction(1);
    assert!(signed.verify());
    let read = Transaction::decode(signed.raw().clone()).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.id(), read.body().id());
}

#[test]
fn a_second_signature_over_the_same_body_is_the_same_transaction() {
    // The id must not depend on the signature, or a replay with a changed one would run twice.
    let mut raw = transaction(1).raw().to_vec();
    let last = raw.len() - 1;
    raw[last] ^= 1;
    let other = Transaction::decode(raw.into()).unwrap();
    assert_eq!(other.id(), transaction(1).id());
    assert!(!other.verify());
}

#[test]
fn limits_of_a_transaction_are_enforced_at_decoding() {
    let mut body = transaction(1).body().clone();
    body.valid_until_ms = body.valid_from_ms + limits::VALIDITY_MS_MAX + 1;
    let raw = body.sign(&crate::fixture::key(1)).raw().clone();
    let error = Transaction::decode(raw).unwrap_err().to_string();
    assert!(error.contains("validity window"), "the error must name the rule: {error}");
    let huge = Bytes::from(vec![0; limits::TRANSACTION_BYTES_MAX + 1]);
    assert!(Transaction::decode(huge).unwrap_err().to_string().contains("256 KiB"));
    assert!(Transaction::decode(Bytes::from_static(b"short")).is_err());
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = codec::encode(&block());
    assert_eq!(codec::decode::<Block>(&bytes).unwrap(), block());
    bytes.push(0);
    assert!(codec::decode::<Block>(&bytes).is_err());
}

#[test]
fn every_flipped_byte_of_a_block_changes_it_or_is_refused() {
    // One value, one encoding: no two byte strings may decode to the same block.
    let bytes = codec::encode(&block());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0xff;
        if let Ok(read) = codec::decode::<Block>(&changed) {
            assert_ne!(read, block(), "byte {at} does not count");
            assert_eq!(codec::encode(&read), changed, "byte {at}: not canonical");
        }
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = codec::decode::<Message>(&bytes);
        let _ = codec::decode::<Genesis>(&bytes);
        let _ = codec::decode::<Block>(&bytes);
        let _ = Transaction::decode(bytes.into());
    }

    #[test]
    fn a_changed_message_never_panics(at in 0usize..400, with in any::<u8>()) {
        let header = block().header;
        let decision = certificate(ledger_types::CertificateKind::Commit, &header, &[0, 1, 2]);
        let message = Message::Consensus(ConsensusMessage::Decision(Box::new(decision)));
        let mut bytes = codec::encode(&message);
        let at = at % bytes.len();
        bytes[at] = with;
        if let Ok(Message::Consensus(ConsensusMessage::Decision(read))) = codec::decode(&bytes) {
            let genesis = genesis();
            let _ = read.verify(genesis.ledger(), &genesis.consensus_keys(), &genesis.quorum());
        }
    }
}
