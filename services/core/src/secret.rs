//! Bytes that must not be seen.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Secret bytes: wiped when dropped, never printed, not serialisable, not comparable by accident.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness from the operating system")]
pub struct SecretError;

impl Secret {
    /// Whether a file with these permission bits may hold a secret: only its owner can do anything
    /// with it. As an exception its group may read what nobody may write, because that is how
    /// Kubernetes mounts a secret for the group of a pod.
    #[must_use]
    pub const fn may_lie_in(mode: u32) -> bool {
        mode & 0o077 == 0 || mode & 0o777 == 0o440
    }

    /// `len` random bytes.
    ///
    /// # Errors
    /// When the operating system gives none.
    pub fn random(len: usize) -> Result<Self, SecretError> {
        let mut bytes = vec![0; len];
        getrandom::fill(&mut bytes).map_err(|_| SecretError)?;
        Ok(Self(bytes))
    }

    /// The bytes, for the one computation that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret as lower-case hexadecimal text, itself a secret.
    #[must_use]
    pub fn to_hex(&self) -> Self {
        Self(hex::encode(&self.0).into_bytes())
    }

    /// The secret as text, if it is text.
    #[must_use]
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that others read is no place for a secret, and one that the group writes is no place to
    /// take one from.
    #[test]
    fn files_of_secrets_are_closed_to_others() {
        for mode in [0o600, 0o400, 0o700, 0o440, 0o100_440] {
            assert!(Secret::may_lie_in(mode), "{mode:o}");
        }
        for mode in [0o644, 0o640, 0o660, 0o444, 0o460, 0o450, 0o404, 0o604] {
            assert!(!Secret::may_lie_in(mode), "{mode:o}");
        }
    }

    /// Secrets end up inside structs that are logged with `{:?}`.
    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let shown = format!("{:?}", Secret::from("hunter2".to_owned()));
        assert_eq!(shown, "Secret(redacted)");
    }
}
