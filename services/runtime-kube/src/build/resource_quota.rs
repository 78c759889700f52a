//! What a consortium may use of a cluster: a bound against mistakes, far above what a ledger needs.

use std::collections::BTreeMap;

use hansa_core::ConsortiumId;
use k8s_openapi::{
    api::core::v1::{ResourceQuota, ResourceQuotaSpec},
    apimachinery::pkg::api::resource::Quantity,
};

use super::consortium_metadata;
use crate::config::KubeConfig;

/// Pods of a consortium: each ledger has 64 nodes at most, and a consortium few ledgers.
const PODS_MAX: &str = "256";
/// Services, two a node.
const SERVICES_MAX: &str = "512";

pub(super) fn resource_quota(config: &KubeConfig, consortium: ConsortiumId) -> ResourceQuota {
    let bounds = [
        ("pods", PODS_MAX),
        ("services", SERVICES_MAX),
        ("persistentvolumeclaims", PODS_MAX),
        ("secrets", PODS_MAX),
        ("configmaps", SERVICES_MAX),
    ];
    let hard = bounds.map(|(name, most)| (name.to_owned(), Quantity(most.to_owned())));
    ResourceQuota {
        metadata: consortium_metadata(config, consortium, "hansa"),
        spec: Some(ResourceQuotaSpec {
            hard: Some(BTreeMap::from(hard)),
            ..ResourceQuotaSpec::default()
        }),
        ..ResourceQuota::default()
    }
}
