//! How many nodes of a ledger must stay when machines are emptied.

use std::collections::BTreeMap;

use hansa_core::{ConsortiumId, LedgerId};
use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::consortium_metadata;
use crate::{config::KubeConfig, names};

/// An absolute number: with sets of one pod, a largest number of those that may be away would be
/// counted over the sets that have a pod now.
pub(crate) fn budget(
    config: &KubeConfig,
    consortium: ConsortiumId,
    ledger: LedgerId,
    stay: u16,
) -> PodDisruptionBudget {
    let mut metadata = consortium_metadata(config, consortium, &names::ledger(ledger));
    let label = (names::LEDGER.to_owned(), ledger.to_string());
    metadata.labels.get_or_insert_default().extend([label.clone()]);
    PodDisruptionBudget {
        metadata,
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(i32::from(stay))),
            selector: Some(LabelSelector {
                match_labels: Some(BTreeMap::from([label])),
                ..LabelSelector::default()
            }),
            // One that does not take part protects nobody, and must not hold up a machine.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
