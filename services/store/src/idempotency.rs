//! Answers kept so that a repeated request has one effect.

use hansa_core::{Error, IdempotencyConflict, Result, TenantId, Timestamp, Uuid, limits};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, types::Json};

use crate::{
    error::database,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// What a request is, so that a key cannot be reused for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHash([u8; 32]);

impl RequestHash {
    /// The hash of a request.
    #[must_use]
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            hash.update(u64::try_from(part.len()).expect("usize fits u64").to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// Whether a request is the first with its key.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// It is: do it, and save the answer in the same transaction.
    New,
    /// It is not: this was the answer.
    Answered(Value),
}

impl TenantTx {
    /// Claims a key for a request. A second transaction with the same key waits here for the first.
    ///
    /// # Errors
    /// [`Error::Idempotency`] when the key was used for another request, or when the first one
    /// takes longer than we wait.
    pub async fn idempotency_claim(
        &mut self,
        principal: Uuid,
        key: &str,
        request: RequestHash,
        now: Timestamp,
    ) -> Result<Claim> {
        let tenant = self.scope().tenant();
        claim(self.connection(), tenant, principal, key, request, now).await
    }

    /// Keeps the answer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn idempotency_save(
        &mut self,
        principal: Uuid,
        key: &str,
        answer: &Value,
    ) -> Result<()> {
        let tenant = self.scope().tenant();
        save(self.connection(), tenant, principal, key, answer).await
    }
}

impl SystemTx {
    /// As [`TenantTx::idempotency_claim`], for a caller whose request crosses tenants.
    ///
    /// # Errors
    /// As there.
    pub async fn idempotency_claim(
        &mut self,
        tenant: TenantId,
        principal: Uuid,
        key: &str,
        request: RequestHash,
        now: Timestamp,
    ) -> Result<Claim> {
        claim(self.connection(), tenant, principal, key, request, now).await
    }

    /// Keeps the answer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn idempotency_save(
        &mut self,
        tenant: TenantId,
        principal: Uuid,
        key: &str,
        answer: &Value,
    ) -> Result<()> {
        save(self.connection(), tenant, principal, key, answer).await
    }

    /// Forgets answers whose time has passed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn idempotency_prune(&mut self, now: Timestamp) -> Result<u64> {
        sqlx::query("DELETE FROM idempotency WHERE expires_at <= $1")
            .bind(now.to_offset())
            .execute(self.connection())
            .await
            .map(|done| done.rows_affected())
            .map_err(database)
    }
}

async fn claim(
    connection: &mut PgConnection,
    tenant: TenantId,
    principal: Uuid,
    key: &str,
    request: RequestHash,
    now: Timestamp,
) -> Result<Claim> {
    // A key whose time has passed is claimed anew. The row of a running request is locked by it:
    // this waits for that transaction, at most for the lock's time.
    let claimed = sqlx::query(
        "INSERT INTO idempotency AS i \
         (tenant_id, principal_id, key, request_hash, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (tenant_id, principal_id, key) DO UPDATE \
         SET request_hash = excluded.request_hash, answer = NULL, \
         created_at = excluded.created_at, expires_at = excluded.expires_at \
         WHERE i.expires_at <= excluded.created_at",
    )
    .bind(tenant.uuid())
    .bind(principal)
    .bind(key)
    .bind(request.0.as_slice())
    .bind(now.to_offset())
    .bind((now + limits::IDEMPOTENCY_KEPT).to_offset())
    .execute(&mut *connection)
    .await;
    match claimed {
        Ok(done) if done.rows_affected() == 1 => return Ok(Claim::New),
        Ok(_) => {}
        Err(error) if is_lock_timeout(&error) => {
            return Err(Error::Idempotency(IdempotencyConflict::InProgress));
        }
        Err(error) => return Err(database(error)),
    }
    let row = sqlx::query(
        "SELECT request_hash, answer FROM idempotency \
         WHERE tenant_id = $1 AND principal_id = $2 AND key = $3",
    )
    .bind(tenant.uuid())
    .bind(principal)
    .bind(key)
    .fetch_one(connection)
    .await
    .map_err(database)?;
    let row = Read(&row);
    if row.bytes::<32>("request_hash")? != request.0 {
        return Err(Error::Idempotency(IdempotencyConflict::DifferentRequest));
    }
    let answer: Option<Value> = row.json_opt("answer")?;
    answer.map(Claim::Answered).ok_or_else(|| {
        Error::internal("a claimed idempotency key was committed without its answer")
    })
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "55P03")
}

async fn save(
    connection: &mut PgConnection,
    tenant: TenantId,
    principal: Uuid,
    key: &str,
    answer: &Value,
) -> Result<()> {
    sqlx::query(
        "UPDATE idempotency SET answer = $4 \
         WHERE tenant_id = $1 AND principal_id = $2 AND key = $3",
    )
    .bind(tenant.uuid())
    .bind(principal)
    .bind(key)
    .bind(Json(answer))
    .execute(connection)
    .await
    .map(drop)
    .map_err(database)
}
