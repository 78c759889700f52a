//! What is read out of the cluster's own words, as its API server writes them.

use hansa_core::{ConsortiumId, Generation, LedgerId, NodeId, TenantId};
use hansa_runtime::Size;
use hansa_types::Host;
use serde_json::{Value, json};

use super::*;

/// Seconds since 1970 at which everything is looked at: 2026-11-27 00:00:00.
const NOW: i64 = 1_795_737_600;
const A_MINUTE_AGO: &str = "2026-11-26T23:59:00Z";
const JUST_NOW: &str = "2026-11-26T23:59:58Z";

fn now() -> Timestamp {
    Timestamp::from_unix_micros(NOW * 1_000_000).unwrap()
}

fn wish(run: bool) -> Wish {
    Wish {
        node: NodeId::new(),
        consortium: ConsortiumId::new(),
        ledger: LedgerId::new(),
        tenant: TenantId::new(),
        name: "a1".parse().unwrap(),
        generation: Generation::FIRST,
        wished_at: now(),
        run,
        size: Size { cpu_millis: 100, memory_mib: 128, volume_gib: 2 },
        enrolment_url: "https://hansa.example".to_owned(),
    }
}

fn settings() -> ClusterSettings {
    let image = format!("registry.example/hansa-node@sha256:{}", "0".repeat(64));
    serde_json::from_value(json!({ "image": image })).unwrap()
}

/// A cluster in which one node is, in JSON.
#[derive(Clone)]
struct World {
    run: bool,
    set: Value,
    pod: Option<Value>,
    claim: Option<Value>,
    events: Vec<Value>,
}

impl World {
    /// A pod with this status, of the wished generation.
    fn of_pod(made: &str, status: Value) -> Self {
        let metadata = json!({
            "name": "a1-0", "namespace": "n", "creationTimestamp": made,
            "annotations": { names::GENERATION: Generation::FIRST.to_string() },
        });
        let spec = json!({ "nodeName": "machine", "containers": [] });
        let pod = json!({ "metadata": metadata, "spec": spec, "status": status });
        let (set, claim) = (json!({ "metadata": {} }), None);
        Self { run: true, set, pod: Some(pod), claim, events: Vec::new() }
    }

    fn without_pod() -> Self {
        Self { pod: None, ..Self::of_pod(JUST_NOW, json!({})) }
    }

    fn container(made: &str, state: Value, last: Value, restarts: u32) -> Self {
        let container = json!({
            "name": "node", "image": "i", "imageID": "i", "ready": false, "restartCount": restarts,
            "containerID": "containerd://1", "state": state, "lastState": last,
        });
        Self::of_pod(made, json!({ "containerStatuses": [container] }))
    }

    fn event(mut self, kind: &str, reason: &str, message: &str) -> Self {
        let involved = json!({ "name": "a1-0" });
        let (metadata, at) = (json!({ "name": "e" }), JUST_NOW);
        self.events.push(json!({
            "metadata": metadata, "involvedObject": involved, "type": kind, "reason": reason,
            "message": message, "lastTimestamp": at,
        }));
        self
    }

    fn claim(mut self, status: Value) -> Self {
        let spec = json!({ "resources": { "requests": { "storage": "2Gi" } } });
        self.claim = Some(json!({ "metadata": {}, "spec": spec, "status": status }));
        self
    }

    fn told(self) -> Workload {
        fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
            serde_json::from_value(value).unwrap()
        }
        let (set, pod) = (read(self.set), self.pod.map(read));
        let claim = self.claim.map(read);
        let events: Vec<Event> = self.events.into_iter().map(read).collect();
        let seen = Seen {
            stateful_set: &set,
            pod: pod.as_ref(),
            claim: claim.as_ref(),
            client_service: None,
            events: &events,
        };
        workload(&settings(), &wish(self.run), &seen, now())
    }
}

fn running(since: &str) -> Value {
    json!({ "running": { "startedAt": since } })
}

