//! From what is in the cluster to what a node does: no questions, no clock.

use hansa_core::Timestamp;
use hansa_runtime::{Fault, Instance, Placement, Trouble, Workload, WorkloadState};
use hansa_types::{ClusterSettings, Expose};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ContainerStatus, Event, PersistentVolumeClaim, Pod, PodSpec, Service},
};
use kube::{Resource, ResourceExt as _};

use crate::{
    build::{HTTP_PORT, METRICS_PORT, P2P_PORT, is_less, volume_size},
    names,
    wish::Wish,
};

/// How long a container must have run to be well again, seconds.
const WELL_AFTER_S: i64 = 60;
/// How old the last complaint about a container's life may be while it hangs, seconds: it is probed
/// every ten.
const HUNG_S: i64 = 30;
/// How long a pod may look for a machine and a volume before that is told as trouble, seconds.
const PLACING_S: i64 = 10;
/// How long something may take to be gone after it should be, before that is told, seconds.
const ENDING_S: i64 = 15;
/// Characters of evidence.
const DETAIL_MAX: usize = 2_000;

/// What is there of one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) stateful_set: &'a StatefulSet,
    pub(crate) pod: Option<&'a Pod>,
    pub(crate) claim: Option<&'a PersistentVolumeClaim>,
    pub(crate) client_service: Option<&'a Service>,
    /// About the set, the pod and the claim, oldest first.
    pub(crate) events: &'a [Event],
}

