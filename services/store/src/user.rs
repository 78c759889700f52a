//! Users.

use hansa_core::{
    Error, Kind, Page, PageRequest, Position, Result, Revision, TenantId, Timestamp, UserId,
};
use hansa_types::{DisplayName, Email, Role, TenantKind, TenantPhase, User, UserPhase};
use sqlx::{PgConnection, postgres::PgRow};

use crate::{
    error::database,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its tenant's kind.
    pub tenant_kind: TenantKind,
    /// Its address.
    pub email: Email,
    /// Its name.
    pub display_name: DisplayName,
    /// What it may do.
    pub role: Role,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// When.
    pub now: Timestamp,
}

/// What changes about a user; nothing means that it stays.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    /// Its name.
    pub display_name: Option<DisplayName>,
    /// What it may do.
    pub role: Option<Role>,
    /// Whether it can sign in.
    pub phase: Option<UserPhase>,
    /// Argon2id in PHC form.
    pub password_hash: Option<String>,
}

/// What a sign-in needs to know.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The user.
    pub user: UserId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whether the tenant's credentials work.
    pub tenant_phase: TenantPhase,
    /// What the user may do.
    pub role: Role,
    /// Whether it can sign in.
    pub phase: UserPhase,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// Failed sign-ins in a row.
    pub failures: u32,
    /// Until when it cannot sign in.
    pub paused_until: Option<Timestamp>,
}

impl TenantTx {
    /// Makes a user of the own tenant.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when the address is taken.
    pub async fn user_insert(&mut self, new: &NewUser) -> Result<()> {
        insert(self.connection(), new).await
    }

    /// A user of the own tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn user_get(&mut self, id: UserId) -> Result<User> {
        let row = sqlx::query("SELECT * FROM app_user WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read).transpose()?.ok_or(Error::NotFound(Kind::User))
    }

    /// The own tenant's users, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_list(&mut self, page: PageRequest) -> Result<Page<User>> {
        let rows = sqlx::query(
            "SELECT * FROM app_user WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2",
        )
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let users = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(users, page.size, |u: &User| Position::after_id(u.id.uuid())))
    }

    /// How many users the own tenant has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_count(&mut self) -> Result<u32> {
        count(self.connection(), "SELECT count(*) FROM app_user").await
    }

    /// How many administrators of the own tenant can sign in, locking them against a change.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn administrator_count(&mut self) -> Result<u32> {
        let rows = sqlx::query(
            "SELECT id FROM app_user WHERE role IN ('tenant_admin', 'platform_operator') \
             AND phase = 'active' ORDER BY id FOR UPDATE",
        )
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        u32::try_from(rows.len()).map_err(Error::internal)
    }

    /// Changes a user that still has the expected revision.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`].
    pub async fn user_update(
        &mut self,
        id: UserId,
        expected: Revision,
        changes: &UserChanges,
    ) -> Result<User> {
        let UserChanges { display_name, role, phase, password_hash } = changes;
        let row = sqlx::query(
            "UPDATE app_user SET display_name = coalesce($3, display_name), \
             role = coalesce($4, role), phase = coalesce($5, phase), \
             password_hash = coalesce($6, password_hash), revision = revision + 1 \
             WHERE id = $1 AND revision = $2 RETURNING *",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .bind(display_name.as_ref().map(DisplayName::as_str))
        .bind(role.map(Role::as_str))
        .bind(phase.map(UserPhase::as_str))
        .bind(password_hash.as_deref())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        match row {
            Some(row) => read(&row),
            None => self.user_get(id).await.and(Err(Error::Stale)),
        }
    }

    /// Removes a user that still has the expected revision, with its sessions.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`].
    pub async fn user_delete(&mut self, id: UserId, expected: Revision) -> Result<()> {
        let deleted = sqlx::query("DELETE FROM app_user WHERE id = $1 AND revision = $2")
            .bind(id.uuid())
            .bind(expected.get())
            .execute(self.connection())
            .await
            .map_err(database)?;
        match deleted.rows_affected() {
            0 => self.user_get(id).await.and(Err(Error::Stale)),
            _ => Ok(()),
        }
    }
}

impl SystemTx {
    /// Makes the first user of a new tenant.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when the address is taken.
    pub async fn user_insert(&mut self, new: &NewUser) -> Result<()> {
        insert(self.connection(), new).await
    }

    /// What a sign-in needs to know.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_for_sign_in(
        &mut self,
        tenant: &hansa_core::Name,
        email: &Email,
    ) -> Result<Option<SignIn>> {
        let row = sqlx::query(
            "SELECT u.id, u.tenant_id, t.phase AS tenant_phase, u.role, u.phase, u.password_hash, \
             u.failures::bigint AS failures, u.paused_until \
             FROM app_user u JOIN tenant t ON t.id = u.tenant_id \
             WHERE t.name = $1 AND t.phase <> 'deleted' AND u.email = $2",
        )
        .bind(tenant.as_str())
        .bind(email.as_str())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        let Some(row) = row else { return Ok(None) };
        let row = Read(&row);
        Ok(Some(SignIn {
            user: row.id("id")?,
            tenant: row.id("tenant_id")?,
            tenant_phase: row.text("tenant_phase")?,
            role: row.text("role")?,
            phase: row.text("phase")?,
            password_hash: row.get("password_hash")?,
            failures: u32::try_from(row.get::<i64>("failures")?).map_err(Error::internal)?,
            paused_until: row.time_opt("paused_until")?,
        }))
    }

    /// Counts a failed sign-in, and pauses the account if `paused_until` is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_sign_in_failed(
        &mut self,
        user: UserId,
        paused_until: Option<Timestamp>,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE app_user SET failures = failures + 1, paused_until = coalesce($2, paused_until) \
             WHERE id = $1",
        )
        .bind(user.uuid())
        .bind(paused_until.map(Timestamp::to_offset))
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }

    /// Records a sign-in.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_signed_in(&mut self, user: UserId, now: Timestamp) -> Result<()> {
        sqlx::query(
            "UPDATE app_user SET failures = 0, paused_until = NULL, last_sign_in_at = $2 \
             WHERE id = $1",
        )
        .bind(user.uuid())
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }
}

async fn insert(connection: &mut PgConnection, new: &NewUser) -> Result<()> {
    let NewUser { id, tenant, tenant_kind, email, display_name, role, password_hash, now } = new;
    sqlx::query(
        "INSERT INTO app_user \
         (id, tenant_id, tenant_kind, email, display_name, role, password_hash, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.uuid())
    .bind(tenant.uuid())
    .bind(tenant_kind.as_str())
    .bind(email.as_str())
    .bind(display_name.as_str())
    .bind(role.as_str())
    .bind(password_hash)
    .bind(now.to_offset())
    .execute(connection)
    .await
    .map(drop)
    .map_err(database)
}

/// The result of a `count(*)`.
pub(crate) async fn count(connection: &mut PgConnection, query: &'static str) -> Result<u32> {
    let count: i64 = sqlx::query_scalar(query).fetch_one(connection).await.map_err(database)?;
    u32::try_from(count).map_err(Error::internal)
}

fn read(row: &PgRow) -> Result<User> {
    let row = Read(row);
    Ok(User {
        id: row.id("id")?,
        email: row.text("email")?,
        display_name: row.text("display_name")?,
        role: row.text("role")?,
        phase: row.text("phase")?,
        revision: row.number("revision")?,
        created_at: row.time("created_at")?,
        last_sign_in_at: row.time_opt("last_sign_in_at")?,
    })
}
