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
    let amounts = |cpu: &str, memory: &str| {
        let amounts = [("cpu", cpu), ("memory", memory)];
        Some(BTreeMap::from(amounts.map(|(k, v)| (k.to_owned(), Quantity(v.to_owned())))))
    };
    LimitRange {
        metadata: consortium_metadata(config, consortium, "hansa"),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                default: amounts("1", "1Gi"),
                default_request: amounts("100m", "128Mi"),
                max: amounts("64", "512Gi"),
                ..LimitRangeItem::default()
            }],
        }),
    }
}