/// What a node does.
pub(crate) fn workload(
    settings: &ClusterSettings,
    wish: &Wish,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Workload {
    let container = seen.pod.and_then(container);
    let is_well = container.is_some_and(|container| runs_for(container, now) >= WELL_AFTER_S)
        && hung(seen.events, now).is_none();
    let restarts = container.map_or(0, |c| u32::try_from(c.restart_count).unwrap_or(0));
    Workload {
        node: wish.node,
        generation: wish.generation,
        state: state(wish, seen),
        placement: placement(settings, wish, seen),
        outdated: wish.run && seen.pod.is_some_and(|pod| is_of_older_image(pod, seen.stateful_set)),
        restarts: if is_well { 0 } else { restarts },
        trouble: trouble(wish, seen, is_well, now).map(|(fault, detail)| {
            let detail = detail.chars().take(DETAIL_MAX).collect();
            Trouble { fault, detail }
        }),
    }
}

/// Whether a pod is of an older wish and has not been told to go.
pub(crate) fn is_outdated(wish: &Wish, pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && pod_generation(pod) != Some(wish.generation.get())
}

/// Whether a pod was made from another image than the set makes pods from now.
fn is_of_older_image(pod: &Pod, set: &StatefulSet) -> bool {
    let image = |spec: &PodSpec| spec.containers.first().and_then(|node| node.image.clone());
    let next = set.spec.as_ref().and_then(|set| image(set.template.spec.as_ref()?));
    let own = pod.spec.as_ref().and_then(image);
    next.is_some() && next != own
}

fn pod_generation(pod: &Pod) -> Option<i64> {
    pod.annotations().get(names::GENERATION)?.parse().ok()
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

fn age_s(pod: &Pod, now: Timestamp) -> i64 {
    let made = pod.metadata.creation_timestamp.as_ref();
    made.map_or(0, |made| now.unix_micros() / 1_000_000 - made.0.as_second())
}

/// Whether a pod's container answers that it takes part.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    container(pod).is_some_and(|container| container.ready)
}

/// What was said of a container that does not answer, and has not been ended for it yet.
fn hung(events: &[Event], now: Timestamp) -> Option<&Event> {
    let is_recent = |event: &&Event| {
        let at = event.last_timestamp.as_ref().map_or(0, |at| at.0.as_second());
        now.unix_micros() / 1_000_000 - at <= HUNG_S
    };
    events.iter().rev().find(|event| is_liveness(event)).filter(is_recent)
}

fn is_liveness(event: &Event) -> bool {
    let message = event.message.as_deref().unwrap_or_default().to_lowercase();
    match event.reason.as_deref() {
        Some("Killing") => message.contains("liveness"),
        Some("Unhealthy") => message.starts_with("liveness"),
        _ => false,
    }
}

/// Seconds that a container has been running.
fn runs_for(container: &ContainerStatus, now: Timestamp) -> i64 {
    let running = container.state.as_ref().and_then(|state| state.running.as_ref());
    let since = running.and_then(|running| running.started_at.as_ref());
    since.map_or(0, |since| now.unix_micros() / 1_000_000 - since.0.as_second())
}

fn state(wish: &Wish, seen: &Seen<'_>) -> WorkloadState {
    if seen.stateful_set.metadata.deletion_timestamp.is_some() {
        return WorkloadState::Stopping;
    }
    let Some(pod) = seen.pod else {
        return if wish.run { WorkloadState::Starting } else { WorkloadState::Stopped };
    };
    if !wish.run {
        return WorkloadState::Stopping;
    }
    if pod.metadata.deletion_timestamp.is_some()
        || pod_generation(pod) != Some(wish.generation.get())
    {
        return WorkloadState::Starting;
    }
    let Some(state) = container(pod).and_then(|container| container.state.as_ref()) else {
        return WorkloadState::Starting;
    };
    if state.running.is_some() {
        WorkloadState::Running
    } else if state.terminated.is_some()
        || state.waiting.as_ref().is_some_and(|w| w.reason.as_deref() == Some("CrashLoopBackOff"))
    {
        WorkloadState::BackingOff
    } else {
        WorkloadState::Starting
    }
}

fn placement(settings: &ClusterSettings, wish: &Wish, seen: &Seen<'_>) -> Placement {
    let (namespace, object) = (wish.namespace(), wish.object());
    let host = format!("{object}.{namespace}.svc");
    let exposed =
        |port| seen.client_service.and_then(|service| address(&settings.expose, service, port));
    let p2p_address = if settings.expose_peers {
        exposed(P2P_PORT).unwrap_or_default()
    } else {
        format!("{host}:{P2P_PORT}")
    };
    Placement {
        p2p_address,
        http_address: exposed(HTTP_PORT)
            .map(|address| format!("https://{address}"))
            .unwrap_or_default(),
        metrics_address: format!("http://{host}:{METRICS_PORT}/metrics"),
        volume: format!("{namespace}/{}", names::claim(&object)),
        instance: seen.pod.and_then(instance),
    }
}

/// `host:port` that leads to a port of a client service; nothing while it has none.
pub(crate) fn address(expose: &Expose, service: &Service, port: u16) -> Option<String> {
    let spec = service.spec.as_ref()?;
    let host = |address: &str| {
        if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
    };
    let mut ports = spec.ports.iter().flatten();
    let own = ports.find(|own| own.port == i32::from(port))?;
    match expose {
        Expose::ClusterIp => Some(format!("{}:{port}", host(spec.cluster_ip.as_ref()?))),
        Expose::NodePort { host: name } => {
            Some(format!("{}:{}", host(name.as_str()), own.node_port?))
        }
        Expose::LoadBalancer => {
            let balancer = service.status.as_ref()?.load_balancer.as_ref()?;
            let way = balancer.ingress.as_ref()?.first()?;
            let way = way.hostname.as_ref().or(way.ip.as_ref())?;
            Some(format!("{}:{port}", host(way)))
        }
    }
}

/// The container that runs.
fn instance(pod: &Pod) -> Option<Instance> {
    let container = container(pod)?;
    container.state.as_ref()?.running.as_ref()?;
    Some(Instance::Container {
        namespace: pod.namespace()?,
        pod: pod.name_any(),
        machine: pod.spec.as_ref()?.node_name.clone()?,
        id: container.container_id.clone()?,
    })
}

/// Whether the pod or the set should have ended and has not: a finaliser holds it, or its machine does
/// not say that the container is gone.
fn held(seen: &Seen<'_>, now: Timestamp) -> Option<Found> {
    fn of<K: Resource<DynamicType = ()>>(object: &K, now: Timestamp, more: &str) -> Option<Found> {
        // A pod's is when its grace has ended.
        let due = object.meta().deletion_timestamp.as_ref()?.0.as_second();
        if now.unix_micros() / 1_000_000 - due < ENDING_S {
            return None;
        }
        let what = format!("{} {}", K::kind(&()), object.name_any());
        // The cluster's own, which wait for what is below.
        let others = object.finalizers().iter().filter(|name| *name != "foregroundDeletion");
        let others: Vec<&str> = others.map(String::as_str).collect();
        let why = if others.is_empty() {
            format!("has not ended{more}")
        } else {
            format!("is held by {}", others.join(", "))
        };
        Some((Fault::DeletionHeld, format!("{what} {why}")))
    }
    let machine = seen.pod.and_then(|pod| pod.spec.as_ref()?.node_name.as_deref());
    let machine = machine.map(|name| format!("; its machine is {name}")).unwrap_or_default();
    match seen.pod {
        Some(pod) => of(pod, now, &machine),
        None => of(seen.stateful_set, now, ""),
    }
}

fn trouble(wish: &Wish, seen: &Seen<'_>, is_well: bool, now: Timestamp) -> Option<Found> {
    let is_to_run = wish.run && seen.stateful_set.metadata.deletion_timestamp.is_none();
    match held(seen, now) {
        // Of one that is to end, only what keeps it from that.
        None if is_to_run => of_run(seen, is_well, now).or_else(|| of_volume(wish, seen.claim)),
        found => found,
    }
}

/// Why a node that is to run does not, or not well.
fn of_run(seen: &Seen<'_>, is_well: bool, now: Timestamp) -> Option<Found> {
    match seen.pod {
        // What happened before is over.
        Some(_) if is_well => None,
        // It is being found a place, as every pod is at first.
        Some(pod) if age_s(pod, now) < PLACING_S && container(pod).is_none() => None,
        None => of_events(seen.events),
        Some(pod) => of_pod(pod, seen, now).or_else(|| {
            // One that never came to a container.
            container(pod).is_none().then(|| of_events(seen.events)).flatten()
        }),
    }
}

type Found = (Fault, String);

fn of_pod(pod: &Pod, seen: &Seen<'_>, now: Timestamp) -> Option<Found> {
    let status = pod.status.as_ref()?;
    if status.reason.as_deref() == Some("Evicted") {
        return Some((Fault::Evicted, status.message.clone().unwrap_or_default()));
    }
    if let Some(found) =
        container(pod).and_then(|container| of_container(container, seen.events, now))
    {
        return Some(found);
    }
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
    let message = unscheduled.message.clone().unwrap_or_default();
    let is_unbound = seen.claim.is_none_or(|claim| phase(claim) != Some("Bound"));
    let is_volume = is_unbound && message.to_lowercase().contains("persistentvolume");
    let fault = if is_volume { Fault::VolumePending } else { Fault::Unschedulable };
    let more = is_volume.then(|| of_events(seen.events)).flatten();
    Some((fault, more.map_or(message, |(_, detail)| detail)))
}

fn of_container(container: &ContainerStatus, events: &[Event], now: Timestamp) -> Option<Found> {
    let state = container.state.as_ref()?;
    let last = container.last_state.as_ref();
    let ended = state.terminated.as_ref().or(last.and_then(|last| last.terminated.as_ref()));
    if let Some(waiting) = &state.waiting {
        let (reason, message) = (waiting.reason.as_deref(), waiting.message.clone());
        let message = message.unwrap_or_else(|| reason.unwrap_or_default().to_owned());
        match reason.unwrap_or_default() {
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable" => {
                return Some((Fault::ImageMissing, message));
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return Some((Fault::Rejected, message));
            }
            _ => {}
        }
    }
    if let Some(event) = hung(events, now).filter(|_| state.running.is_some()) {
        return Some((Fault::Unresponsive, event.message.clone().unwrap_or_default()));
    }
    let ended = ended?;
    let how = match ended.signal {
        Some(signal) => format!("ended with signal {signal}"),
        None => format!("ended with status {}", ended.exit_code),
    };
    // By the container's own setting, the last lines of its log.
    let words = ended.message.as_deref().unwrap_or_default().trim();
    let detail = if words.is_empty() { how } else { format!("{how}: {words}") };
    if ended.reason.as_deref() == Some("OOMKilled") {
        return Some((Fault::OutOfMemory, detail));
    }
    match events.iter().rev().find(|event| is_liveness(event)) {
        Some(event) => {
            let message = event.message.as_deref().unwrap_or_default();
            Some((Fault::Unresponsive, format!("{message}; {detail}")))
        }
        None => Some((Fault::Crashed, detail)),
    }
}

