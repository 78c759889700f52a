//! Keyed hashes (HMAC-SHA-256) with a purpose: what was made for one use is refused in another.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;

use crate::secret::Secret;

/// What a keyed hash is for. Each has a tag of its own that is never reused for another layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The secret half of an API key, as stored.
    ApiKey,
    /// The secret half of a console session, as stored.
    Session,
    /// The secret half of a node's enrolment token, as stored.
    EnrolmentToken,
    /// The position inside a page token.
    PageToken,
    /// The password of a database role of a private cluster.
    DatabaseLogin,
}

impl Purpose {
    const fn tag(self) -> &'static [u8] {
        match self {
            Self::ApiKey => b"hansa/api-key/v1",
            Self::Session => b"hansa/session/v1",
            Self::EnrolmentToken => b"hansa/enrolment-token/v1",
            Self::PageToken => b"hansa/page-token/v1",
            Self::DatabaseLogin => b"hansa/database-login/v1",
        }
    }
}

/// A keyed hash, 32 bytes.
pub type Tag = [u8; 32];

/// The key of keyed hashes.
#[derive(Clone, Debug)]
pub struct Mac(Secret);

impl Mac {
    /// Hashes under `key`.
    #[must_use]
    pub const fn new(key: Secret) -> Self {
        Self(key)
    }

    /// The keyed hash of `parts`. Parts are length-prefixed: moving a byte from one to the next
    /// changes the result.
    #[must_use]
    pub fn tag(&self, purpose: Purpose, parts: &[&[u8]]) -> Tag {
        self.state(purpose, parts).finalize().into_bytes().into()
    }

    /// Whether `tag` is the keyed hash of `parts`, in constant time.
    #[must_use]
    pub fn verify(&self, purpose: Purpose, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.state(purpose, parts).verify_slice(tag).is_ok()
    }

    /// Whether `tag` begins the keyed hash of `parts`, in constant time.
    #[must_use]
    pub(crate) fn verify_left(&self, purpose: Purpose, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.state(purpose, parts).verify_truncated_left(tag).is_ok()
    }

    fn state(&self, purpose: Purpose, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut state = Hmac::<Sha256>::new_from_slice(self.0.expose())
            .expect("HMAC takes keys of every length");
        for part in [purpose.tag()].iter().chain(parts) {
            state.update(&u64::try_from(part.len()).expect("usize fits u64").to_be_bytes());
            state.update(part);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash made for one purpose, or over differently cut parts, must not pass for another.
    #[test]
    fn purpose_and_the_cut_between_parts_are_hashed() {
        let mac = Mac::new(Secret::from(vec![7; 32]));
        let tag = mac.tag(Purpose::ApiKey, &[b"ab", b"c"]);
        assert!(mac.verify(Purpose::ApiKey, &[b"ab", b"c"], &tag));
        assert!(!mac.verify(Purpose::Session, &[b"ab", b"c"], &tag), "purposes must differ");
        assert!(!mac.verify(Purpose::ApiKey, &[b"a", b"bc"], &tag), "parts must be delimited");
        assert!(!mac.verify(Purpose::ApiKey, &[b"ab", b"c"], &tag[..31]), "a short tag passed");
    }
}
