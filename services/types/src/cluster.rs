//! Clusters: where nodes can run beside the controller's own machine.

use std::net::IpAddr;

use hansa_core::{ClusterId, Name, Revision, Secret, Timestamp, limits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{TextError, text, word_enum};

word_enum! {
    /// Whether a cluster can take nodes.
    ClusterPhase {
        /// Registered; it has not been asked yet.
        Pending = "pending",
        /// It answers.
        Ready = "ready",
        /// It does not; `report` says why. Its nodes go on without the control plane.
        Unreachable = "unreachable",
    }
}

word_enum! {
    /// How the control plane reaches a cluster.
    ClusterAccessKind {
        /// By a kubeconfig, which the vault keeps.
        Kubeconfig = "kubeconfig",
        /// By the service account of the controller's own pod.
        InCluster = "in_cluster",
    }
}

word_enum! {
    /// How nodes of one ledger are spread over machines.
    Spread {
        /// Never two on one machine: a node waits for a machine instead.
        Required = "required",
        /// Two on one machine only when there is no other.
        Preferred = "preferred",
    }
}

/// A kubeconfig, YAML. It is never returned.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(value_type = String, format = Password, max_length = 49_152)]
#[serde(try_from = "String")]
pub struct Kubeconfig(Secret);

impl Kubeconfig {
    /// The secret itself.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.0
    }
}

impl TryFrom<String> for Kubeconfig {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let secret = Secret::from(text);
        if (1..=limits::KUBECONFIG_BYTES_MAX).contains(&secret.expose().len()) {
            Ok(Self(secret))
        } else {
            Err(text::error("must have 1 to 49152 bytes"))
        }
    }
}

/// How a new cluster is reached.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClusterAccess {
    /// By a kubeconfig; its current context counts. It must hold its certificates and credentials
    /// itself: files and commands that it names are not on the controller's machine.
    Kubeconfig {
        /// The file's text.
        kubeconfig: Kubeconfig,
    },
    /// By the service account of the controller's own pod.
    InCluster {},
}

/// How clients outside the cluster reach nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Expose {
    /// By the addresses of the cluster's services: they have a route to them.
    #[default]
    ClusterIp,
    /// By ports of the cluster's machines.
    NodePort {
        /// The name or address that leads to a machine.
        host: Host,
    },
    /// By a load balancer for each node.
    LoadBalancer,
}

/// A DNS name or an IP address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, max_length = 253, example = "nodes.hansa.example")]
#[serde(try_from = "String", into = "String")]
pub struct Host(String);

impl Host {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Host {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let label = |label: &str| {
            let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_name = text.len() <= limits::HOST_LEN_MAX && text.split('.').all(label);
        if is_name || text.parse::<IpAddr>().is_ok() {
            Ok(Self(text))
        } else {
            Err(text::error("must be a DNS name or an IP address"))
        }
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.0
    }
}

/// A network, `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, example = "10.0.0.0/8")]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(String);

impl Cidr {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Cidr {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let parts = text.split_once('/').and_then(|(address, bits)| {
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            bits.parse::<u8>().ok().filter(|bits| *bits <= most)
        });
        match parts {
            Some(_) => Ok(Self(text)),
            None => Err(text::error("must be a network in CIDR notation, 10.0.0.0/8")),
        }
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.0
    }
}

/// An image by its digest, `registry/name@sha256:…`: tags move, digests do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(
    value_type = String, max_length = 512,
    pattern = "^[^@\\s]+@sha256:[0-9a-f]{64}$",
    example = "registry.example/hansa-node@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)]
#[serde(try_from = "String", into = "String")]
pub struct ImageDigest(String);

impl ImageDigest {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ImageDigest {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let hexadecimal = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let well_formed = text.split_once("@sha256:").is_some_and(|(name, digest)| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_graphic() && b != b'@')
                && digest.len() == 64
                && digest.bytes().all(hexadecimal)
        });
        if well_formed && text.len() <= limits::IMAGE_LEN_MAX {
            Ok(Self(text))
        } else {
            Err(text::error("must name an image by its digest, registry/name@sha256:…"))
        }
    }
}

impl From<ImageDigest> for String {
    fn from(image: ImageDigest) -> Self {
        image.0
    }
}

/// Where connections may come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A network.
    Network(Cidr),
    /// Pods of a namespace.
    Namespace(Name),
}

