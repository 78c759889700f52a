//! The two kinds of transaction. Dropping one rolls it back.

use hansa_authz::{SystemScope, TenantScope};
use hansa_core::Result;
use sqlx::{PgConnection, Postgres, Transaction};

use crate::error::database;

/// A transaction that sees the rows of one tenant.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    scope: TenantScope,
}

/// A transaction that sees across tenants, as far as the database role behind it may.
#[derive(Debug)]
pub struct SystemTx {
    tx: Transaction<'static, Postgres>,
    scope: SystemScope,
}

impl TenantTx {
    pub(crate) const fn new(tx: Transaction<'static, Postgres>, scope: TenantScope) -> Self {
        Self { tx, scope }
    }

    /// Whose rows it sees.
    #[must_use]
    pub const fn scope(&self) -> &TenantScope {
        &self.scope
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// When the database does not confirm it; then it may or may not have happened.
    pub async fn commit(self) -> Result<()> {
        self.tx.commit().await.map_err(database)
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

impl SystemTx {
    pub(crate) const fn new(tx: Transaction<'static, Postgres>, scope: SystemScope) -> Self {
        Self { tx, scope }
    }

    /// On whose behalf.
    #[must_use]
    pub const fn scope(&self) -> &SystemScope {
        &self.scope
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// When the database does not confirm it; then it may or may not have happened.
    pub async fn commit(self) -> Result<()> {
        self.tx.commit().await.map_err(database)
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}
