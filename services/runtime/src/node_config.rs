//! What a node is started with, wherever it runs.

use hansa_core::{NodeId, TenantId};
use serde::Serialize;

/// `node.toml`, in the form that `hansa-node` reads. A driver knows where things are for the node;
/// their names in its folder are the same everywhere.
#[derive(Clone, Debug, Serialize)]
pub struct NodeConfig {
    data: String,
    genesis: String,
    consensus_key: String,
    tls_key: String,
    tls_certificate: String,
    p2p: String,
    http: String,
    metrics: String,
    enrolment: EnrolmentConfig,
}

/// Where the node asks for its identity.
#[derive(Clone, Debug, Serialize)]
pub struct EnrolmentConfig {
    /// The control plane's address.
    pub url: String,
    /// File of the authorities that its certificate chains to; the public ones without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Its tenant.
    pub tenant: TenantId,
    /// The node.
    pub node: NodeId,
    /// File of the one-time token.
    pub token: String,
}

/// Where a node listens, `address:port` each.
#[derive(Clone, Debug)]
pub struct Listens {
    /// For peers.
    pub p2p: String,
    /// For clients.
    pub http: String,
    /// For whoever asks how it does.
    pub metrics: String,
}

impl NodeConfig {
    /// Of a node whose own folder is `folder`, without a `/` at its end.
    #[must_use]
    pub fn new(folder: &str, listens: Listens, enrolment: EnrolmentConfig) -> Self {
        let within = |name: &str| format!("{folder}/{name}");
        let Listens { p2p, http, metrics } = listens;
        Self {
            data: within("data"),
            genesis: within("genesis.json"),
            consensus_key: within("consensus.key"),
            tls_key: within("tls.key"),
            tls_certificate: within("tls.pem"),
            p2p,
            http,
            metrics,
            enrolment,
        }
    }
}
