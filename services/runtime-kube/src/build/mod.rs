//! What a node is made of in a cluster: pure functions from a wish to objects.

mod budget;
mod claim;
mod client_service;
mod config_map;
mod limit_range;
mod namespace;
mod network_policy;
mod probe;
mod quantity;
mod resource_quota;
mod secret;
mod security;
mod service;
mod stateful_set;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use hansa_core::{ConsortiumId, Secret};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{
            ConfigMap, LimitRange, Namespace, ResourceQuota, Secret as KubeSecret, Service,
        },
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

pub(crate) use budget::budget;
pub(crate) use claim::size as volume_size;
pub(crate) use config_map::{HTTP_PORT, METRICS_PORT, P2P_PORT};
pub(crate) use probe::{CALLER, LISTENER, ProbeObjects, caller, probe};
pub(crate) use quantity::is_less;
pub(crate) use stateful_set::CONTAINER;

use crate::{
    config::KubeConfig,
    names,
    wish::{NODE_APP, Wish},
};

/// Everything that one node needs. Whoever writes or removes them takes this apart field by field,
/// so that a new kind of object is forgotten nowhere.
#[derive(Debug)]
pub(crate) struct NodeObjects {
    /// The enrolment token; only when there is a new one.
    pub(crate) secret: Option<KubeSecret>,
    pub(crate) config_map: ConfigMap,
    /// How peers find the pod, ready or not.
    pub(crate) service: Service,
    pub(crate) client_service: Service,
    pub(crate) stateful_set: StatefulSet,
}

/// What the nodes of one ledger share.
#[derive(Debug)]
pub(crate) struct LedgerObjects {
    pub(crate) network_policy: NetworkPolicy,
}

/// What a consortium's namespace has.
#[derive(Debug)]
pub(crate) struct ConsortiumObjects {
    pub(crate) namespace: Namespace,
    pub(crate) resource_quota: ResourceQuota,
    pub(crate) limit_range: LimitRange,
    pub(crate) default_deny: NetworkPolicy,
}

/// A node's objects.
pub(crate) fn node(config: &KubeConfig, wish: &Wish, token: Option<&Secret>) -> NodeObjects {
    NodeObjects {
        secret: token.map(|token| secret::secret(config, wish, token)),
        config_map: config_map::config_map(config, wish),
        service: service::service(config, wish),
        client_service: client_service::client_service(config, wish),
        stateful_set: stateful_set::stateful_set(config, wish),
    }
}

/// The objects of a wish's ledger.
pub(crate) fn ledger(config: &KubeConfig, wish: &Wish) -> LedgerObjects {
    LedgerObjects { network_policy: network_policy::ledger(config, wish) }
}

/// The objects of a consortium.
pub(crate) fn consortium(config: &KubeConfig, consortium: ConsortiumId) -> ConsortiumObjects {
    ConsortiumObjects {
        namespace: namespace::namespace(config, consortium),
        resource_quota: resource_quota::resource_quota(config, consortium),
        limit_range: limit_range::limit_range(config, consortium),
        default_deny: network_policy::default_deny(consortium_metadata(
            config,
            consortium,
            network_policy::DEFAULT_DENY,
        )),
    }
}

/// The labels of everything of an installation.
fn common_labels(config: &KubeConfig, consortium: ConsortiumId) -> BTreeMap<String, String> {
    BTreeMap::from([
        (names::MANAGED_BY.to_owned(), names::MANAGER.to_owned()),
        (names::PART_OF.to_owned(), names::MANAGER.to_owned()),
        (names::INSTALLATION.to_owned(), config.installation.clone()),
        (names::CONSORTIUM.to_owned(), consortium.to_string()),
    ])
}

/// The labels of a node's objects.
fn node_labels(config: &KubeConfig, wish: &Wish) -> BTreeMap<String, String> {
    let mut labels = common_labels(config, wish.consortium);
    labels.extend([
        (names::NAME.to_owned(), NODE_APP.to_owned()),
        (names::LEDGER.to_owned(), wish.ledger.to_string()),
        (names::NODE.to_owned(), wish.node.to_string()),
        (names::TENANT.to_owned(), wish.tenant.to_string()),
    ]);
    labels
}

fn node_metadata(config: &KubeConfig, wish: &Wish, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(wish.namespace()),
        labels: Some(node_labels(config, wish)),
        ..ObjectMeta::default()
    }
}

fn consortium_metadata(config: &KubeConfig, consortium: ConsortiumId, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(names::namespace(consortium)),
        labels: Some(common_labels(config, consortium)),
        ..ObjectMeta::default()
    }
}