/// How nodes run in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterSettings {
    /// The nodes' image.
    pub image: ImageDigest,
    /// The storage class of volumes; the cluster's default without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<Host>,
    /// How nodes of one ledger are spread over machines.
    #[serde(default = "preferred")]
    pub spread: Spread,
    /// How clients outside the cluster reach nodes.
    #[serde(default)]
    pub expose: Expose,
    /// Whether peers in other places reach nodes as clients do, at the address of `expose`. Without it
    /// a ledger that has nodes here has them in no other place.
    #[serde(default)]
    pub expose_peers: bool,
    /// Who may reach nodes as clients, the control plane among them; nobody without an entry.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub clients: Vec<Source>,
    /// Networks of peers in other places.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub peers: Vec<Source>,
    /// Who reads metrics, and whoever asks whether nodes are alive from outside their machine.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub watchers: Vec<Source>,
}

const fn preferred() -> Spread {
    Spread::Preferred
}

/// A new cluster.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "frankfurt", "access": {"kind": "in_cluster"}, "settings": {"image": "registry.example/hansa-node@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}}))]
#[serde(deny_unknown_fields)]
pub struct ClusterCreate {
    /// Unique in the installation; a node's `runtime` names it. Not `process`.
    pub name: Name,
    /// How it is reached.
    pub access: ClusterAccess,
    /// How nodes run there.
    pub settings: ClusterSettings,
}

/// What is changed of a cluster; what is left out stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"access": {"kind": "in_cluster"}}))]
#[serde(deny_unknown_fields)]
pub struct ClusterUpdate {
    /// How it is reached from now on.
    #[serde(default)]
    pub access: Option<ClusterAccess>,
    /// How nodes run there. Pods take it up with their next start.
    #[serde(default)]
    pub settings: Option<ClusterSettings>,
}

/// A storage class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// Whether volumes that name none get it.
    pub default: bool,
    /// Whether its volumes can grow.
    pub expands: bool,
}

/// What was found in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterReport {
    /// Its release, `v1.34.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its storage classes.
    #[serde(default)]
    pub storage_classes: Vec<StorageClass>,
    /// Whether network policies are enforced; absent while it has not been measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy_enforced: Option<bool>,
    /// Groups of its API that nodes need and that it lacks.
    #[serde(default)]
    pub api_groups_missing: Vec<String>,
    /// Milliseconds that its clock is ahead of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
    /// Whether a pod reaches the address that nodes enrol with; absent while it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment_reachable: Option<bool>,
    /// Why pods do not reach what they need, or why that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_problem: Option<String>,
    /// Workloads of the control plane's kind that this installation does not know, `namespace/name`:
    /// they are left alone.
    #[serde(default)]
    pub strangers: Vec<String>,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A cluster that nodes can run in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Unique in the installation.
    pub name: Name,
    /// Whether it can take nodes.
    pub phase: ClusterPhase,
    /// How it is reached, without what is secret. Only operators of the platform see this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<ClusterAccessKind>,
    /// How nodes run there. Only operators of the platform see this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<ClusterSettings>,
    /// What was found in it. Only operators of the platform see this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ClusterReport>,
    /// When it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    /// Changes with each change by people.
    pub revision: Revision,
    /// When it was registered.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tag can be moved to another program between two starts of a node.
    #[test]
    fn an_image_is_named_by_its_digest() {
        let digest = "0".repeat(64);
        let read = |text: &str| ImageDigest::try_from(text.to_owned());
        assert!(read(&format!("registry.example:5000/hansa/node@sha256:{digest}")).is_ok());
        for bad in [
            "hansa-node:1.2.3".to_owned(),
            format!("@sha256:{digest}"),
            format!("a b@sha256:{digest}"),
            format!("a@sha256:{}", &digest[1..]),
            format!("a@sha256:{}", digest.replace('0', "A")),
        ] {
            assert!(read(&bad).is_err(), "{bad:?} was accepted");
        }
    }

    /// A policy with a network that is none would be refused by the cluster for every node.
    #[test]
    fn networks_and_hosts_are_checked_when_they_are_read() {
        let cidr = |text: &str| Cidr::try_from(text.to_owned());
        assert!(cidr("10.0.0.0/8").is_ok() && cidr("fd00::/8").is_ok());
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "fd00::/129", "10.0.0.0/-1"] {
            assert!(cidr(bad).is_err(), "{bad:?} was accepted");
        }
        let host = |text: &str| Host::try_from(text.to_owned());
        for good in ["a.example", "10.0.0.1", "fd00::1", "fast-ssd"] {
            assert!(host(good).is_ok(), "{good:?} was refused");
        }
        for bad in ["", "a..b", "-a", "a/b", "a b", "a:1"] {
            assert!(host(bad).is_err(), "{bad:?} was accepted");
        }
    }

    /// Credentials do not come back out of the form that they were sent in.
    #[test]
    fn a_kubeconfig_is_not_printed() {
        let text = r#"{"kind": "kubeconfig", "kubeconfig": "token: hunter2"}"#;
        let access: ClusterAccess = serde_json::from_str(text).unwrap();
        assert!(!format!("{access:?}").contains("hunter2"));
    }
}
