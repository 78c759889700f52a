//! One namespace for each consortium; its pods may do nothing that a node does not need.

use std::collections::BTreeMap;

use hansa_core::ConsortiumId;
use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::common_labels;
use crate::{config::KubeConfig, names};

pub(super) fn namespace(config: &KubeConfig, consortium: ConsortiumId) -> Namespace {
    restricted(names::namespace(consortium), common_labels(config, consortium))
}

/// A namespace whose pods are held to the standard `restricted`.
/// (kubernetes.io/docs/concepts/security/pod-security-standards)
pub(super) fn restricted(name: String, mut labels: BTreeMap<String, String>) -> Namespace {
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned());
    }
    Namespace {
        metadata: ObjectMeta { name: Some(name), labels: Some(labels), ..ObjectMeta::default() },
        ..Namespace::default()
    }
}
