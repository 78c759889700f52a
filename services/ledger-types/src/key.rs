//! Ed25519 keys and signatures under ZIP-215 rules, where single and batch verification agree.

use std::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, Zeroizing};

use crate::digest::{Digest, hex_serde};

/// An Ed25519 verification key, 32 bytes, not necessarily a valid point until it is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
pub struct PublicKey(pub [u8; 32]);

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{128}$"))]
pub struct Signature(pub [u8; 64]);

/// An Ed25519 signing key; wiped from memory when dropped.
pub struct SigningKey(ed25519_zebra::SigningKey);

/// A key that must not be registered, or text that is no key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// The bytes are no point of the curve.
    #[error("not a point of the curve")]
    NotAPoint,
    /// A point of small order: anybody can make signatures that verify under it.
    #[error("a point of small order")]
    SmallOrder,
    /// A key file must hold 64 hexadecimal digits.
    #[error("a signing key is 64 hexadecimal digits")]
    NotAKeyFile,
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    NoRandomness,
}

impl PublicKey {
    /// Whether `signature` is this key's signature over `digest`.
    #[must_use]
    pub fn verify(&self, digest: &Digest, signature: &Signature) -> bool {
        let signature = ed25519_zebra::Signature::from_bytes(&signature.0);
        ed25519_zebra::VerificationKey::try_from(self.0)
            .is_ok_and(|key| key.verify(&signature, &digest.0).is_ok())
    }

    /// Checks that the key may be registered in a genesis or granted a role.
    ///
    /// # Errors
    /// When the bytes are no point, or one of small order.
    pub fn check(&self) -> Result<(), KeyError> {
        let point = curve25519_dalek::edwards::CompressedEdwardsY(self.0)
            .decompress()
            .ok_or(KeyError::NotAPoint)?;
        if point.is_small_order() { Err(KeyError::SmallOrder) } else { Ok(()) }
    }
}

impl SigningKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system gives none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(|_| KeyError::NoRandomness)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a 32-byte seed (RFC 8032 private key).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_zebra::SigningKey::from(*seed))
    }

    /// Reads the text of a key file: 64 hexadecimal digits and an optional line end.
    ///
    /// # Errors
    /// When the text is anything else; the error never repeats it.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_end(), seed.as_mut()).map_err(|_| KeyError::NotAKeyFile)?;
        Ok(Self::from_seed(&seed))
    }

    /// The text of a key file. The caller writes it with mode 0600 and nowhere else.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut seed: [u8; 32] = self.0.into();
        let text = Zeroizing::new(hex::encode(seed) + "\n");
        seed.zeroize();
        text
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(ed25519_zebra::VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs a domain-separated digest; deterministic (RFC 8032).
    pub fn sign(&self, digest: &Digest) -> Signature {
        Signature(self.0.sign(&digest.0).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public_key())
    }
}

macro_rules! hex_text {
    ($type:ident, $bytes:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({}…)"), hex::encode(&self.0[..4]))
            }
        }

        impl FromStr for $type {
            type Err = hex::FromHexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes)?;
                Ok(Self(bytes))
            }
        }

        hex_serde!($type);
    };
}
hex_text!(PublicKey, 32);
hex_text!(Signature, 64);
