//! Signed requests: how a holder of a ledger key is allowed to read from a node over HTTP.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    codec::{DecodeError, decode, encode},
    digest::{Digest, Domain},
    id::LedgerId,
    key::{PublicKey, Signature, SigningKey},
    limits,
};

/// The scheme before the token in an `Authorization` header.
pub const SCHEME: &str = "Hansa";

/// Longest time a request token lives, in milliseconds.
pub const REQUEST_MS_MAX: u64 = 60_000;

/// A token for one request: method, target and body are under the signature, so it is worth
/// nothing for another one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RequestToken {
    /// Who asks.
    pub key: PublicKey,
    /// On whose behalf and why, for the audit; may be empty.
    pub purpose: String,
    /// Refused at or after this, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Over all of this and the request.
    pub signature: Signature,
}

/// The request that a token is for.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// Upper-case HTTP method.
    pub method: &'a str,
    /// Path and query exactly as sent.
    pub target: &'a str,
    /// The whole body; empty when there is none.
    pub body: &'a [u8],
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not a token at all.
    #[error("the authorization header holds no request token")]
    Malformed(#[source] DecodeError),
    /// Too late, or made to live too long.
    #[error("the request token has expired or lives longer than a minute")]
    Expired,
    /// Signed for another request, ledger or by another key.
    #[error("the request token's signature is not for this request")]
    Signature,
}

impl RequestToken {
    /// Signs `request` for the minute that begins now.
    pub fn sign(
        key: &SigningKey,
        ledger: LedgerId,
        request: RequestLine<'_>,
        purpose: &str,
        now_ms: u64,
    ) -> Self {
        let mut token = Self {
            key: key.public_key(),
            purpose: purpose.to_owned(),
            expires_at_ms: now_ms + REQUEST_MS_MAX,
            signature: Signature([0; 64]),
        };
        token.signature = key.sign(&token.digest(ledger, request));
        token
    }

    /// The value of the `Authorization` header.
    pub fn to_header(&self) -> String {
        format!("{SCHEME} {}", hex::encode(encode(self)))
    }

    /// Reads an `Authorization` header and checks it for `request` at `now_ms`. Whether the key
    /// may read is the ledger's state to say.
    ///
    /// # Errors
    /// When the header is malformed, expired, or signed for something else.
    pub fn check(
        header: &str,
        ledger: LedgerId,
        request: RequestLine<'_>,
        now_ms: u64,
    ) -> Result<Self, RequestError> {
        let malformed = |text| RequestError::Malformed(DecodeError::rule(text));
        let token = header
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.strip_prefix(' '))
            .filter(|token| token.len() <= 4 * limits::NAME_BYTES_MAX)
            .ok_or_else(|| malformed("not of the form `Hansa <hexadecimal>`"))?;
        let bytes = hex::decode(token).map_err(|_| malformed("not hexadecimal"))?;
        let token: Self = decode(&bytes).map_err(RequestError::Malformed)?;
        if token.expires_at_ms <= now_ms
            || token.expires_at_ms > now_ms + REQUEST_MS_MAX + limits::CLOCK_DRIFT_MS_MAX
        {
            return Err(RequestError::Expired);
        }
        if !token.key.verify(&token.digest(ledger, request), &token.signature) {
            return Err(RequestError::Signature);
        }
        Ok(token)
    }

    fn digest(&self, ledger: LedgerId, request: RequestLine<'_>) -> Digest {
        let RequestLine { method, target, body } = request;
        let signed =
            (self.key, &self.purpose, self.expires_at_ms, method, target, Digest::of(body));
        Digest::tagged_value(Domain::Request, ledger, &signed)
    }
}
