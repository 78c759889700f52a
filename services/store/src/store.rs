//! The pools, and how a transaction begins.

use std::time::Duration;

use hansa_authz::{SystemScope, TenantScope};
use hansa_core::{Result, limits};
use sqlx::{
    PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    error::database,
    tx::{SystemTx, TenantTx},
};

/// How to reach the database in two roles.
#[derive(Clone, Debug)]
pub struct Pools {
    /// As a member of `hansa_api`: one tenant's rows at a time.
    pub tenant: PgConnectOptions,
    /// For what crosses tenants: a member of `hansa_identity` in the API, of `hansa_controller` in
    /// the controller. The role bounds what a [`SystemTx`] can do.
    pub system: PgConnectOptions,
}

/// How one pool is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// `tenant` or `system`.
    pub name: &'static str,
    /// Connections, used or not.
    pub open: u32,
    /// Connections that nobody uses.
    pub idle: u32,
}

/// The control plane's database.
#[derive(Clone, Debug)]
pub struct Store {
    tenant: PgPool,
    system: PgPool,
}

impl Store {
    /// Prepares the pools; connections are made when they are needed, so a database that is not
    /// there yet is no reason not to start.
    #[must_use]
    pub fn new(pools: Pools) -> Self {
        let Pools { tenant, system } = pools;
        Self { tenant: pool(tenant, "tenant"), system: pool(system, "system") }
    }

    /// Begins a transaction that sees the rows of `scope`'s tenant.
    ///
    /// # Errors
    /// [`hansa_core::Error::Unavailable`] when no connection can be had in time.
    pub async fn tenant_tx(&self, scope: TenantScope) -> Result<TenantTx> {
        let mut tx = self.tenant.begin().await.map_err(database)?;
        set_tenant(&mut tx, scope).await?;
        Ok(TenantTx::new(tx, scope))
    }

    /// Begins a transaction that sees across tenants, as far as the role behind it may.
    ///
    /// # Errors
    /// [`hansa_core::Error::Unavailable`] when no connection can be had in time.
    pub async fn system_tx(&self, scope: SystemScope) -> Result<SystemTx> {
        let tx = self.system.begin().await.map_err(database)?;
        Ok(SystemTx::new(tx, scope))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`hansa_core::Error::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.tenant).await.map(drop).map_err(database)
    }

    /// How the pools are used now, each with its name.
    #[must_use]
    pub fn pools(&self) -> [PoolUse; 2] {
        let used = |name, pool: &PgPool| PoolUse {
            name,
            open: pool.size(),
            idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
        };
        [used("tenant", &self.tenant), used("system", &self.system)]
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.tenant.close().await;
        self.system.close().await;
    }

    pub(crate) const fn listener_pool(&self) -> &PgPool {
        &self.tenant
    }
}

/// The settings are local to the transaction: they end with it, also when it is dropped half way.
async fn set_tenant(tx: &mut Transaction<'static, Postgres>, scope: TenantScope) -> Result<()> {
    sqlx::query(
        "SELECT set_config('hansa.tenant_id', $1, true), set_config('hansa.actor', $2, true)",
    )
    .bind(scope.tenant().to_string())
    .bind(scope.actor().to_string())
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(database)
}

fn pool(options: PgConnectOptions, name: &str) -> PgPool {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let options = options.application_name(&format!("hansa-{name}")).options([
        ("statement_timeout", milliseconds(limits::DATABASE_STATEMENT_TIME_MAX)),
        ("lock_timeout", milliseconds(limits::DATABASE_LOCK_TIME_MAX)),
        (
            "idle_in_transaction_session_timeout",
            milliseconds(limits::DATABASE_IDLE_TRANSACTION_TIME_MAX),
        ),
    ]);
    PgPoolOptions::new()
        .max_connections(limits::DATABASE_CONNECTIONS_MAX)
        .acquire_timeout(limits::DATABASE_ACQUIRE_TIME_MAX)
        .after_release(|connection, _| Box::pin(forgets_its_tenant(connection)))
        .connect_lazy_with(options)
}

/// Whether a connection that comes back belongs to nobody. One that does not would show a tenant's
/// rows to the next borrower, so it is closed. Checked in debug builds: tests would notice, and in
/// production nothing sets a tenant outside of a transaction.
async fn forgets_its_tenant(connection: &mut sqlx::PgConnection) -> sqlx::Result<bool> {
    if !cfg!(debug_assertions) {
        return Ok(true);
    }
    let tenant: Option<String> =
        sqlx::query_scalar("SELECT nullif(current_setting('hansa.tenant_id', true), '')")
            .fetch_one(connection)
            .await?;
    if let Some(tenant) = tenant {
        tracing::error!(tenant.id = tenant, "a connection came back with its tenant still set");
        return Ok(false);
    }
    Ok(true)
}
