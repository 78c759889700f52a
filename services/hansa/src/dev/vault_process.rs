//! The vault as a process of its own: its keys are in no other memory.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};
use hansa_clients::{HttpVault, Vault as _};
use hansa_telemetry::Shutdown;
use tokio::process::{Child, ChildStdin, Command};

/// Between two starts of a vault that ended.
const REST: Duration = Duration::from_secs(1);
/// How long the vault may take to answer for the first time.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// How the vault is started.
#[derive(Clone, Debug)]
pub(crate) struct VaultProcess {
    pub(crate) database: PathBuf,
    pub(crate) root_key: PathBuf,
    pub(crate) socket: PathBuf,
}

impl VaultProcess {
    /// Starts the vault and keeps it running; returns when it answers.
    pub(crate) async fn start(self, shutdown: Shutdown) -> Result<HttpVault> {
        let client = HttpVault::new(&self.socket)?;
        let first = self.spawn()?;
        let socket = self.socket.clone();
        tokio::spawn(self.keep(first, shutdown));
        let answers = async {
            while client.jwt_keys().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(START_TIME_MAX, answers)
            .await
            .context("the vault does not answer; its log is above")?;
        let mode = std::fs::metadata(&socket)?.permissions().mode() & 0o777;
        anyhow::ensure!(mode == 0o600, "the vault's socket has mode {mode:o}");
        Ok(client)
    }

    /// The process, and the end of the pipe that keeps it alive: `Child::wait` would close it.
    fn spawn(&self) -> Result<(Child, Option<ChildStdin>)> {
        let flag = |name: &str, path: &Path| [name.into(), path.as_os_str().to_owned()];
        let mut child = Command::new(std::env::current_exe()?)
            .arg("vault")
            .args(flag("--database", &self.database))
            .args(flag("--root-key", &self.root_key))
            .args(flag("--socket", &self.socket))
            .arg("--end-with-stdin")
            // Its end of the pipe closes when this process ends, however that ends.
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the vault")?;
        let lifeline = child.stdin.take();
        Ok((child, lifeline))
    }

    async fn keep(self, started: (Child, Option<ChildStdin>), shutdown: Shutdown) {
        let (mut child, mut _lifeline) = started;
        loop {
            tokio::select! {
                () = shutdown.begun() => return,
                ended = child.wait() => tracing::error!(?ended, "the vault ended; starting again"),
            }
            tokio::time::sleep(REST).await;
            match self.spawn() {
                Ok(started) => (child, _lifeline) = started,
                Err(error) => tracing::error!(%error, "the vault cannot be started"),
            }
        }
    }
}
