//! Batch and single verification must accept the same signatures: two honest nodes with different
//! batches would otherwise disagree about a block.

use curve25519_dalek::{
    constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
    edwards::EdwardsPoint,
    scalar::Scalar,
};
use ledger_types::{BatchVerifier, Digest, PublicKey, Signature, Signed};
use sha2::{Digest as _, Sha512};

use crate::fixture::key;

/// Signs by hand, so that torsion and odd encodings can be put into key and nonce point.
fn craft(a: u64, key_torsion: usize, nonce_torsion: usize, digest: Digest) -> Signed {
    let (a, r) = (Scalar::from(a), Scalar::from(a + 1000));
    let point =
        |s: Scalar, t: usize| -> EdwardsPoint { s * ED25519_BASEPOINT_POINT + EIGHT_TORSION[t] };
    let key = point(a, key_torsion).compress().0;
    let nonce = point(r, nonce_torsion).compress().0;
    let k: [u8; 64] = Sha512::new()
        .chain_update(nonce)
        .chain_update(key)
        .chain_update(digest.0)
        .finalize()
        .into();
    let s = r + Scalar::from_bytes_mod_order_wide(&k) * a;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&nonce);
    signature[32..].copy_from_slice(s.as_bytes());
    Signed { digest, key: PublicKey(key), signature: Signature(signature) }
}

fn honest(n: u8) -> Signed {
    let digest = Digest([n; 32]);
    Signed { digest, key: key(n % 3).public_key(), signature: key(n % 3).sign(&digest) }
}

/// Adds the group order to `s`: the same value, not canonical.
fn with_large_s(mut signed: Signed) -> Signed {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0u16;
    for (byte, add) in signed.signature.0[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    signed
}

fn small_order(torsion: usize) -> Signed {
    // With A and R of small order and s = 0 the cofactored equation holds for every message.
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&EIGHT_TORSION[torsion].compress().0);
    let key = PublicKey(EIGHT_TORSION[7 - torsion].compress().0);
    Signed { digest: Digest([3; 32]), key, signature: Signature(signature) }
}

fn not_a_point() -> Signed {
    let mut signed = honest(5);
    signed.signature.0[..32].copy_from_slice(&[2; 32]);
    signed
}

#[test]
fn crafted_signatures_are_judged_alike_alone_and_in_a_batch() {
    // Protects against a halt by a signature that some nodes accept and others refuse.
    let mut cases: Vec<Signed> = vec![with_large_s(honest(1)), not_a_point()];
    for torsion in 0..8 {
        cases.push(craft(77, torsion, 0, Digest([1; 32])));
        cases.push(craft(78, 0, torsion, Digest([2; 32])));
        cases.push(craft(79, torsion, 7 - torsion, Digest([3; 32])));
        cases.push(small_order(torsion));
    }
    let mut verifier = BatchVerifier::new(64);
    let mut accepted = 0;
    for (at, case) in cases.iter().enumerate() {
        let alone = case.key.verify(&case.digest, &case.signature);
        let batch = [honest(1), *case, honest(2)];
        let together = verifier.all_valid(&batch).unwrap();
        assert_eq!(alone, together, "case {at}: single says {alone}, batch says {together}");
        accepted += usize::from(alone);
    }
    assert!(accepted >= 24, "ZIP-215 accepts the torsion cases; only {accepted} were accepted");
    assert!(!cases[0].key.verify(&cases[0].digest, &cases[0].signature), "s + order must fail");
}

#[test]
fn a_bad_signature_is_found_among_good_ones() {
    // Protects honest clients whose transactions share a batch with a forged one.
    let mut batch: Vec<Signed> = (0..100).map(honest).collect();
    batch[37].signature.0[40] ^= 1;
    batch[99].digest.0[0] ^= 1;
    let mut verifier = BatchVerifier::new(2);
    assert!(!verifier.all_valid(&batch).unwrap());
    let verdicts = verifier.each_valid(&batch).unwrap();
    let bad: Vec<usize> = (0..100).filter(|at| !verdicts[*at]).collect();
    assert_eq!(bad, [37, 99], "exactly the two changed signatures must be refused");
}

#[test]
fn two_bad_signatures_do_not_cancel_out() {
    // Without random weights, errors +1 and −1 in two s values would sum to zero.
    let shift = |mut signed: Signed, by: Scalar| {
        let s: [u8; 32] = signed.signature.0[32..].try_into().unwrap();
        let s = Scalar::from_canonical_bytes(s).unwrap() + by;
        signed.signature.0[32..].copy_from_slice(s.as_bytes());
        signed
    };
    let batch = [shift(honest(1), Scalar::ONE), shift(honest(4), -Scalar::ONE)];
    assert!(!BatchVerifier::new(8).all_valid(&batch).unwrap());
    assert!(BatchVerifier::new(8).all_valid(&[]).unwrap(), "an empty batch holds");
}
