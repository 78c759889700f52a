//! A node: a StatefulSet of one, which the platform restarts and nobody else.

use std::collections::BTreeMap;

use hansa_types::Spread;
use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy},
        core::v1::{
            Affinity, ConfigMapVolumeSource, Container, ContainerPort, HTTPGetAction,
            PodAffinityTerm, PodAntiAffinity, PodSpec, PodTemplateSpec, Probe,
            ResourceRequirements, SecretVolumeSource, Volume, VolumeMount, WeightedPodAffinityTerm,
        },
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};

use super::{
    claim,
    config_map::{CONFIG, HTTP_PORT, METRICS_PORT, P2P_PORT},
    node_labels, node_metadata,
    quantity::{mebibytes, processors},
    security,
};
use crate::{config::KubeConfig, names, wish::Wish};

/// Where things are in the container.
pub(super) const DATA_FOLDER: &str = "/var/lib/hansa";
pub(super) const CONFIG_FOLDER: &str = "/etc/hansa";
pub(super) const TOKEN_FOLDER: &str = "/run/hansa/enrolment";
/// The container's name.
pub(crate) const CONTAINER: &str = "node";
/// How long a node may take to end: it finishes the blocks that are decided.
const END_GRACE_S: i64 = 30;

pub(super) fn stateful_set(config: &KubeConfig, wish: &Wish) -> StatefulSet {
    let mut metadata = node_metadata(config, wish, wish.object());
    let text = serde_json::to_string(wish).expect("a wish can be written");
    metadata.annotations = Some(BTreeMap::from([(names::WISH.to_owned(), text)]));
    StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::from(wish.run)),
            service_name: Some(wish.object()),
            selector: LabelSelector {
                match_labels: Some(wish.selector()),
                ..LabelSelector::default()
            },
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            template: template(config, wish),
            volume_claim_templates: Some(vec![claim::template(config, wish)]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn template(config: &KubeConfig, wish: &Wish) -> PodTemplateSpec {
    let generation = wish.generation.get().to_string();
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(node_labels(config, wish)),
            annotations: Some(BTreeMap::from([(names::GENERATION.to_owned(), generation)])),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            affinity: Some(apart(config.settings.spread, wish)),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(security::of_pod()),
            termination_grace_period_seconds: Some(END_GRACE_S),
            containers: vec![container(config, wish)],
            volumes: Some(volumes(wish)),
            ..PodSpec::default()
        }),
    }
}

/// Nodes of one ledger on one machine fail together.
fn apart(spread: Spread, wish: &Wish) -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(
                names::LEDGER.to_owned(),
                wish.ledger.to_string(),
            )])),
            ..LabelSelector::default()
        }),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    let rule = match spread {
        Spread::Required => PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        },
        Spread::Preferred => PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm { weight: 100, pod_affinity_term: term },
            ]),
            ..PodAntiAffinity::default()
        },
    };
    Affinity { pod_anti_affinity: Some(rule), ..Affinity::default() }
}

fn container(config: &KubeConfig, wish: &Wish) -> Container {
    let port = |name: &str, port: u16| ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(port),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    Container {
        name: CONTAINER.to_owned(),
        image: Some(config.settings.image.as_str().to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(
            ["run", "--config"]
                .map(str::to_owned)
                .into_iter()
                .chain([format!("{CONFIG_FOLDER}/{CONFIG}")])
                .collect(),
        ),
        ports: Some(vec![
            port("p2p", P2P_PORT),
            port("https", HTTP_PORT),
            port("metrics", METRICS_PORT),
        ]),
        resources: Some(resources(wish)),
        // What it said last comes with its end.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        // Whoever waits for its members is alive; who stands still is not; who takes part is ready.
        liveness_probe: Some(probe("/livez", 10, 3)),
        readiness_probe: Some(probe("/readyz", 2, 3)),
        security_context: Some(security::of_container()),
        volume_mounts: Some(vec![
            mount(names::DATA, DATA_FOLDER, false),
            mount("config", CONFIG_FOLDER, true),
            mount("enrolment", TOKEN_FOLDER, true),
        ]),
        ..Container::default()
    }
}

/// Memory is what it is; a processor may be lent while nobody else needs it.
fn resources(wish: &Wish) -> ResourceRequirements {
    let memory = ("memory".to_owned(), mebibytes(wish.size.memory_mib));
    let cpu = ("cpu".to_owned(), processors(wish.size.cpu_millis));
    ResourceRequirements {
        requests: Some(BTreeMap::from([cpu, memory.clone()])),
        limits: Some(BTreeMap::from([memory])),
        ..ResourceRequirements::default()
    }
}

fn probe(path: &str, period_s: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("metrics".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_s),
        timeout_seconds: Some(2),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn volumes(wish: &Wish) -> Vec<Volume> {
    vec![
        Volume {
            name: "config".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: wish.object(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: "enrolment".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(wish.object()),
                default_mode: Some(0o440),
                // A node that has enrolled needs no token.
                optional: Some(true),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        },
    ]
}
