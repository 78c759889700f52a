//! The control plane's roles, each a library crate behind a subcommand.

mod migrate;
mod vault;

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, str::FromStr as _};

use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;
use sqlx::postgres::PgConnectOptions;

/// The roles.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Bring the database to the schema of this release.
    Migrate(migrate::Migrate),
    /// Hold the control plane's private keys and sign with them.
    Vault(vault::Vault),
}

impl Role {
    /// Runs a role until it is done or told to end.
    pub(crate) async fn run(self) -> Result<()> {
        hansa_telemetry::init();
        match self {
            Self::Migrate(role) => role.run().await,
            Self::Vault(role) => role.run().await,
        }
    }
}

/// A connection from a file that holds a `postgres://` address. It has a password in it, so others
/// must not be able to read the file, and it is never an argument.
fn database(path: &Path) -> Result<PgConnectOptions> {
    let mode = fs::metadata(path).with_context(|| path.display().to_string())?.mode() & 0o777;
    ensure!(mode & 0o077 == 0, "{0} has mode {mode:03o}: chmod 600 {0}", path.display());
    let url = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    PgConnectOptions::from_str(url.trim())
        .ok()
        .with_context(|| format!("{} holds no postgres:// address", path.display()))
}
