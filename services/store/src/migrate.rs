//! Brings a database to the schema of this release.

use sqlx::{Connection, PgConnection, migrate::Migrator, postgres::PgConnectOptions};

/// Makes the group roles; a privileged role runs it once for a cluster.
pub const ROLES_SQL: &str = include_str!("../../../migrations/bootstrap/roles.sql");

/// The role that owns the schema.
pub const OWNER_ROLE: &str = "hansa_owner";

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Why a database could not be migrated.
#[derive(Debug)]
pub enum MigrateError {
    /// It cannot be reached, or the login is no member of the owner's role.
    Connect(sqlx::Error),
    /// A migration failed, or the database has one that this release does not know.
    Migrate(sqlx::migrate::MigrateError),
}

impl std::fmt::Display for MigrateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connect(_) => write!(f, "cannot connect as a member of {OWNER_ROLE}"),
            Self::Migrate(_) => f.write_str("cannot migrate the database"),
        }
    }
}

impl std::error::Error for MigrateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(source) => Some(source),
            Self::Migrate(source) => Some(source),
        }
    }
}

/// Applies the migrations that are missing, as the owner's role. Two processes may do so at the
/// same time: one waits for the other.
///
/// # Errors
/// When the database cannot be reached or a migration fails; each migration is one transaction.
pub async fn migrate(login: PgConnectOptions) -> Result<(), MigrateError> {
    let options = login.application_name("hansa-migrate").options([("role", OWNER_ROLE)]);
    let mut connection =
        PgConnection::connect_with(&options).await.map_err(MigrateError::Connect)?;
    MIGRATIONS.run(&mut connection).await.map_err(MigrateError::Migrate)?;
    connection.close().await.map_err(MigrateError::Connect)
}
