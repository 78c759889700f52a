//! Batch verification of client signatures with cached keys.
//!
//! The equation is ZIP-215's, weighted: for random 128-bit `z`,
//! `8 · (Σ z·R + Σ z·k·A − (Σ z·s)·B) = 0`, with `k = SHA-512(R | A | M)`. It accepts exactly what
//! [`PublicKey::verify`] accepts: encodings may be non-canonical, `s` must be canonical, and the
//! cofactor makes torsion irrelevant. Two things make it cheaper than a general batch verifier:
//! signatures under one key share one term, and the points of known keys are kept decompressed.

use std::collections::HashMap;

use curve25519_dalek::{
    constants::ED25519_BASEPOINT_POINT,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::{IsIdentity as _, VartimeMultiscalarMul as _},
};
use sha2::{Digest as _, Sha512};

use crate::{
    digest::Digest,
    key::{KeyError, PublicKey, Signature},
};

/// One signature to check.
#[derive(Clone, Copy, Debug)]
pub struct Signed {
    /// What is signed.
    pub digest: Digest,
    /// By whom.
    pub key: PublicKey,
    /// The signature.
    pub signature: Signature,
}

/// Verifies batches; owns a bounded cache of decompressed keys.
#[derive(Debug)]
pub struct BatchVerifier {
    points: HashMap<PublicKey, EdwardsPoint>,
    keys_max: usize,
}

impl BatchVerifier {
    /// A verifier that keeps at most `keys_max` points (160 bytes each).
    pub fn new(keys_max: usize) -> Self {
        Self { points: HashMap::new(), keys_max }
    }

    /// Whether every signature verifies. An empty batch does.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`] when the operating system gives none: without unpredictable
    /// weights a crafted pair of bad signatures could cancel out.
    pub fn all_valid(&mut self, batch: &[Signed]) -> Result<bool, KeyError> {
        let mut weights = vec![0u8; 16 * batch.len()];
        getrandom::fill(&mut weights).map_err(|_| KeyError::NoRandomness)?;
        Ok(self.holds(batch, &weights).unwrap_or(false))
    }

    /// Which signatures verify, found by halving: a batch with few bad ones costs little more
    /// than a good one.
    ///
    /// # Errors
    /// As [`BatchVerifier::all_valid`].
    pub fn each_valid(&mut self, batch: &[Signed]) -> Result<Vec<bool>, KeyError> {
        let mut verdicts = vec![false; batch.len()];
        let mut open = std::iter::once(0..batch.len()).collect::<Vec<_>>();
        while let Some(range) = open.pop() {
            if let [one] = &batch[range.clone()] {
                verdicts[range.start] = one.key.verify(&one.digest, &one.signature);
            } else if self.all_valid(&batch[range.clone()])? {
                verdicts[range].fill(true);
            } else {
                let middle = range.start + range.len() / 2;
                open.extend([range.start..middle, middle..range.end]);
            }
        }
        Ok(verdicts)
    }

    /// The weighted equation; `None` when a part of a signature or key is malformed.
    fn holds(&mut self, batch: &[Signed], weights: &[u8]) -> Option<bool> {
        let mut terms = Terms::with_capacity(batch.len());
        let mut places: HashMap<PublicKey, usize> = HashMap::new();
        let mut base = Scalar::ZERO;
        for (signed, weight) in batch.iter().zip(weights.chunks_exact(16)) {
            let (r, s) = signed.signature.0.split_at(32);
            let r = CompressedEdwardsY(r.try_into().ok()?);
            let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
            let z = Scalar::from(u128::from_le_bytes(weight.try_into().ok()?));
            let k = challenge(&r, &signed.key, &signed.digest);
            base -= z * s;
            let place = match places.get(&signed.key) {
                Some(place) => *place,
                None => {
                    let place = terms.push(Scalar::ZERO, self.point(&signed.key)?);
                    places.insert(signed.key, place);
                    place
                }
            };
            terms.scalars[place] += z * k;
            terms.push(z, r.decompress()?);
        }
        terms.push(base, ED25519_BASEPOINT_POINT);
        Some(
            EdwardsPoint::vartime_multiscalar_mul(&terms.scalars, &terms.points)
                .mul_by_cofactor()
                .is_identity(),
        )
    }

    fn point(&mut self, key: &PublicKey) -> Option<EdwardsPoint> {
        if let Some(point) = self.points.get(key) {
            return Some(*point);
        }
        let point = CompressedEdwardsY(key.0).decompress()?;
        if self.points.len() < self.keys_max {
            self.points.insert(*key, point);
        }
        Some(point)
    }
}

struct Terms {
    scalars: Vec<Scalar>,
    points: Vec<EdwardsPoint>,
}

impl Terms {
    fn with_capacity(signatures: usize) -> Self {
        let terms = 2 * signatures + 1;
        Self { scalars: Vec::with_capacity(terms), points: Vec::with_capacity(terms) }
    }

    /// Adds a term and returns its place.
    fn push(&mut self, scalar: Scalar, point: EdwardsPoint) -> usize {
        self.scalars.push(scalar);
        self.points.push(point);
        self.scalars.len() - 1
    }
}

fn challenge(r: &CompressedEdwardsY, key: &PublicKey, digest: &Digest) -> Scalar {
    let hash =
        Sha512::new().chain_update(r.0).chain_update(key.0).chain_update(digest.0).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}
