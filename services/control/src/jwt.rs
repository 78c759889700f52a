//! Access tokens: compact JWS with Ed25519 (RFC 8037), checked as strictly as they are made.
//!
//! This is written here and not taken from a library, because a policy is what is needed: one
//! algorithm, one type, every claim present, nothing else accepted, and the time from our clock.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hansa_core::{Error, Result, TenantId, Timestamp, Uuid, limits};
use openssl::{
    pkey::{Id, PKey},
    sign::Verifier,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::identity::CredentialId;

/// A key of access tokens, its public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtKey {
    /// Its id, 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    pub id: String,
    /// Ed25519.
    pub public_key: [u8; 32],
}

/// The keys that are in force. A new one is listed a while before it signs, an old one until the
/// last token that it signed has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtKeySet {
    /// Id of the key that signs.
    pub signing: String,
    /// All keys that are accepted.
    pub keys: Vec<JwtKey>,
}

/// Whoever holds the private halves: the vault.
#[async_trait]
pub trait JwtKeys: Debug + Send + Sync {
    /// The keys in force.
    async fn list(&self) -> Result<JwtKeySet>;

    /// Signs with one of them.
    async fn sign(&self, key_id: &str, message: &[u8]) -> Result<[u8; 64]>;
}

/// Makes and checks access tokens.
#[derive(Debug)]
pub(crate) struct AccessTokens {
    keys: Arc<dyn JwtKeys>,
    issuer: String,
    cached: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    keys: JwtKeySet,
    fetched_at: Timestamp,
}

/// What a token says. Who the caller is now is looked up under `credential`, never believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    sub: String,
    tenant: TenantId,
    pub(crate) credential: CredentialId,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

const ALGORITHM: &str = "EdDSA";
const TYPE: &str = "at+jwt";
/// Whom tokens are for: this API.
const AUDIENCE: &str = "hansa-api";

impl AccessTokens {
    pub(crate) fn new(keys: Arc<dyn JwtKeys>, issuer: String) -> Self {
        Self { keys, issuer, cached: Mutex::new(None) }
    }

    /// A token for a credential, and when it ends.
    pub(crate) async fn make(
        &self,
        tenant: TenantId,
        subject: String,
        credential: CredentialId,
        now: Timestamp,
    ) -> Result<(String, Timestamp)> {
        let keys = self.keys.list().await?;
        let expires_at = now + limits::ACCESS_TOKEN_LIFE;
        let header =
            Header { alg: ALGORITHM.to_owned(), typ: TYPE.to_owned(), kid: keys.signing.clone() };
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: subject,
            tenant,
            credential,
            iat: now.unix_seconds(),
            nbf: now.unix_seconds(),
            exp: expires_at.unix_seconds(),
            jti: Uuid::now_v7(),
        };
        let message = format!("{}.{}", encode(&header)?, encode(&claims)?);
        let signature = self.keys.sign(&keys.signing, message.as_bytes()).await?;
        Ok((format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)), expires_at))
    }

    /// The claims of a token that is valid now.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for any other, without saying why.
    pub(crate) async fn check(&self, token: &str, now: Timestamp) -> Result<Claims> {
        let parsed = Parsed::read(token).ok_or(Error::Unauthenticated)?;
        let key = self.key(&parsed.key_id, now).await?.ok_or(Error::Unauthenticated)?;
        parsed.claims(&key, &self.issuer, now).ok_or(Error::Unauthenticated)
    }

    /// The key of this id: from what is kept, or fetched anew when that is old or does not have it,
    /// but not more often than every ten seconds, whatever ids callers invent.
    async fn key(&self, id: &str, now: Timestamp) -> Result<Option<JwtKey>> {
        let mut cached = self.cached.lock().await;
        let find = |keys: &JwtKeySet| keys.keys.iter().find(|key| key.id == id).cloned();
        if let Some(Cached { keys, fetched_at }) = &*cached {
            let age = now.since(*fetched_at).unwrap_or(Duration::ZERO);
            let known = find(keys);
            let fresh = age < limits::JWT_KEYS_KEPT;
            if (known.is_some() && fresh) || age < limits::JWT_KEYS_FETCH_EVERY {
                return Ok(known);
            }
        }
        let keys = self.keys.list().await?;
        let known = find(&keys);
        *cached = Some(Cached { keys, fetched_at: now });
        Ok(known)
    }
}

/// A token that has the right form; nothing in it is believed yet.
struct Parsed<'t> {
    key_id: String,
    signed: &'t str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Parsed<'t> {
    fn read(token: &'t str) -> Option<Self> {
        if token.len() > limits::ACCESS_TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let right_kind = header.alg == ALGORITHM && header.typ == TYPE && is_key_id(&header.kid);
        right_kind.then_some(Self {
            key_id: header.kid,
            signed,
            claims: decode(claims)?,
            signature: decode(signature)?,
        })
    }

    fn claims(&self, key: &JwtKey, issuer: &str, now: Timestamp) -> Option<Claims> {
        let key = PKey::public_key_from_raw_bytes(&key.public_key, Id::ED25519).ok()?;
        let genuine = Verifier::new_without_digest(&key)
            .and_then(|mut v| v.verify_oneshot(&self.signature, self.signed.as_bytes()))
            .ok()?;
        if !genuine {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&self.claims).ok()?;
        let now = now.unix_seconds();
        let leeway = i64::try_from(limits::CLOCK_LEEWAY.as_secs()).ok()?;
        let life_max = i64::try_from(limits::ACCESS_TOKEN_LIFE.as_secs()).ok()?;
        let life = claims.exp.checked_sub(claims.iat)?;
        let in_force = claims.nbf <= now.checked_add(leeway)?
            && claims.iat <= now.checked_add(leeway)?
            && claims.exp.checked_add(leeway)? > now
            && (1..=life_max).contains(&life);
        let for_us = claims.iss == issuer && claims.aud == AUDIENCE && !claims.sub.is_empty();
        (in_force && for_us).then_some(claims)
    }
}

