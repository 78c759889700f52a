//! One mutating call: its intent is committed first, then the change with its outcome and its
//! answer in one transaction.
//!
//! If the intent cannot be written, the act does not happen. If the process ends in between, the
//! intent stays without an outcome and a reconciler closes it as unknown. If the change is refused,
//! its transaction is rolled back and the refusal is recorded by itself.

use hansa_authz::OpContext;
use hansa_core::{AuditActId, Error, Result, Rule, TenantId, Timestamp, Uuid, limits};
use hansa_store::{AuditEntry, Claim, RequestHash, Store, SystemTx, TenantTx};
use hansa_types::{AuditPhase, AuditResult, Code};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::control_plane::ControlPlane;

/// A caller's mark on a request, so that its repetition has one effect.
#[derive(Clone, Debug)]
pub struct Repeat {
    pub(crate) key: String,
    pub(crate) request: RequestHash,
}

impl Repeat {
    /// The mark `key` on the request of this method, path and body.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that is empty, too long or not printable.
    pub fn new(key: &str, method: &str, path: &str, body: &[u8]) -> Result<Self> {
        let length = 1..=limits::IDEMPOTENCY_KEY_LEN_MAX;
        if !length.contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = "must have 1 to 128 printable ASCII characters";
            return Err(Error::invalid("Idempotency-Key", Rule::Format, detail));
        }
        Ok(Self { key: key.to_owned(), request: RequestHash::of(method, path, body) })
    }
}

/// An act that has begun, or the answer of its first run.
pub(crate) enum Begun<T, X = TenantTx> {
    Act(Box<Act<X>>),
    Answered(T),
}

/// An act that has begun: the transaction of its change, in the tenant's role or, for what crosses
/// tenants, in the identity role.
pub(crate) struct Act<X = TenantTx> {
    pub(crate) tx: X,
    pub(crate) now: Timestamp,
    record: Record,
    repeat: Option<(Uuid, Repeat)>,
}

/// What the audit trail says about an act.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) act: AuditActId,
    pub(crate) action: &'static str,
    pub(crate) subject: Option<Uuid>,
    context: OpContext,
    store: Store,
}

impl Record {
    pub(crate) fn entry(&self, at: Timestamp, outcome: Option<&Result<(), Code>>) -> AuditEntry {
        let (result, code) = match outcome {
            None => (None, None),
            Some(Ok(())) => (Some(AuditResult::Succeeded), None),
            Some(Err(code)) => (Some(result_of(*code)), Some(*code)),
        };
        AuditEntry {
            act: self.act,
            phase: if outcome.is_none() { AuditPhase::Intent } else { AuditPhase::Outcome },
            action: self.action,
            actor: self.context.actor().to_string(),
            subject_id: self.subject,
            request: self.context.request(),
            result,
            code,
            at,
        }
    }

    /// Records by itself that the act was not done. That this fails too changes nothing for the
    /// caller: the intent stays and is closed as unknown.
    pub(crate) async fn refused(&self, code: Code, at: Timestamp) {
        let written = async {
            let mut tx = self.store.tenant_tx(self.context.tenant_scope()?).await?;
            tx.audit_append(&self.entry(at, Some(&Err(code)))).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            tracing::warn!(action = self.action, %error, "the refusal of an act was not recorded");
        }
    }
}

/// What is not found for a caller may exist for others: asking for it is recorded as denied.
const fn result_of(code: Code) -> AuditResult {
    match code {
        Code::NotFound | Code::Forbidden | Code::Unauthenticated | Code::OriginRefused => {
            AuditResult::Denied
        }
        _ => AuditResult::Failed,
    }
}

impl ControlPlane {
    /// Begins an act: answers a repetition, or commits the intent and opens the transaction.
    pub(crate) async fn begin<T: DeserializeOwned>(
        &self,
        context: &OpContext,
        action: &'static str,
        subject: Option<Uuid>,
        repeat: Option<Repeat>,
    ) -> Result<Begun<T>> {
        let scope = context.tenant_scope()?;
        let now = self.now();
        let record = self.intend(context, action, subject).await?;
        let repeat = context.actor().id().zip(repeat);
        let tx = self.store.tenant_tx(scope).await?;
        Self::claim(tx, record, repeat, now).await
    }

    /// Begins an act of the platform's operator, which crosses tenants. Its trail is the operator's
    /// own tenant's.
    pub(crate) async fn begin_platform<T: DeserializeOwned>(
        &self,
        context: &OpContext,
        action: &'static str,
        subject: Option<Uuid>,
        repeat: Option<Repeat>,
    ) -> Result<Begun<T, PlatformTx>> {
        let platform = context.tenant().ok_or(Error::Unauthenticated)?;
        let now = self.now();
        let record = self.intend(context, action, subject).await?;
        let repeat = context.actor().id().zip(repeat);
        let tx = self.store.system_tx(context.identity_scope()).await?;
        Self::claim(PlatformTx { tx, platform }, record, repeat, now).await
    }

