//! API keys.

use hansa_core::{
    ApiKeyId, Error, Kind, Name, Page, PageRequest, Position, Result, Tag, TenantId, Timestamp,
    UserId,
};
use hansa_types::{ApiKey, Role, TenantKind, TenantPhase};
use sqlx::{PgConnection, postgres::PgRow};

use crate::{
    error::database,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// An API key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its tenant's kind.
    pub tenant_kind: TenantKind,
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// Keyed hash of its secret.
    pub secret_hash: Tag,
    /// Whose account it ends with; none when no person made it.
    pub created_by: Option<UserId>,
    /// When it is made.
    pub now: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// An API key as it is found when somebody presents it.
#[derive(Clone, Debug)]
pub struct ApiKeyCredential {
    /// Keyed hash of its secret.
    pub secret_hash: Tag,
    /// Its name.
    pub name: Name,
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's name.
    pub tenant_name: Name,
    /// Whether the tenant's credentials work.
    pub tenant_phase: TenantPhase,
    /// What it may do.
    pub role: Role,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// Whether it was ended.
    pub ended: bool,
}

impl TenantTx {
    /// Makes an API key of the own tenant.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when a key in force has the name.
    pub async fn api_key_insert(&mut self, new: &NewApiKey) -> Result<()> {
        insert(self.connection(), new).await
    }

    /// An API key in force of the own tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn api_key_get(&mut self, id: ApiKeyId) -> Result<ApiKey> {
        let row = sqlx::query("SELECT * FROM api_key WHERE id = $1 AND ended_at IS NULL")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read).transpose()?.ok_or(Error::NotFound(Kind::ApiKey))
    }

    /// The own tenant's API keys in force, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_key_list(&mut self, page: PageRequest) -> Result<Page<ApiKey>> {
        let rows = sqlx::query(
            "SELECT * FROM api_key WHERE ended_at IS NULL AND ($1::uuid IS NULL OR id < $1) \
             ORDER BY id DESC LIMIT $2",
        )
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let keys = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(keys, page.size, |k: &ApiKey| Position::after_id(k.id.uuid())))
    }

    /// How many API keys of the own tenant are in force.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_key_count(&mut self) -> Result<u32> {
        let query = "SELECT count(*) FROM api_key WHERE ended_at IS NULL";
        crate::user::count(self.connection(), query).await
    }

    /// Ends an API key of the own tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`] when none in force has this id.
    pub async fn api_key_end(&mut self, id: ApiKeyId, now: Timestamp) -> Result<()> {
        let ended =
            sqlx::query("UPDATE api_key SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
                .bind(id.uuid())
                .bind(now.to_offset())
                .execute(self.connection())
                .await
                .map_err(database)?;
        if ended.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Kind::ApiKey)) }
    }

    /// Ends every API key that a user of the own tenant has made.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_key_end_all(&mut self, user: UserId, now: Timestamp) -> Result<()> {
        sqlx::query("UPDATE api_key SET ended_at = $2 WHERE created_by = $1 AND ended_at IS NULL")
            .bind(user.uuid())
            .bind(now.to_offset())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }
}

impl SystemTx {
    /// Makes the first API key of a tenant.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when a key in force has the name.
    pub async fn api_key_insert(&mut self, new: &NewApiKey) -> Result<()> {
        insert(self.connection(), new).await
    }

    /// An API key that somebody presents.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_key_find(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyCredential>> {
        let row = sqlx::query(
            "SELECT k.secret_hash, k.name, k.tenant_id, t.name AS tenant, \
             t.phase AS tenant_phase, k.role, k.expires_at, k.last_used_at, \
             k.ended_at IS NOT NULL AS ended \
             FROM api_key k JOIN tenant t ON t.id = k.tenant_id WHERE k.id = $1",
        )
        .bind(id.uuid())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        let Some(row) = row else { return Ok(None) };
        let row = Read(&row);
        Ok(Some(ApiKeyCredential {
            secret_hash: row.bytes("secret_hash")?,
            name: row.name("name")?,
            tenant: row.id("tenant_id")?,
            tenant_name: row.name("tenant")?,
            tenant_phase: row.text("tenant_phase")?,
            role: row.text("role")?,
            expires_at: row.time("expires_at")?,
            last_used_at: row.time_opt("last_used_at")?,
            ended: row.get("ended")?,
        }))
    }

    /// Records that an API key was used.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_key_used(&mut self, id: ApiKeyId, now: Timestamp) -> Result<()> {
        sqlx::query("UPDATE api_key SET last_used_at = $2 WHERE id = $1")
            .bind(id.uuid())
            .bind(now.to_offset())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }
}

async fn insert(connection: &mut PgConnection, new: &NewApiKey) -> Result<()> {
    let NewApiKey { id, tenant, tenant_kind, name, role, secret_hash, created_by, now, expires_at } =
        new;
    sqlx::query(
        "INSERT INTO api_key \
         (id, tenant_id, tenant_kind, name, role, secret_hash, created_by, created_at, \
         expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.uuid())
    .bind(tenant.uuid())
    .bind(tenant_kind.as_str())
    .bind(name.as_str())
    .bind(role.as_str())
    .bind(secret_hash.as_slice())
    .bind(created_by.map(UserId::uuid))
    .bind(now.to_offset())
    .bind(expires_at.to_offset())
    .execute(connection)
    .await
    .map(drop)
    .map_err(database)
}

fn read(row: &PgRow) -> Result<ApiKey> {
    let row = Read(row);
    Ok(ApiKey {
        id: row.id("id")?,
        name: row.name("name")?,
        role: row.text("role")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        last_used_at: row.time_opt("last_used_at")?,
    })
}
