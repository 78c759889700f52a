//! One namespace for each consortium; its pods may do nothing that a node does not need.

use hansa_core::ConsortiumId;
use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::common_labels;
use crate::{config::KubeConfig, names};

pub(super) fn namespace(config: &KubeConfig, consortium: ConsortiumId) -> Namespace {
    let mut labels = common_labels(config, consortium);
    // Pod Security Admission: kubernetes.io/docs/concepts/security/pod-security-standards.
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned());
    }
    Namespace {
        metadata: ObjectMeta {
            name: Some(names::namespace(consortium)),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}
