//! Tenants.

use hansa_core::{Name, Page, PageRequest, Position, Result, TenantId, Timestamp};
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
        let row = sqlx::query("SELECT * FROM tenant WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read).transpose()
    }

    /// A tenant by its exact name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant_by_name(&mut self, name: &Name) -> Result<Option<Tenant>> {
        let row = sqlx::query("SELECT * FROM tenant WHERE name = $1")
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
            "SELECT * FROM tenant WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2",
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
