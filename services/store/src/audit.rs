//! The audit trail: one hash chain for each tenant, appended to and never changed.

use hansa_core::{
    AuditActId, Error, Page, PageRequest, Position, RequestId, Result, TenantId, Timestamp, Uuid,
};
use hansa_types::{AuditEvent, AuditPhase, AuditResult, Code};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, postgres::PgRow};

use crate::{
    error::database,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// One half of an act.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// The act: intent and outcome carry the same.
    pub act: AuditActId,
    /// Which half.
    pub phase: AuditPhase,
    /// The operation of the API.
    pub action: &'static str,
    /// Who.
    pub actor: String,
    /// What it is about.
    pub subject_id: Option<Uuid>,
    /// The request.
    pub request: RequestId,
    /// What became of it; only for an outcome.
    pub result: Option<AuditResult>,
    /// The problem's code, when it was not done.
    pub code: Option<Code>,
    /// When.
    pub at: Timestamp,
}

/// Where a chain does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditChainError {
    /// The first sequence number that is not as it was written.
    pub sequence: i64,
}

/// Every entry's hash begins with this, never reused for another layout.
const TAG: &[u8] = b"hansa/audit/v1";
/// What precedes the first entry.
const BEGINNING: [u8; 32] = [0; 32];

impl TenantTx {
    /// Appends to the own tenant's chain. Whoever appends next waits for this transaction, so
    /// append last.
    ///
    /// # Errors
    /// When the database does not answer; then what was to be audited must not happen.
    pub async fn audit_append(&mut self, entry: &AuditEntry) -> Result<()> {
        let tenant = self.scope().tenant();
        append(self.connection(), tenant, entry).await
    }

    /// The own tenant's trail, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_list(&mut self, page: PageRequest) -> Result<Page<AuditEvent>> {
        let after = page.after.and_then(Position::sequence).map(i64::try_from).transpose();
        let rows = sqlx::query(
            "SELECT * FROM audit_event WHERE tenant_id = hansa_tenant() \
             AND ($1::bigint IS NULL OR sequence < $1) ORDER BY sequence DESC LIMIT $2",
        )
        .bind(after.map_err(Error::internal)?)
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let events = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(events, page.size, |e: &AuditEvent| {
            Position::after_sequence(e.sequence.unsigned_abs())
        }))
    }
}

impl SystemTx {
    /// Appends to a tenant's chain.
    ///
    /// # Errors
    /// When the database does not answer; then what was to be audited must not happen.
    pub async fn audit_append(&mut self, tenant: TenantId, entry: &AuditEntry) -> Result<()> {
        append(self.connection(), tenant, entry).await
    }

    /// Closes intents from before a time that have no outcome: whoever intended them ended before
    /// it could say what became of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_close_unfinished(
        &mut self,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<u32> {
        let rows = sqlx::query(
            "SELECT tenant_id, act_id, action, actor, subject_id, request_id FROM audit_event i \
             WHERE phase = 'intent' AND at < $1 AND NOT EXISTS (SELECT FROM audit_event o \
             WHERE o.tenant_id = i.tenant_id AND o.act_id = i.act_id AND o.phase = 'outcome') \
             ORDER BY tenant_id, sequence LIMIT 1000",
        )
        .bind(before.to_offset())
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        for row in &rows {
            let row = Read(row);
            let line = Line {
                act: row.id("act_id")?,
                phase: AuditPhase::Outcome,
                action: &row.get::<String>("action")?,
                actor: &row.get::<String>("actor")?,
                subject_id: row.get("subject_id")?,
                request: row.id("request_id")?,
                result: Some(AuditResult::Unknown),
                code: None,
                at: now,
            };
            append_line(self.connection(), row.id("tenant_id")?, &line).await?;
        }
        u32::try_from(rows.len()).map_err(Error::internal)
    }
}

/// Checks a chain from its first entry on: every number is there, every entry is what was hashed.
///
/// # Errors
/// The first place that is not as it was written.
pub fn audit_verify<'e>(
    tenant: TenantId,
    events: impl IntoIterator<Item = &'e AuditEvent>,
) -> Result<(), AuditChainError> {
    let mut previous = BEGINNING;
    for (expected, event) in (1_i64..).zip(events) {
        let line = Line {
            act: event.act_id,
            phase: event.phase,
            action: &event.action,
            actor: &event.actor,
            subject_id: event.subject_id,
            request: event.request_id,
            result: event.result,
            code: event.code,
            at: event.at,
        };
        let hash = line.hash(tenant, expected, &previous);
        let holds = event.sequence == expected
            && event.previous_hash == hex::encode(previous)
            && event.hash == hex::encode(hash);
        if !holds {
            return Err(AuditChainError { sequence: expected });
        }
        previous = hash;
    }
    Ok(())
}