/// What the newest complaint says.
fn of_events(events: &[Event]) -> Option<Found> {
    let event = events.iter().rev().find(|event| event.type_.as_deref() == Some("Warning"))?;
    let (reason, message) = (event.reason.as_deref()?, event.message.clone()?);
    let fault = match reason {
        "FailedCreate" if message.contains("exceeded quota") => Fault::QuotaExceeded,
        "FailedCreate" if message.contains("being terminated") => Fault::NamespaceTerminating,
        "FailedCreate" => Fault::Rejected,
        "ProvisioningFailed" | "FailedMount" | "FailedAttachVolume" | "FailedBinding" => {
            Fault::VolumePending
        }
        "FailedScheduling" => Fault::Unschedulable,
        "Evicted" => Fault::Evicted,
        _ => return None,
    };
    Some((fault, message))
}

fn phase(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.status.as_ref()?.phase.as_deref()
}

/// A volume that was asked to grow and has not.
fn of_volume(wish: &Wish, claim: Option<&PersistentVolumeClaim>) -> Option<Found> {
    let claim = claim?;
    let status = claim.status.as_ref()?;
    let has = status.capacity.as_ref()?.get("storage")?;
    let asked = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")?;
    let wanted = volume_size(wish);
    if is_less(asked, &wanted) || !is_less(has, asked) {
        return None;
    }
    Some((Fault::VolumeGrowing, format!("it has {}, {} were asked for", has.0, asked.0)))
}

#[cfg(test)]
mod tests;