fn ended(reason: &str, message: &str) -> Value {
    json!({ "terminated": { "exitCode": 1, "reason": reason, "message": message } })
}

/// A state that is read wrongly starts nodes that run, or waits for nodes that never come.
#[test]
fn a_state_is_what_the_pod_does() {
    let up = World::container(A_MINUTE_AGO, running(A_MINUTE_AGO), json!({}), 0);
    assert_eq!(up.clone().told().state, WorkloadState::Running);
    assert_eq!(World { run: false, ..up.clone() }.told().state, WorkloadState::Stopping);
    assert_eq!(World::without_pod().told().state, WorkloadState::Starting);
    let stopped = World { run: false, ..World::without_pod() }.told();
    assert_eq!((stopped.state, stopped.trouble), (WorkloadState::Stopped, None));
    let mut old = up.clone();
    old.pod.as_mut().unwrap()["metadata"]["annotations"][names::GENERATION] = json!("0");
    assert_eq!(old.told().state, WorkloadState::Starting, "it is of an older wish");
    let mut going = up.clone();
    going.pod.as_mut().unwrap()["metadata"]["deletionTimestamp"] = json!(JUST_NOW);
    assert_eq!(going.told().state, WorkloadState::Starting, "the next one comes");
    let mut removed = up;
    removed.set["metadata"]["deletionTimestamp"] = json!(JUST_NOW);
    assert_eq!(removed.told().state, WorkloadState::Stopping);
    let waits = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } });
    let crashed = World::container(A_MINUTE_AGO, waits, ended("Error", "boom"), 4).told();
    assert_eq!((crashed.state, crashed.restarts), (WorkloadState::BackingOff, 4));
}

/// Whoever reads a reason acts on it: each kind of trouble is told as what it is, with the cluster's
/// own words.
#[test]
fn trouble_is_told_as_what_it_is() {
    let waiting = |reason: &str| json!({ "waiting": { "reason": reason, "message": "the words" } });
    let unscheduled = |message: &str| {
        let condition = json!({ "type": "PodScheduled", "status": "False", "message": message });
        World::of_pod(A_MINUTE_AGO, json!({ "conditions": [condition] }))
    };
    let restarted = |last: Value| World::container(A_MINUTE_AGO, running(JUST_NOW), last, 1);
    let refused = |message: &str| World::without_pod().event("Warning", "FailedCreate", message);
    let at_once = |state| World::container(JUST_NOW, state, json!({}), 0);
    for (world, fault, words) in [
        (at_once(waiting("ErrImagePull")), Fault::ImageMissing, "the words"),
        (at_once(waiting("ImagePullBackOff")), Fault::ImageMissing, "the words"),
        (at_once(waiting("CreateContainerConfigError")), Fault::Rejected, "the words"),
        (restarted(ended("Error", "last lines")), Fault::Crashed, "status 1: last lines"),
        (restarted(ended("OOMKilled", "")), Fault::OutOfMemory, "status 1"),
        (
            restarted(ended("Error", "")).event("Warning", "Unhealthy", "Liveness probe failed: x"),
            Fault::Unresponsive,
            "Liveness probe failed",
        ),
        (unscheduled("0/3 nodes: Insufficient cpu"), Fault::Unschedulable, "Insufficient cpu"),
        (
            unscheduled("pod has unbound immediate PersistentVolumeClaims"),
            Fault::VolumePending,
            "unbound",
        ),
        (refused("pods x is forbidden: exceeded quota: q"), Fault::QuotaExceeded, "quota: q"),
        (refused("because it is being terminated"), Fault::NamespaceTerminating, "terminated"),
        (refused("violates PodSecurity"), Fault::Rejected, "violates PodSecurity"),
        (
            World::of_pod(A_MINUTE_AGO, json!({ "reason": "Evicted", "message": "low on disk" })),
            Fault::Evicted,
            "low on disk",
        ),
        (
            World::of_pod(A_MINUTE_AGO, json!({})).event("Warning", "FailedMount", "no volume"),
            Fault::VolumePending,
            "no volume",
        ),
    ] {
        let trouble = world.told().trouble.unwrap_or_else(|| panic!("{fault:?} is not told"));
        assert_eq!(trouble.fault, fault, "{trouble:?}");
        assert!(trouble.detail.contains(words), "{trouble:?} lacks {words:?}");
    }
}

