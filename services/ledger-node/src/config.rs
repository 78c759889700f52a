//! `node.toml`: where a node's things are and where it listens.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// A node's configuration. Secrets are files, never values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The node's folder: blocks, votes, state.
    pub data: PathBuf,
    /// The ledger's genesis, JSON.
    pub genesis: PathBuf,
    /// The consensus key, mode 0600.
    pub consensus_key: PathBuf,
    /// The TLS key, PEM, mode 0600.
    pub tls_key: PathBuf,
    /// The TLS certificate, PEM, of the ledger's CA.
    pub tls_certificate: PathBuf,
    /// Where peers connect.
    pub p2p: SocketAddr,
    /// Where clients connect, HTTPS.
    pub http: SocketAddr,
}

impl NodeConfig {
    /// Reads a configuration; unknown keys are errors.
    ///
    /// # Errors
    /// When the file cannot be read or is not a configuration.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading the configuration {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is no configuration", path.display()))
    }
}
