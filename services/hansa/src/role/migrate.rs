//! `hansa migrate`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

/// Bring the database to the schema of this release. Running it again changes nothing.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// File (mode 0600) with the address of the database, `postgres://…`, for a member of the role
    /// `hansa_owner`. Make the roles first: `migrations/bootstrap/roles.sql`.
    #[arg(long, value_name = "FILE")]
    database: PathBuf,
}

impl Migrate {
    pub(crate) async fn run(self) -> Result<()> {
        hansa_store::migrate(super::database(&self.database)?).await.context("migrating")?;
        println!("the database has the schema of this release");
        Ok(())
    }
}