    async fn claim<T: DeserializeOwned, X: ActTx>(
        mut tx: X,
        record: Record,
        repeat: Option<(Uuid, Repeat)>,
        now: Timestamp,
    ) -> Result<Begun<T, X>> {
        if let Some((principal, Repeat { key, request })) = &repeat {
            let claim = tx.claim(*principal, key, *request, now).await;
            match claim {
                Ok(Claim::New) => {}
                Ok(Claim::Answered(answer)) => {
                    // The trail tells of the repetition; its effect was the first one's.
                    tx.append(&record.entry(now, Some(&Ok(())))).await?;
                    tx.commit().await?;
                    return serde_json::from_value(answer)
                        .map(Begun::Answered)
                        .map_err(Error::internal);
                }
                Err(error) => {
                    drop(tx);
                    record.refused(Code::of(&error), now).await;
                    return Err(error);
                }
            }
        }
        Ok(Begun::Act(Box::new(Act { tx, now, record, repeat })))
    }

    /// Commits the intent of an act.
    pub(crate) async fn intend(
        &self,
        context: &OpContext,
        action: &'static str,
        subject: Option<Uuid>,
    ) -> Result<Record> {
        let record = Record {
            act: AuditActId::new(),
            action,
            subject,
            context: context.clone(),
            store: self.store.clone(),
        };
        let mut tx = self.store.tenant_tx(context.tenant_scope()?).await?;
        tx.audit_append(&record.entry(self.now(), None)).await?;
        tx.commit().await?;
        Ok(record)
    }
}

impl<X: ActTx> Act<X> {
    /// Names what the act is about, when that was not known before.
    pub(crate) const fn about(&mut self, subject: Uuid) {
        self.record.subject = Some(subject);
    }

    /// Ends the act: keeps the answer, records the outcome and commits, or rolls back and records
    /// the refusal.
    pub(crate) async fn finish<T: Serialize>(self: Box<Self>, done: Result<T>) -> Result<T> {
        let Self { mut tx, now, record, repeat } = *self;
        let answer = match done {
            Ok(answer) => answer,
            Err(error) => {
                drop(tx);
                record.refused(Code::of(&error), now).await;
                return Err(error);
            }
        };
        if let Some((principal, Repeat { key, .. })) = &repeat {
            let kept = serde_json::to_value(&answer).map_err(Error::internal)?;
            tx.save(*principal, key, &kept).await?;
        }
        // Last, because whoever appends next waits for this transaction.
        tx.append(&record.entry(now, Some(&Ok(())))).await?;
        tx.commit().await?;
        Ok(answer)
    }
}

/// What an act needs of its transaction.
pub(crate) trait ActTx: Sized {
    async fn claim(
        &mut self,
        principal: Uuid,
        key: &str,
        request: RequestHash,
        now: Timestamp,
    ) -> Result<Claim>;
    async fn save(&mut self, principal: Uuid, key: &str, answer: &Value) -> Result<()>;
    async fn append(&mut self, entry: &AuditEntry) -> Result<()>;
    async fn commit(self) -> Result<()>;
}

impl ActTx for TenantTx {
    async fn claim(
        &mut self,
        principal: Uuid,
        key: &str,
        request: RequestHash,
        now: Timestamp,
    ) -> Result<Claim> {
        self.idempotency_claim(principal, key, request, now).await
    }

    async fn save(&mut self, principal: Uuid, key: &str, answer: &Value) -> Result<()> {
        self.idempotency_save(principal, key, answer).await
    }

    async fn append(&mut self, entry: &AuditEntry) -> Result<()> {
        self.audit_append(entry).await
    }

    async fn commit(self) -> Result<()> {
        Self::commit(self).await
    }
}

/// A transaction in the identity role, on behalf of the platform's tenant.
pub(crate) struct PlatformTx {
    tx: SystemTx,
    platform: TenantId,
}

impl std::ops::Deref for PlatformTx {
    type Target = SystemTx;

    fn deref(&self) -> &SystemTx {
        &self.tx
    }
}

impl std::ops::DerefMut for PlatformTx {
    fn deref_mut(&mut self) -> &mut SystemTx {
        &mut self.tx
    }
}

impl ActTx for PlatformTx {
    async fn claim(
        &mut self,
        principal: Uuid,
        key: &str,
        request: RequestHash,
        now: Timestamp,
    ) -> Result<Claim> {
        self.tx.idempotency_claim(self.platform, principal, key, request, now).await
    }

    async fn save(&mut self, principal: Uuid, key: &str, answer: &Value) -> Result<()> {
        self.tx.idempotency_save(self.platform, principal, key, answer).await
    }

    async fn append(&mut self, entry: &AuditEntry) -> Result<()> {
        self.tx.audit_append(self.platform, entry).await
    }

    async fn commit(self) -> Result<()> {
        self.tx.commit().await
    }
}

/// Runs an act: `$body` is its work as a block that yields a `Result`, with `$act` in scope. One of the
/// platform's operator is written `act!(begin_platform: …)`.
macro_rules! act {
    ($control:expr, $context:expr, $action:literal, $subject:expr, $repeat:expr, |$act:ident| $body:expr) => {
        $crate::act::act!(begin: $control, $context, $action, $subject, $repeat, |$act| $body)
    };
    ($begin:ident: $control:expr, $context:expr, $action:literal, $subject:expr, $repeat:expr, |$act:ident| $body:expr) => {{
        let mut $act = match $control.$begin($context, $action, $subject, $repeat).await? {
            $crate::act::Begun::Answered(answer) => return Ok(answer),
            $crate::act::Begun::Act(act) => act,
        };
        let done = async { $body }.await;
        $act.finish(done).await
    }};
}
pub(crate) use act;
