//! A receipt convinces somebody who holds only the genesis, and no changed receipt does.

use ledger_types::{CertificateError, CertificateKind, Digest, LedgerId, Receipt, ReceiptError};

use crate::fixture::{block, certificate, genesis, receipt};

#[test]
fn a_receipt_verifies_against_the_genesis_alone_also_after_json() {
    let text = serde_json::to_string(&receipt()).unwrap();
    let read: Receipt = serde_json::from_str(&text).unwrap();
    read.verify(&genesis()).unwrap();
}

type Case = (&'static str, fn(&mut Receipt), fn(&ReceiptError) -> bool);

#[test]
fn every_change_is_refused_by_name() {
    let cases: [Case; 11] = [
        (
            "another outcome",
            |r| r.outcome = ledger_types::Outcome::Applied { changes: vec![8] },
            |e| matches!(e, ReceiptError::Root),
        ),
        (
            "another transaction",
            |r| r.transaction = Digest([1; 32]),
            |e| matches!(e, ReceiptError::Root),
        ),
        (
            "another state root",
            |r| r.state_root = Digest([1; 32]),
            |e| matches!(e, ReceiptError::Root),
        ),
        ("another place", |r| r.path.index = 0, |e| matches!(e, ReceiptError::Root)),
        ("a place outside the list", |r| r.path.index = 9, |e| matches!(e, ReceiptError::Path)),
        ("another height", |r| r.height = 2, |e| matches!(e, ReceiptError::Height { .. })),
        (
            "another ledger",
            |r| r.ledger = LedgerId([1; 16]),
            |e| matches!(e, ReceiptError::Ledger { .. }),
        ),
        ("a changed header", |r| r.covering.time_ms += 1, |e| matches!(e, ReceiptError::Block)),
        (
            "a prepare certificate",
            |r| r.certificate = certificate(CertificateKind::Prepare, &r.covering, &[0, 1, 2]),
            |e| matches!(e, ReceiptError::NotADecision),
        ),
        (
            "too few votes",
            |r| {
                r.certificate.signatures.pop();
            },
            |e| {
                matches!(
                    e,
                    ReceiptError::Certificate(CertificateError::TooFew { have: 2, need: 3, .. })
                )
            },
        ),
        (
            "one vote counted twice",
            |r| {
                let first = r.certificate.signatures[0];
                r.certificate.signatures[1] = first;
            },
            |e| matches!(e, ReceiptError::Certificate(CertificateError::NotIncreasing(_))),
        ),
    ];
    for (name, change, expected) in cases {
        let mut forged = receipt();
        change(&mut forged);
        let error = forged.verify(&genesis()).expect_err(name);
        assert!(expected(&error), "{name}: refused for another reason: {error}");
    }
}

#[test]
fn every_flipped_bit_of_a_signature_is_found() {
    // Covers the whole signature, not a sample: 64 bytes, one bit each.
    for byte in 0..64 {
        let mut forged = receipt();
        forged.certificate.signatures[1].1.0[byte] ^= 0x10;
        let error = forged.verify(&genesis()).expect_err("a flipped bit");
        assert!(matches!(error, ReceiptError::Certificate(CertificateError::BadSignature(_))));
    }
}

#[test]
fn fast_certificates_need_every_validator_of_four() {
    let header = block().header;
    let (genesis, keys) = (genesis(), genesis().consensus_keys());
    let check = |voters: &[u16]| {
        certificate(CertificateKind::Fast, &header, voters).verify(
            genesis.ledger(),
            &keys,
            &genesis.quorum(),
        )
    };
    check(&[0, 1, 2, 3]).unwrap();
    assert!(matches!(check(&[0, 1, 2]), Err(CertificateError::TooFew { need: 4, .. })));
}
