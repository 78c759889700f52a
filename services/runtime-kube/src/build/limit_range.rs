//! What a container of a consortium gets if it does not say, and may have at most.

use std::collections::BTreeMap;

use hansa_core::ConsortiumId;
use k8s_openapi::{
    api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec},
    apimachinery::pkg::api::resource::Quantity,
};

use super::consortium_metadata;
use crate::config::KubeConfig;

pub(super) fn limit_range(config: &KubeConfig, consortium: ConsortiumId) -> LimitRange {
    let amounts = |amounts: &[(&str, &str)]| {
        let named = amounts.iter().map(|(k, v)| ((*k).to_owned(), Quantity((*v).to_owned())));
        Some(named.collect::<BTreeMap<_, _>>())
    };
    LimitRange {
        metadata: consortium_metadata(config, consortium, "hansa"),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                // No processors: nodes ask for theirs, and may use what nobody else needs.
                default: amounts(&[("memory", "1Gi")]),
                default_request: amounts(&[("cpu", "100m"), ("memory", "128Mi")]),
                max: amounts(&[("memory", "512Gi")]),
                ..LimitRangeItem::default()
            }],
        }),
    }
}
