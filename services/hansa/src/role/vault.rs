//! `hansa vault`.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use clap::Args;
use hansa_core::SystemClock;
use hansa_telemetry::Shutdown;
use hansa_vault::{RootKey, VaultConfig};
use tokio::io::AsyncReadExt as _;

/// Hold the control plane's private keys and sign with them.
#[derive(Debug, Args)]
pub(crate) struct Vault {
    /// File (mode 0600) with the address of the database, for a member of the role `hansa_vault`.
    #[arg(long, value_name = "FILE")]
    database: PathBuf,
    /// File (mode 0600) of the root key; made when it is missing. Keep a copy in a safe place: what
    /// it has sealed opens with nothing else.
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// Unix socket to answer on, in a folder that only the control plane's user can enter.
    #[arg(long, value_name = "FILE")]
    socket: PathBuf,
    /// End when the standard input does: for a parent that may be killed.
    #[arg(long)]
    end_with_stdin: bool,
}

impl Vault {
    pub(crate) async fn run(self) -> Result<()> {
        let vault = Arc::new(hansa_vault::Vault::new(VaultConfig {
            database: super::database(&self.database)?,
            root: RootKey::read_or_create(&self.root_key)?,
            clock: Arc::new(SystemClock),
        }));
        let (ender, shutdown) = Shutdown::new();
        let watched = self.end_with_stdin;
        tokio::spawn(async move {
            tokio::select! {
                _ = hansa_telemetry::terminated() => {}
                () = stdin_ended(), if watched => {}
            }
            ender.end();
        });
        let begun = async move { shutdown.begun().await };
        hansa_vault::serve(vault, &self.socket, begun)
            .await
            .with_context(|| format!("answering on {}", self.socket.display()))
    }
}

async fn stdin_ended() {
    let mut byte = [0];
    // An error is an end too.
    while tokio::io::stdin().read(&mut byte).await.is_ok_and(|count| count > 0) {}
}
