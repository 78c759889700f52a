//! A migrated database of its own for each test, for this crate and the ones above it.

use hansa_postgres::{Login, TestCluster, TestDatabase};

use crate::{
    migrate::{OWNER_ROLE, ROLES_SQL, migrate},
    store::{Pools, Store},
};

static CLUSTER: TestCluster = TestCluster::new();

/// Logs in as `hansa migrate` does.
pub const MIGRATE: Login = Login { role: "migrate_login", group: OWNER_ROLE };
/// Logs in as the API does for a tenant.
pub const API: Login = Login { role: "api_login", group: "hansa_api" };
/// Logs in as the API does before the tenant is known.
pub const IDENTITY: Login = Login { role: "identity_login", group: "hansa_identity" };
/// Logs in as the controller does.
pub const CONTROLLER: Login = Login { role: "controller_login", group: "hansa_controller" };
/// Logs in as the vault does.
pub const VAULT: Login = Login { role: "vault_login", group: "hansa_vault" };

/// A migrated database with nothing in it. The server starts with the first one and ends with the
/// test process.
///
/// # Panics
/// When PostgreSQL 15 is not installed or the migrations fail.
pub async fn database() -> TestDatabase {
    database_in(&CLUSTER).await
}

/// As [`database`], in a cluster of the test's own, which it may crash.
///
/// # Panics
/// As there.
pub async fn database_in(cluster: &'static TestCluster) -> TestDatabase {
    cluster
        .database(
            OWNER_ROLE,
            ROLES_SQL,
            &[MIGRATE, API, IDENTITY, CONTROLLER, VAULT],
            |template| async move {
                migrate(template.login(MIGRATE)).await.expect("the migrations apply");
            },
        )
        .await
}

/// The store as the API has it.
#[must_use]
pub fn api_store(database: &TestDatabase) -> Store {
    Store::new(Pools { tenant: database.login(API), system: database.login(IDENTITY) })
}

/// The store as the controller has it.
#[must_use]
pub fn controller_store(database: &TestDatabase) -> Store {
    Store::new(Pools { tenant: database.login(API), system: database.login(CONTROLLER) })
}
