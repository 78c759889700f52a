//! A node's configuration, in the form that `hansa-node` reads.

use std::collections::BTreeMap;

use hansa_runtime::{EnrolmentConfig, Listens, NodeConfig};
use k8s_openapi::api::core::v1::ConfigMap;

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

pub(super) fn config_map(config: &KubeConfig, wish: &Wish) -> ConfigMap {
    let everywhere = |port: u16| format!("0.0.0.0:{port}");
    let authority = config.enrolment_authority.as_ref();
    let listens = Listens {
        p2p: everywhere(P2P_PORT),
        http: everywhere(HTTP_PORT),
        metrics: everywhere(METRICS_PORT),
    };
    let enrolment = EnrolmentConfig {
        url: wish.enrolment_url.clone(),
        ca: authority.map(|_| format!("{}/{AUTHORITY}", stateful_set::CONFIG_FOLDER)),
        tenant: wish.tenant,
        node: wish.node,
        token: format!("{}/{}", stateful_set::TOKEN_FOLDER, super::secret::TOKEN),
    };
    let file = NodeConfig::new(stateful_set::DATA_FOLDER, listens, enrolment);
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
