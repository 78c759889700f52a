//! Console sessions.

use hansa_authz::{Action, Actor, OpContext, Subject};
use hansa_core::{AuditActId, Error, Purpose, Result, Secret, SessionId, Timestamp, limits};
use hansa_store::{AuditEntry, NewSession, SignIn, SystemTx};
use hansa_types::{AuditPhase, AuditResult, Code, Session, SessionCreate, TenantPhase, UserPhase};

use crate::{act::act, control_plane::ControlPlane, identity::CredentialId};

/// A session that has begun, with the value of its cookie.
#[derive(Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// `<id>.<secret>`, for the cookie and nothing else.
    pub cookie: Secret,
}

impl ControlPlane {
    /// Signs a user in. A wrong tenant, address or password, a disabled user and a paused account
    /// are answered alike and take the same time.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Busy`] when too many sign in at once.
    pub async fn session_create(
        &self,
        context: &OpContext,
        request: &SessionCreate,
    ) -> Result<SignedIn> {
        let began = tokio::time::Instant::now();
        let signed_in = self.sign_in(context, request).await;
        if matches!(signed_in, Err(Error::Unauthenticated)) {
            tokio::time::sleep_until(began + limits::SIGN_IN_REFUSED_AFTER).await;
        }
        signed_in
    }

    async fn sign_in(&self, context: &OpContext, request: &SessionCreate) -> Result<SignedIn> {
        let SessionCreate { tenant, email, password } = request;
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        let known = tx.user_for_sign_in(tenant, email).await?;
        // Hashing takes long: no connection waits for it.
        drop(tx);
        let hash = known.as_ref().map(|user| user.password_hash.clone());
        let matches = self.passwords.verify(password.secret(), hash).await?;

        let now = self.now();
        let Some(user) = known else { return Err(Error::Unauthenticated) };
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        if !matches || !may_sign_in(&user, now) {
            if !matches {
                tx.user_sign_in_failed(user.user, pause_after(&user, now)).await?;
            }
            self.audit_sign_in(&mut tx, context, &user, None, now).await?;
            tx.commit().await?;
            return Err(Error::Unauthenticated);
        }
        let id = SessionId::new();
        let (secret, secret_hash) = self.new_secret(Purpose::Session, id.uuid())?;
        let expires_at = now + limits::SESSION_LIFE;
        let (tenant, user_id) = (user.tenant, user.user);
        tx.session_insert(&NewSession { id, user: user_id, tenant, secret_hash, now, expires_at })
            .await?;
        tx.user_signed_in(user_id, now).await?;
        self.audit_sign_in(&mut tx, context, &user, Some(id), now).await?;
        tx.commit().await?;
        let text = secret.expose_text().expect("secrets are made as hexadecimal text");
        Ok(SignedIn {
            session: Session { id, created_at: now, expires_at },
            cookie: Secret::from(format!("{id}.{text}")),
        })
    }

    /// Ends the session that the request stands on.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when it stands on an API key.
    pub async fn session_delete(
        &self,
        context: &OpContext,
        credential: CredentialId,
    ) -> Result<()> {
        context.authorize(Action::Delete, Subject::Me)?;
        let CredentialId::Session(id) = credential else { return Err(Error::Forbidden) };
        act!(self, context, "session_delete", Some(id.uuid()), None, |act| {
            act.tx.session_end(id, act.now).await
        })
    }

    /// One entry tells of a sign-in: before it, there is no caller whose intent could be recorded.
    async fn audit_sign_in(
        &self,
        tx: &mut SystemTx,
        context: &OpContext,
        user: &SignIn,
        session: Option<SessionId>,
        now: Timestamp,
    ) -> Result<()> {
        let denied = session.is_none();
        let entry = AuditEntry {
            act: AuditActId::new(),
            phase: AuditPhase::Outcome,
            action: "session_create",
            actor: Actor::User(user.user).to_string(),
            subject_id: session.map(SessionId::uuid),
            request: context.request(),
            result: Some(if denied { AuditResult::Denied } else { AuditResult::Succeeded }),
            code: denied.then_some(Code::Unauthenticated),
            at: now,
        };
        tx.audit_append(user.tenant, &entry).await
    }
}

fn may_sign_in(user: &SignIn, now: Timestamp) -> bool {
    user.phase == UserPhase::Active
        && user.tenant_phase == TenantPhase::Active
        && user.paused_until.is_none_or(|until| until <= now)
}

/// Until when the account pauses after one more failure.
fn pause_after(user: &SignIn, now: Timestamp) -> Option<Timestamp> {
    let pauses = (user.failures + 1).is_multiple_of(limits::SIGN_IN_FAILURES_MAX);
    pauses.then_some(now + limits::SIGN_IN_PAUSE)
}
