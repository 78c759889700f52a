//! What the tests of this driver share, whatever the cluster is.

use hansa_runtime::{Workload, WorkloadState};
use hansa_types::{ClusterSettings, Expose, ImageDigest, Spread};

/// The settings of a cluster of which only the nodes' image is said.
///
/// # Panics
/// When `image` is none by digest.
#[must_use]
pub fn settings(image: &str) -> ClusterSettings {
    ClusterSettings {
        image: ImageDigest::try_from(image.to_owned()).expect("an image by digest"),
        storage_class: None,
        spread: Spread::Preferred,
        expose: Expose::ClusterIp,
        expose_peers: false,
        clients: Vec::new(),
        peers: Vec::new(),
        watchers: Vec::new(),
    }
}

/// Whether a workload runs in the wished generation.
#[must_use]
pub fn runs(workload: &Workload) -> bool {
    workload.state == WorkloadState::Running
}

/// Namespace and name of a workload's objects.
///
/// # Panics
/// When its volume is not called as this driver calls them.
#[must_use]
pub fn object(workload: &Workload) -> (String, String) {
    let (namespace, claim) = workload.placement.volume.split_once('/').expect("namespace/claim");
    let name = claim.strip_prefix("data-").and_then(|n| n.strip_suffix("-0")).expect("data-…-0");
    (namespace.to_owned(), name.to_owned())
}
