//! A node's volume.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use super::{node_labels, quantity::gibibytes};
use crate::{config::KubeConfig, names, wish::Wish};

/// How much is asked for.
pub(crate) fn size(wish: &Wish) -> Quantity {
    gibibytes(wish.size.volume_gib)
}

/// The template that the StatefulSet makes the claim from.
pub(super) fn template(config: &KubeConfig, wish: &Wish) -> PersistentVolumeClaim {
    let requests = BTreeMap::from([("storage".to_owned(), size(wish))]);
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::DATA.to_owned()),
            labels: Some(node_labels(config, wish)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: config.settings.storage_class.clone().map(String::from),
            resources: Some(VolumeResourceRequirements {
                requests: Some(requests),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}