fn is_key_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&id.len()) && id.bytes().all(plain)
}

fn encode<T: Serialize>(value: &T) -> Result<String> {
    let json = serde_json::to_vec(value).map_err(Error::internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
}

fn decode(part: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use openssl::sign::Signer;
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://hansa.example";

    struct Forge {
        private: PKey<openssl::pkey::Private>,
        key: JwtKey,
    }

    impl Forge {
        fn new() -> Self {
            let private = PKey::generate_ed25519().expect("a key");
            let public_key = private.raw_public_key().expect("raw").try_into().expect("32 bytes");
            Self { private, key: JwtKey { id: "k1".to_owned(), public_key } }
        }

        fn token(&self, header: &Value, claims: &Value) -> String {
            let text = |v: &Value| BASE64_URL_SAFE_NO_PAD.encode(v.to_string());
            let message = format!("{}.{}", text(header), text(claims));
            let mut signer = Signer::new_without_digest(&self.private).expect("a signer");
            let signature = signer.sign_oneshot_to_vec(message.as_bytes()).expect("signed");
            format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
        }

        fn accepts(&self, token: &str) -> bool {
            Parsed::read(token).is_some_and(|parsed| {
                parsed.key_id == self.key.id && parsed.claims(&self.key, ISSUER, now()).is_some()
            })
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_micros(1_800_000_000_000_000).expect("a year of this century")
    }

    fn header() -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k1" })
    }

    fn claims() -> Value {
        let at = now().unix_seconds();
        json!({
            "iss": ISSUER, "aud": "hansa-api", "sub": "user:x", "tenant": Uuid::nil(),
            "credential": { "session": Uuid::nil() }, "iat": at, "nbf": at, "exp": at + 600,
            "jti": Uuid::nil()
        })
    }

    fn with(mut object: Value, name: &str, value: Value) -> Value {
        object[name] = value;
        object
    }

    /// S-13: one algorithm, one type, a plain key id, and no header that asks for anything else.
    #[test]
    fn s13_only_our_own_header_is_accepted() {
        let forge = Forge::new();
        assert!(forge.accepts(&forge.token(&header(), &claims())), "a genuine token must pass");
        for (name, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("RS256")),
            ("alg", json!("ES256")),
            ("alg", json!("eddsa")),
            ("typ", json!("JWT")),
            ("typ", json!("id+jwt")),
            ("kid", json!("k2")),
            ("kid", json!("../k1")),
            ("kid", json!("k1' OR '1'='1")),
            ("kid", json!(["k1"])),
            ("jwk", json!({})),
            ("jku", json!("https://evil.example")),
            ("x5u", json!("https://evil.example")),
            ("crit", json!(["b64"])),
        ] {
            let token = forge.token(&with(header(), name, value.clone()), &claims());
            assert!(!forge.accepts(&token), "a header with {name} = {value} must be refused");
        }
        let other = Forge::new();
        assert!(!forge.accepts(&other.token(&header(), &claims())), "another key's signature");
    }

    /// S-14, S-16: every claim must be there, and be meant for us.
    #[test]
    fn s14_s16_every_claim_is_required_and_checked() {
        let forge = Forge::new();
        for name in ["iss", "aud", "sub", "tenant", "credential", "iat", "nbf", "exp", "jti"] {
            let mut without = claims();
            without.as_object_mut().expect("an object").remove(name);
            let token = forge.token(&header(), &without);
            assert!(!forge.accepts(&token), "a token without {name} must be refused");
        }
        for (name, value) in [
            ("iss", json!("https://evil.example")),
            ("aud", json!("hansa-vault")),
            ("aud", json!(["hansa-api"])),
            ("sub", json!("")),
            ("role", json!("tenant_admin")),
        ] {
            let token = forge.token(&header(), &with(claims(), name, value.clone()));
            assert!(!forge.accepts(&token), "{name} = {value} must be refused");
        }
    }

    /// S-15: times of another type, far away or too long are refused, and nothing overflows.
    #[test]
    fn s15_times_are_numbers_within_bounds() {
        let forge = Forge::new();
        let at = now().unix_seconds();
        for (name, value) in [
            ("exp", json!(at - 6)),
            ("exp", json!((at + 600).to_string())),
            ("exp", json!(600.5)),
            ("exp", json!(-1)),
            ("exp", json!(u64::MAX)),
            ("exp", json!(i64::MAX)),
            ("exp", json!(at + 601)),
            ("iat", json!(i64::MIN)),
            ("iat", json!(at + 60)),
            ("nbf", json!(at + 60)),
        ] {
            let token = forge.token(&header(), &with(claims(), name, value.clone()));
            assert!(!forge.accepts(&token), "{name} = {value} must be refused");
        }
    }

    /// A token has one written form: any changed byte, padding or other alphabet is refused.
    #[test]
    fn a_changed_token_is_refused() {
        let forge = Forge::new();
        let token = forge.token(&header(), &claims());
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(!forge.accepts(&changed), "byte {place} is not covered");
        }
        let padded = BASE64_STANDARD.encode(header().to_string());
        for bad in ["", ".", "..", "a.b.c", &format!("{token}="), &format!("{token}.x"), &padded] {
            assert!(!forge.accepts(bad), "{bad} must be refused");
        }
        assert!(!forge.accepts(&"a".repeat(100_000)), "size is checked first");
    }
}
