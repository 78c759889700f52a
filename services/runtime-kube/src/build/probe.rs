//! Two pods that try what the network lets through: one listens on two ports, of which policies leave
//! one open; the other calls both, and the address that nodes enrol with.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetSpec},
        core::v1::{
            ConfigMap, ConfigMapVolumeSource, Container, Namespace, PodSpec, PodTemplateSpec,
            ResourceRequirements, Volume, VolumeMount,
        },
        networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicySpec},
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};

use super::{
    namespace,
    network_policy::{self, allow_in, allow_out, port},
    quantity::{mebibytes, processors},
    security,
};
use crate::{config::KubeConfig, names};

/// The two pods' roles, and what their sets are called.
pub(crate) const LISTENER: &str = "listener";
pub(crate) const CALLER: &str = "caller";
/// Ports of the listener: one that policies leave open, one that they close.
const OPEN: u16 = 7_001;
const CLOSED: u16 = 7_002;
const AUTHORITY: &str = "authority";
const AUTHORITY_FILE: &str = "authority.pem";
const AUTHORITY_FOLDER: &str = "/etc/hansa";
/// Where a container leaves its last word, unless its pod says otherwise.
const LAST_WORD: &str = "/dev/termination-log";

/// What is made before there is somebody to call. The namespace alone is labelled as ours: it goes with
/// everything in it.
#[derive(Debug)]
pub(crate) struct ProbeObjects {
    pub(crate) namespace: Namespace,
    pub(crate) network_policies: [NetworkPolicy; 3],
    pub(crate) authority: Option<ConfigMap>,
    pub(crate) listener: StatefulSet,
}

/// Everything but who calls.
pub(crate) fn probe(config: &KubeConfig, url: &str, within: &str) -> ProbeObjects {
    let labels = BTreeMap::from([
        (names::MANAGED_BY.to_owned(), names::MANAGER.to_owned()),
        (names::INSTALLATION.to_owned(), config.installation.clone()),
        (names::PROBE.to_owned(), "network".to_owned()),
    ]);
    let authority = config.enrolment_authority.as_ref().map(|authority| ConfigMap {
        metadata: metadata(within, AUTHORITY),
        data: Some(BTreeMap::from([(AUTHORITY_FILE.to_owned(), authority.clone())])),
        ..ConfigMap::default()
    });
    let ports = [OPEN, CLOSED].map(|port| port.to_string());
    let arguments = ["probe", "listen"].map(str::to_owned).into_iter().chain(ports);
    ProbeObjects {
        namespace: namespace::restricted(within.to_owned(), labels),
        network_policies: [
            network_policy::default_deny(metadata(within, network_policy::DEFAULT_DENY)),
            listened(within),
            called(within, url),
        ],
        authority,
        listener: stateful_set(config, within, LISTENER, arguments.collect(), false),
    }
}

/// Who calls a listener.
pub(crate) fn caller(
    config: &KubeConfig,
    url: &str,
    within: &str,
    listener: IpAddr,
) -> StatefulSet {
    let [open, closed] = [OPEN, CLOSED].map(|port| SocketAddr::new(listener, port).to_string());
    let mut arguments = ["probe", "call", &open, &closed].map(str::to_owned).to_vec();
    arguments.extend(["--enrolment", url, "--out", LAST_WORD].map(str::to_owned));
    let has_authority = config.enrolment_authority.is_some();
    if has_authority {
        arguments.push("--authority".to_owned());
        arguments.push(format!("{AUTHORITY_FOLDER}/{AUTHORITY_FILE}"));
    }
    stateful_set(config, within, CALLER, arguments, has_authority)
}

fn metadata(within: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(within.to_owned()),
        ..ObjectMeta::default()
    }
}

fn selector(role: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(BTreeMap::from([(names::PROBE.to_owned(), role.to_owned())])),
        ..LabelSelector::default()
    }
}

fn peer(role: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(selector(role)), ..NetworkPolicyPeer::default() }
}

/// To the listener: one of its ports.
fn listened(within: &str) -> NetworkPolicy {
    NetworkPolicy {
        metadata: metadata(within, LISTENER),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selector(LISTENER)),
            policy_types: Some(network_policy::BOTH.map(str::to_owned).to_vec()),
            ingress: Some(vec![allow_in(vec![peer(CALLER)], OPEN)]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// From the caller: both ports of the listener, and what a node needs to enrol.
fn called(within: &str, url: &str) -> NetworkPolicy {
    let ports = [OPEN, CLOSED].map(|number| port("TCP", number)).to_vec();
    let mut egress = vec![network_policy::name_service(), allow_out(vec![peer(LISTENER)], ports)];
    egress.extend(network_policy::enrolment(url));
    NetworkPolicy {
        metadata: metadata(within, CALLER),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selector(CALLER)),
            policy_types: Some(network_policy::BOTH.map(str::to_owned).to_vec()),
            egress: Some(egress),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// A pod of the nodes' image. As a set, because sets are what this driver may make.
fn stateful_set(
    config: &KubeConfig,
    within: &str,
    role: &str,
    arguments: Vec<String>,
    has_authority: bool,
) -> StatefulSet {
    let labels = selector(role).match_labels;
    let resources =
        BTreeMap::from([("cpu".to_owned(), processors(100)), ("memory".to_owned(), mebibytes(64))]);
    let container = Container {
        name: role.to_owned(),
        image: Some(config.settings.image.as_str().to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(arguments),
        resources: Some(ResourceRequirements {
            requests: Some(resources.clone()),
            limits: Some(resources),
            ..ResourceRequirements::default()
        }),
        security_context: Some(security::of_container()),
        volume_mounts: has_authority.then(|| {
            vec![VolumeMount {
                name: AUTHORITY.to_owned(),
                mount_path: AUTHORITY_FOLDER.to_owned(),
                read_only: Some(true),
                ..VolumeMount::default()
            }]
        }),
        ..Container::default()
    };
    let authority = Volume {
        name: AUTHORITY.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: AUTHORITY.to_owned(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    StatefulSet {
        metadata: metadata(within, role),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(role.to_owned()),
            selector: selector(role),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels, ..ObjectMeta::default() }),
                spec: Some(PodSpec {
                    automount_service_account_token: Some(false),
                    enable_service_links: Some(false),
                    security_context: Some(security::of_pod()),
                    termination_grace_period_seconds: Some(1),
                    containers: vec![container],
                    volumes: has_authority.then(|| vec![authority]),
                    ..PodSpec::default()
                }),
            },
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}
