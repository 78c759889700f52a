//! Canonical encoding: borsh, decoded strictly.

use borsh::{BorshDeserialize, BorshSerialize};

/// Bytes that are not the canonical encoding of the expected type.
#[derive(Debug, thiserror::Error)]
#[error("not a canonical encoding: {0}")]
pub struct DecodeError(#[from] std::io::Error);

impl DecodeError {
    /// A rule of the type itself (not of its layout) is broken.
    pub fn rule(message: &'static str) -> Self {
        Self(std::io::Error::new(std::io::ErrorKind::InvalidData, message))
    }
}

/// The canonical encoding of `value`.
pub fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory cannot fail and lengths are bounded by limits")
}

/// Decodes all of `bytes`; trailing bytes are an error.
///
/// # Errors
/// When the bytes are not exactly one canonical value.
pub fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, DecodeError> {
    Ok(borsh::from_slice(bytes)?)
}
