//! The control plane's roles, each a library crate behind a subcommand.

mod api;
mod config;
mod controller;
mod migrate;
mod platform;
mod vault;

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, str::FromStr as _};

use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;
use hansa_core::Secret;
use sqlx::postgres::PgConnectOptions;

/// The roles.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Bring the database to the schema of this release.
    Migrate(migrate::Migrate),
    /// Make the tenant that runs the installation, its operator and its first API key. Once.
    Platform(platform::Platform),
    /// Hold the control plane's private keys and sign with them.
    Vault(vault::Vault),
    /// Answer the API, with the console beside it.
    Api(api::Api),
    /// Make nodes, ledgers and operations as they should be.
    Controller(controller::Controller),
    /// Look at configuration files.
    Config(config::Config),
}

impl Role {
    /// Runs a role until it is done or told to end.
    pub(crate) async fn run(self) -> Result<()> {
        hansa_telemetry::init();
        match self {
            Self::Migrate(role) => role.run().await,
            Self::Platform(role) => role.run().await,
            Self::Vault(role) => role.run().await,
            Self::Api(role) => role.run().await,
            Self::Controller(role) => role.run().await,
            Self::Config(role) => role.run(),
        }
    }
}

/// A connection from a file that holds a `postgres://` address. It has a password in it, so others
/// must not be able to read the file, and it is never an argument.
fn database(path: &Path) -> Result<PgConnectOptions> {
    let url = private_text(path)?;
    PgConnectOptions::from_str(url.trim())
        .ok()
        .with_context(|| format!("{} holds no postgres:// address", path.display()))
}

/// The text of a file that others cannot read.
fn private_text(path: &Path) -> Result<String> {
    let mode = fs::metadata(path).with_context(|| path.display().to_string())?.mode() & 0o777;
    ensure!(Secret::may_lie_in(mode), "{0} has mode {mode:03o}: chmod 600 {0}", path.display());
    fs::read_to_string(path).with_context(|| path.display().to_string())
}