/// A new image reaches nodes only if somebody sees that they run from the old one.
#[test]
fn a_pod_of_an_older_image_is_outdated() {
    let image = |name: &str| json!({ "containers": [{ "name": "node", "image": name }] });
    let mut world = World::container(A_MINUTE_AGO, running(A_MINUTE_AGO), json!({}), 0);
    assert!(!world.clone().told().outdated, "nothing is known of a newer one");
    world.pod.as_mut().unwrap()["spec"] = image("hansa.local/hansa-node@sha256:1");
    for (next, outdated) in [("1", false), ("2", true)] {
        let next = image(&format!("hansa.local/hansa-node@sha256:{next}"));
        world.set["spec"] = json!({ "selector": {}, "template": { "spec": next } });
        assert_eq!(world.clone().told().outdated, outdated);
        assert!(!World { run: false, ..world.clone() }.told().outdated, "it ends anyway");
    }
}

/// One that hangs is told before its machine ends it, however long it has run.
#[test]
fn one_that_hangs_is_told_while_it_runs() {
    let well = World::container(A_MINUTE_AGO, running(A_MINUTE_AGO), json!({}), 0);
    let words = "Liveness probe failed: context deadline exceeded";
    let hung = well.clone().event("Warning", "Unhealthy", words).told();
    assert_eq!(hung.state, WorkloadState::Running);
    let trouble = hung.trouble.expect("it does not answer");
    assert_eq!((trouble.fault, trouble.detail.as_str()), (Fault::Unresponsive, words));
    let mut before = well.event("Warning", "Unhealthy", words);
    before.events[0]["lastTimestamp"] = json!("2026-11-26T23:59:00Z");
    assert_eq!(before.told().trouble, None, "it has answered since");
}

/// What is being ended and does not end is somebody's to let go: whom, the cluster says.
#[test]
fn what_holds_an_end_is_named() {
    let long_ago = "2026-11-26T23:59:30Z";
    let ending = |at: &str| {
        let mut world = World::container(A_MINUTE_AGO, running(A_MINUTE_AGO), json!({}), 0);
        world.pod.as_mut().unwrap()["metadata"]["deletionTimestamp"] = json!(at);
        World { run: false, ..world }
    };
    assert_eq!(ending(JUST_NOW).told().trouble, None, "it is ending as all do");
    let detail = |world: World| {
        let trouble = world.told().trouble.expect("somebody holds it");
        assert_eq!(trouble.fault, Fault::DeletionHeld);
        trouble.detail
    };
    assert!(detail(ending(long_ago)).contains("its machine is machine"));
    let mut held = ending(long_ago);
    held.pod.as_mut().unwrap()["metadata"]["finalizers"] = json!(["example.com/audit"]);
    assert_eq!(detail(held), "Pod a1-0 is held by example.com/audit");
    let mut set = World { run: true, ..World::without_pod() };
    set.set = json!({ "metadata": { "name": "a1", "deletionTimestamp": long_ago,
                                    "finalizers": ["foregroundDeletion", "example.com/audit"] } });
    assert_eq!(detail(set), "StatefulSet a1 is held by example.com/audit");
}

/// A start that goes as all starts do must not be told as a failure: it would end the operation.
#[test]
fn an_ordinary_start_is_no_trouble() {
    let condition = json!({
        "type": "PodScheduled", "status": "False",
        "message": "pod has unbound immediate PersistentVolumeClaims",
    });
    let new = World::of_pod(JUST_NOW, json!({ "conditions": [condition] }));
    assert_eq!(new.told().trouble, None, "it is being found a place");
    assert_eq!(World::without_pod().told().trouble, None);
    let normal = World::without_pod().event("Normal", "SuccessfulCreate", "create Pod a1-0");
    assert_eq!(normal.told().trouble, None);
    let probed = World::container(JUST_NOW, running(JUST_NOW), json!({}), 0);
    let probed = probed.event("Warning", "Unhealthy", "Readiness probe failed: 503");
    assert_eq!(probed.told().trouble, None, "it is not in agreement yet");
}

