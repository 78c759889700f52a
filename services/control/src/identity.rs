//! Who is calling: every credential is looked up on every request, so that one that was ended is
//! refused at once on all replicas.

use hansa_authz::{Actor, OpContext};
use hansa_core::{
    ApiKeyId, Error, Name, Purpose, RequestId, Result, Secret, SessionId, TenantId, Timestamp,
    limits,
};
use hansa_store::SystemTx;
use hansa_types::{Caller, Me, Role, TenantPhase, UserPhase};
use serde::{Deserialize, Serialize};

use crate::control_plane::ControlPlane;

/// What a caller presents.
#[derive(Debug)]
pub enum Credential {
    /// The value of the session cookie.
    Cookie(Secret),
    /// What follows `Bearer`: an API key or an access token.
    Bearer(Secret),
}

/// Which credential a request stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialId {
    /// A console session.
    Session(SessionId),
    /// An API key.
    ApiKey(ApiKeyId),
}

/// A caller whose credential was checked.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// For the methods of the control plane.
    pub context: OpContext,
    /// For people.
    pub me: Me,
    /// What the request stands on.
    pub credential: CredentialId,
    /// Whether a browser sent it by itself, so that its origin must be checked.
    pub from_cookie: bool,
}

/// A credential as it was found, before it is known whether it is in force.
struct Found {
    tenant: TenantId,
    tenant_name: Name,
    tenant_phase: TenantPhase,
    actor: Actor,
    caller: Caller,
    role: Role,
    expires_at: Timestamp,
    last_used_at: Option<Timestamp>,
    ended: bool,
}

impl Found {
    fn in_force(&self, now: Timestamp) -> bool {
        !self.ended && self.expires_at > now && self.tenant_phase == TenantPhase::Active
    }
}

/// What every API key begins with.
const API_KEY_PREFIX: &str = "hansa_";

impl ControlPlane {
    /// Checks a credential.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for everything that is not in force now, without saying why.
    pub async fn authenticate(
        &self,
        request: RequestId,
        credential: &Credential,
    ) -> Result<Authenticated> {
        let now = self.now();
        let anonymous = OpContext::anonymous(request);
        let (id, secret, from_cookie) = match credential {
            Credential::Cookie(value) => {
                let (id, secret) = session_cookie(value).ok_or(Error::Unauthenticated)?;
                (CredentialId::Session(id), Some(secret), true)
            }
            Credential::Bearer(value) => match api_key(value) {
                Some((id, secret)) => (CredentialId::ApiKey(id), Some(secret), false),
                None => {
                    let token = value.expose_text().ok_or(Error::Unauthenticated)?;
                    (self.tokens.check(token, now).await?.credential, None, false)
                }
            },
        };
        let mut tx = self.store.system_tx(anonymous.identity_scope()).await?;
        let found = self.find(&mut tx, id, secret.as_ref()).await?.ok_or(Error::Unauthenticated)?;
        if !found.in_force(now) {
            return Err(Error::Unauthenticated);
        }
        if is_stale(found.last_used_at, now) {
            match id {
                CredentialId::Session(id) => tx.session_used(id, now).await?,
                CredentialId::ApiKey(id) => tx.api_key_used(id, now).await?,
            }
            tx.commit().await?;
        }
        Ok(Authenticated {
            context: OpContext::authenticated(request, found.actor, found.tenant, found.role),
            me: Me {
                caller: found.caller,
                tenant_id: found.tenant,
                tenant: found.tenant_name,
                role: found.role,
            },
            credential: id,
            from_cookie,
        })
    }

    /// Whether a credential that was checked before is still in force, for what goes on longer than
    /// a request.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when it is not.
    pub(crate) async fn check_in_force(&self, id: CredentialId, context: &OpContext) -> Result<()> {
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        let found = self.find(&mut tx, id, None).await?.ok_or(Error::Unauthenticated)?;
        if found.in_force(self.now()) { Ok(()) } else { Err(Error::Unauthenticated) }
    }

    /// A credential by its id; with a secret, only if that is its secret.
    async fn find(
        &self,
        tx: &mut SystemTx,
        id: CredentialId,
        secret: Option<&Secret>,
    ) -> Result<Option<Found>> {
        let genuine = |purpose, id: hansa_core::Uuid, hash: &[u8]| {
            secret.is_none_or(|s| self.mac.verify(purpose, &[id.as_bytes(), s.expose()], hash))
        };
        match id {
            CredentialId::Session(id) => {
                let Some(session) = tx.session_find(id).await? else { return Ok(None) };
                if !genuine(Purpose::Session, id.uuid(), &session.secret_hash) {
                    return Ok(None);
                }
                Ok(Some(Found {
                    tenant: session.tenant,
                    tenant_name: session.tenant_name,
                    tenant_phase: session.tenant_phase,
                    actor: Actor::User(session.user),
                    caller: session.caller,
                    role: session.role,
                    expires_at: session.expires_at,
                    last_used_at: session.last_used_at,
                    ended: session.ended || session.user_phase != UserPhase::Active,
                }))
            }
            CredentialId::ApiKey(id) => {
                let Some(key) = tx.api_key_find(id).await? else { return Ok(None) };
                if !genuine(Purpose::ApiKey, id.uuid(), &key.secret_hash) {
                    return Ok(None);
                }
                Ok(Some(Found {
                    tenant: key.tenant,
                    tenant_name: key.tenant_name,
                    tenant_phase: key.tenant_phase,
                    actor: Actor::ApiKey(id),
                    caller: Caller::ApiKey { id, name: key.name },
                    role: key.role,
                    expires_at: key.expires_at,
                    last_used_at: key.last_used_at,
                    ended: key.ended,
                }))
            }
        }
    }

    /// A new secret with its text and its keyed hash.
    pub(crate) fn new_secret(
        &self,
        purpose: Purpose,
        id: hansa_core::Uuid,
    ) -> Result<(Secret, hansa_core::Tag)> {
        let secret = Secret::random(limits::TOKEN_SECRET_BYTES).map_err(Error::internal)?.to_hex();
        let hash = self.mac.tag(purpose, &[id.as_bytes(), secret.expose()]);
        Ok((secret, hash))
    }
}

/// "Last used" is written now and then: a write for every read would cost more than it tells.
fn is_stale(last_used_at: Option<Timestamp>, now: Timestamp) -> bool {
    last_used_at.and_then(|at| now.since(at)).is_none_or(|since| since >= limits::LAST_USED_EVERY)
}

/// `<id>.<secret>`.
fn session_cookie(value: &Secret) -> Option<(SessionId, Secret)> {
    let (id, secret) = value.expose_text()?.split_once('.')?;
    Some((id.parse().ok()?, Secret::from(secret.to_owned())))
}

/// `hansa_<id without hyphens>_<secret>`.
fn api_key(value: &Secret) -> Option<(ApiKeyId, Secret)> {
    let (id, secret) = value.expose_text()?.strip_prefix(API_KEY_PREFIX)?.split_once('_')?;
    Some((id.parse().ok()?, Secret::from(secret.to_owned())))
}

/// The whole text of an API key, which is shown once.
pub(crate) fn api_key_text(id: ApiKeyId, secret: &Secret) -> String {
    let secret = secret.expose_text().expect("secrets are made as hexadecimal text");
    format!("{API_KEY_PREFIX}{}_{secret}", id.uuid().simple())
}
