//! Tenants.

use hansa_core::{
    Error, Kind, Name, Page, PageRequest, Position, Result, Revision, TenantId, Timestamp,
};
use hansa_types::{DisplayName, Tenant, TenantKind};
use sqlx::postgres::PgRow;

use crate::{
    error::database,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: Name,
    /// Its title.
    pub display_name: DisplayName,
    /// Customer or platform.
    pub kind: TenantKind,
    /// When.
    pub now: Timestamp,
}

impl TenantTx {
    /// The own tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant_own(&mut self) -> Result<Option<Tenant>> {
        let row = sqlx::query("SELECT * FROM tenant WHERE id = hansa_tenant()")
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read).transpose()
    }

    /// How many consortiums that are not gone the own tenant owns or has a seat in.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant_seat_count(&mut self) -> Result<u32> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM consortium_access a JOIN consortium c ON c.id = a.consortium_id \
             WHERE a.tenant_id = hansa_tenant() AND a.relation IN ('owner', 'member') \
             AND c.phase <> 'deleted'",
        )
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        u32::try_from(count).map_err(Error::internal)
    }
}

impl SystemTx {
    /// Makes a tenant.
    ///
    /// # Errors
    /// [`hansa_core::Error::AlreadyExists`] when the name is taken.
    pub async fn tenant_insert(&mut self, new: &NewTenant) -> Result<()> {
        let NewTenant { id, name, display_name, kind, now } = new;
        sqlx::query(
            "INSERT INTO tenant (id, name, display_name, kind, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id.uuid())
        .bind(name.as_str())
        .bind(display_name.as_str())
        .bind(kind.as_str())
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }

    /// A tenant by id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant_get(&mut self, id: TenantId) -> Result<Option<Tenant>> {
        let row = sqlx::query("SELECT * FROM tenant WHERE id = $1 AND phase <> 'deleted'")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read).transpose()
    }

    /// A tenant, locked: nobody takes a seat for it until this transaction ends, because a seat
    /// refers to its row.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn tenant_lock(&mut self, id: TenantId) -> Result<Tenant> {
        let row =
            sqlx::query("SELECT * FROM tenant WHERE id = $1 AND phase <> 'deleted' FOR UPDATE")
                .bind(id.uuid())
                .fetch_optional(self.connection())
                .await
                .map_err(database)?;
        row.as_ref().map(read).transpose()?.ok_or(Error::NotFound(Kind::Tenant))
    }

    /// Ends a tenant that still has the expected revision: none of its credentials works any more.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub async fn tenant_end(&mut self, id: TenantId, expected: Revision) -> Result<()> {
        let ended = sqlx::query(
            "UPDATE tenant SET phase = 'deleted', revision = revision + 1 \
             WHERE id = $1 AND revision = $2 AND phase <> 'deleted'",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .execute(self.connection())
        .await
        .map_err(database)?;
        if ended.rows_affected() == 1 { Ok(()) } else { Err(Error::Stale) }
    }

    /// A tenant by its exact name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant_by_name(&mut self, name: &Name) -> Result<Option<Tenant>> {
        let row = sqlx::query("SELECT * FROM tenant WHERE name = $1 AND phase <> 'deleted'")
            .bind(name.as_str())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read).transpose()
    }

    /// All tenants, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant_list(&mut self, page: PageRequest) -> Result<Page<Tenant>> {
        let rows = sqlx::query(
            "SELECT * FROM tenant WHERE phase <> 'deleted' AND ($1::uuid IS NULL OR id < $1) \
             ORDER BY id DESC LIMIT $2",
        )
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let tenants = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(tenants, page.size, |t: &Tenant| Position::after_id(t.id.uuid())))
    }
}

fn read(row: &PgRow) -> Result<Tenant> {
    let row = Read(row);
    Ok(Tenant {
        id: row.id("id")?,
        name: row.name("name")?,
        display_name: row.text("display_name")?,
        kind: row.text("kind")?,
        phase: row.text("phase")?,
        revision: row.number("revision")?,
        created_at: row.time("created_at")?,
    })
}