/// What happened before it ran well for a minute is over; a volume that has not grown is not.
#[test]
fn a_node_that_runs_well_has_no_past() {
    let well = World::container(A_MINUTE_AGO, running(A_MINUTE_AGO), ended("Error", "boom"), 3);
    let told = well.clone().told();
    assert_eq!((told.restarts, told.trouble), (0, None));
    let has = |size: &str| json!({ "phase": "Bound", "capacity": { "storage": size } });
    assert_eq!(well.clone().claim(has("2147483648")).told().trouble, None, "it has its 2 GiB");
    let growing = well.claim(has("1Gi")).told();
    let trouble = growing.trouble.expect("it waits for the storage driver");
    assert_eq!(trouble.fault, Fault::VolumeGrowing, "{trouble:?}");
    assert!(trouble.detail.contains("1Gi") && trouble.detail.contains("2Gi"), "{trouble:?}");
}

/// A node is in its certificate under these: an address that is made up cannot be verified.
#[test]
fn an_address_is_there_when_the_cluster_gave_it() {
    let read = |value: Value| serde_json::from_value::<Service>(value).unwrap();
    let port = json!([{ "port": 8443, "nodePort": 30_001 }, { "port": 7000, "nodePort": 30_002 }]);
    let mut service =
        json!({ "metadata": {}, "spec": { "clusterIP": "10.96.0.7", "ports": port } });
    let host = Host::try_from("nodes.example".to_owned()).unwrap();
    let node_port = Expose::NodePort { host };
    let at = |expose: &Expose, service: &Value| address(expose, &read(service.clone()), 8_443);
    assert_eq!(address(&node_port, &read(service.clone()), 7_000).unwrap(), "nodes.example:30002");
    assert_eq!(address(&node_port, &read(service.clone()), 7_001), None, "it does not lead there");
    assert_eq!(at(&Expose::ClusterIp, &service).unwrap(), "10.96.0.7:8443");
    assert_eq!(at(&node_port, &service).unwrap(), "nodes.example:30001");
    assert_eq!(at(&Expose::LoadBalancer, &service), None, "the balancer has no address yet");
    service["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": "192.0.2.7" }] } });
    assert_eq!(at(&Expose::LoadBalancer, &service).unwrap(), "192.0.2.7:8443");
    service["spec"]["clusterIP"] = json!("fd00::7");
    assert_eq!(at(&Expose::ClusterIp, &service).unwrap(), "[fd00::7]:8443");
}

/// Peers in other places know no names of this cluster: they are given the address that clients get, once
/// there is one.
#[test]
fn peers_elsewhere_are_shown_an_address_that_they_know() {
    let world = World::container(A_MINUTE_AGO, running(A_MINUTE_AGO), Value::Null, 0);
    let own = world.clone().told().placement.p2p_address;
    assert!(own.ends_with(".svc:7000"), "{own}");
    let exposed = ClusterSettings { expose_peers: true, ..settings() };
    let ports = json!([{ "port": 8443 }, { "port": 7000 }]);
    let service = json!({ "metadata": {}, "spec": { "clusterIP": "10.96.0.7", "ports": ports } });
    let service: Service = serde_json::from_value(service).unwrap();
    let told = |client_service| {
        let set = StatefulSet::default();
        let none = Seen { stateful_set: &set, pod: None, claim: None, client_service, events: &[] };
        workload(&exposed, &wish(true), &none, now()).placement.p2p_address
    };
    assert_eq!(told(Some(&service)), "10.96.0.7:7000");
    assert_eq!(told(None), "", "it is not there yet");
}
