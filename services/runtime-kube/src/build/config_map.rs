//! A node's configuration, in the form that `hansa-node` reads.

use std::collections::BTreeMap;

use hansa_core::{NodeId, TenantId};
use k8s_openapi::api::core::v1::ConfigMap;
use serde::Serialize;

use super::{node_metadata, stateful_set};
use crate::{config::KubeConfig, wish::Wish};

/// Where peers connect.
pub(crate) const P2P_PORT: u16 = 7_000;
/// Where clients connect.
pub(crate) const HTTP_PORT: u16 = 8_443;
/// Where the node says how it does.
pub(crate) const METRICS_PORT: u16 = 9_464;

/// Files of the configuration.
pub(super) const CONFIG: &str = "node.toml";
const AUTHORITY: &str = "authority.pem";

#[derive(Serialize)]
struct NodeConfig {
    data: String,
    genesis: String,
    consensus_key: String,
    tls_key: String,
    tls_certificate: String,
    p2p: String,
    http: String,
    metrics: String,
    enrolment: Enrolment,
}

#[derive(Serialize)]
struct Enrolment {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    tenant: TenantId,
    node: NodeId,
    token: String,
}

pub(super) fn config_map(config: &KubeConfig, wish: &Wish) -> ConfigMap {
    let on_volume = |name: &str| format!("{}/{name}", stateful_set::DATA_FOLDER);
    let everywhere = |port: u16| format!("0.0.0.0:{port}");
    let authority = config.enrolment_authority.as_ref();
    let file = NodeConfig {
        data: on_volume("data"),
        genesis: on_volume("genesis.json"),
        consensus_key: on_volume("consensus.key"),
        tls_key: on_volume("tls.key"),
        tls_certificate: on_volume("tls.pem"),
        p2p: everywhere(P2P_PORT),
        http: everywhere(HTTP_PORT),
        metrics: everywhere(METRICS_PORT),
        enrolment: Enrolment {
            url: wish.enrolment_url.clone(),
            ca: authority.map(|_| format!("{}/{AUTHORITY}", stateful_set::CONFIG_FOLDER)),
            tenant: wish.tenant,
            node: wish.node,
            token: format!("{}/{}", stateful_set::TOKEN_FOLDER, super::secret::TOKEN),
        },
    };
    let text = toml::to_string(&file).expect("a configuration of strings can be written");
    let mut data = BTreeMap::from([(CONFIG.to_owned(), text)]);
    if let Some(authority) = authority {
        data.insert(AUTHORITY.to_owned(), authority.clone());
    }
    ConfigMap {
        metadata: node_metadata(config, wish, wish.object()),
        data: Some(data),
        ..ConfigMap::default()
    }
}
