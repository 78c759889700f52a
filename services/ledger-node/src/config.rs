//! `node.toml`: where a node's things are and where it listens.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    /// Where metrics are served, plain HTTP; nowhere without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Where to get an identity and a genesis, when there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<EnrolmentConfig>,
}

/// Where a node enrols.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentConfig {
    /// The control plane: `https://…`, or `http://…` on this machine only.
    pub url: String,
    /// Authorities that the control plane's certificate may chain to, PEM; the system's without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The tenant that the node belongs to.
    pub tenant: Uuid,
    /// The node.
    pub node: Uuid,
    /// The one-time token, mode 0600. It may come later and be replaced.
    pub token: PathBuf,
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