/// What is hashed of an entry.
struct Line<'a> {
    act: AuditActId,
    phase: AuditPhase,
    action: &'a str,
    actor: &'a str,
    subject_id: Option<Uuid>,
    request: RequestId,
    result: Option<AuditResult>,
    code: Option<Code>,
    at: Timestamp,
}

impl Line<'_> {
    /// Each field with its length before it, so that two entries never have one encoding.
    fn hash(&self, tenant: TenantId, sequence: i64, previous: &[u8; 32]) -> [u8; 32] {
        let Self { act, phase, action, actor, subject_id, request, result, code, at } = self;
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update(u32::try_from(bytes.len()).expect("fields are short").to_be_bytes());
            hash.update(bytes);
        };
        field(TAG);
        field(previous);
        field(tenant.uuid().as_bytes());
        field(&sequence.to_be_bytes());
        field(act.uuid().as_bytes());
        field(phase.as_str().as_bytes());
        field(action.as_bytes());
        field(actor.as_bytes());
        field(subject_id.as_ref().map_or(&[][..], |id| id.as_bytes()));
        field(request.uuid().as_bytes());
        field(result.map_or("", AuditResult::as_str).as_bytes());
        field(code.map_or("", Code::as_str).as_bytes());
        field(&at.unix_micros().to_be_bytes());
        hash.finalize().into()
    }
}

async fn append(connection: &mut PgConnection, tenant: TenantId, entry: &AuditEntry) -> Result<()> {
    let AuditEntry { act, phase, action, actor, subject_id, request, result, code, at } = entry;
    let line = Line {
        act: *act,
        phase: *phase,
        action,
        actor,
        subject_id: *subject_id,
        request: *request,
        result: *result,
        code: *code,
        at: *at,
    };
    append_line(connection, tenant, &line).await
}

async fn append_line(
    connection: &mut PgConnection,
    tenant: TenantId,
    line: &Line<'_>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit_chain (tenant_id, sequence, hash) VALUES ($1, 0, $2) \
         ON CONFLICT (tenant_id) DO NOTHING",
    )
    .bind(tenant.uuid())
    .bind(BEGINNING.as_slice())
    .execute(&mut *connection)
    .await
    .map_err(database)?;
    let end = sqlx::query("SELECT sequence, hash FROM audit_chain WHERE tenant_id = $1 FOR UPDATE")
        .bind(tenant.uuid())
        .fetch_one(&mut *connection)
        .await
        .map_err(database)?;
    let end = Read(&end);
    let (sequence, previous) = (end.get::<i64>("sequence")? + 1, end.bytes("hash")?);
    let hash = line.hash(tenant, sequence, &previous);
    sqlx::query(
        "INSERT INTO audit_event (tenant_id, sequence, act_id, phase, action, actor, subject_id, \
         request_id, result, code, at, previous_hash, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(tenant.uuid())
    .bind(sequence)
    .bind(line.act.uuid())
    .bind(line.phase.as_str())
    .bind(line.action)
    .bind(line.actor)
    .bind(line.subject_id)
    .bind(line.request.uuid())
    .bind(line.result.map(AuditResult::as_str))
    .bind(line.code.map(Code::as_str))
    .bind(line.at.to_offset())
    .bind(previous.as_slice())
    .bind(hash.as_slice())
    .execute(&mut *connection)
    .await
    .map_err(database)?;
    sqlx::query("UPDATE audit_chain SET sequence = $2, hash = $3 WHERE tenant_id = $1")
        .bind(tenant.uuid())
        .bind(sequence)
        .bind(hash.as_slice())
        .execute(connection)
        .await
        .map(drop)
        .map_err(database)
}

fn read(row: &PgRow) -> Result<AuditEvent> {
    let row = Read(row);
    Ok(AuditEvent {
        sequence: row.get("sequence")?,
        act_id: row.id("act_id")?,
        phase: row.text("phase")?,
        action: row.get("action")?,
        actor: row.get("actor")?,
        subject_id: row.get("subject_id")?,
        request_id: row.id("request_id")?,
        result: row.text_opt("result")?,
        code: row.text_opt("code")?,
        at: row.time("at")?,
        previous_hash: hex::encode(row.bytes::<32>("previous_hash")?),
        hash: hex::encode(row.bytes::<32>("hash")?),
    })
}
