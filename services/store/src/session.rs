//! Console sessions.

use hansa_core::{Name, Result, SessionId, Tag, TenantId, Timestamp, UserId};
use hansa_types::{Caller, Role, TenantPhase, UserPhase};

use crate::{
    error::database,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A session to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// The user's tenant.
    pub tenant: TenantId,
    /// Keyed hash of its secret.
    pub secret_hash: Tag,
    /// When it begins.
    pub now: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A session as it is found when somebody presents it, with what decides whether it still works.
#[derive(Clone, Debug)]
pub struct SessionCredential {
    /// Keyed hash of its secret.
    pub secret_hash: Tag,
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's name.
    pub tenant_name: Name,
    /// Whether the tenant's credentials work.
    pub tenant_phase: TenantPhase,
    /// The user.
    pub user: UserId,
    /// The user, for people.
    pub caller: Caller,
    /// What the user may do.
    pub role: Role,
    /// Whether the user can sign in.
    pub user_phase: UserPhase,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// Whether it was ended.
    pub ended: bool,
}

impl TenantTx {
    /// Ends all sessions of a user of the own tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_end_all(&mut self, user: UserId, now: Timestamp) -> Result<()> {
        sqlx::query("UPDATE session SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL")
            .bind(user.uuid())
            .bind(now.to_offset())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }

    /// Ends a session of the own tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_end(&mut self, id: SessionId, now: Timestamp) -> Result<()> {
        sqlx::query("UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
            .bind(id.uuid())
            .bind(now.to_offset())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }
}

impl SystemTx {
    /// Makes a session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_insert(&mut self, new: &NewSession) -> Result<()> {
        let NewSession { id, user, tenant, secret_hash, now, expires_at } = new;
        sqlx::query(
            "INSERT INTO session (id, tenant_id, user_id, secret_hash, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.uuid())
        .bind(tenant.uuid())
        .bind(user.uuid())
        .bind(secret_hash.as_slice())
        .bind(now.to_offset())
        .bind(expires_at.to_offset())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }

    /// A session that somebody presents.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_find(&mut self, id: SessionId) -> Result<Option<SessionCredential>> {
        let row = sqlx::query(
            "SELECT s.secret_hash, s.tenant_id, t.name AS tenant, t.phase AS tenant_phase, \
             s.user_id, u.email, u.display_name, u.role, u.phase AS user_phase, s.expires_at, \
             s.last_used_at, s.ended_at IS NOT NULL AS ended \
             FROM session s JOIN app_user u ON u.tenant_id = s.tenant_id AND u.id = s.user_id \
             JOIN tenant t ON t.id = s.tenant_id WHERE s.id = $1",
        )
        .bind(id.uuid())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        let Some(row) = row else { return Ok(None) };
        let row = Read(&row);
        let user = row.id("user_id")?;
        Ok(Some(SessionCredential {
            secret_hash: row.bytes("secret_hash")?,
            tenant: row.id("tenant_id")?,
            tenant_name: row.name("tenant")?,
            tenant_phase: row.text("tenant_phase")?,
            user,
            caller: Caller::User {
                id: user,
                email: row.text("email")?,
                display_name: row.text("display_name")?,
            },
            role: row.text("role")?,
            user_phase: row.text("user_phase")?,
            expires_at: row.time("expires_at")?,
            last_used_at: row.time_opt("last_used_at")?,
            ended: row.get("ended")?,
        }))
    }

    /// Records that a session was used.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_used(&mut self, id: SessionId, now: Timestamp) -> Result<()> {
        sqlx::query("UPDATE session SET last_used_at = $2 WHERE id = $1")
            .bind(id.uuid())
            .bind(now.to_offset())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }
}
