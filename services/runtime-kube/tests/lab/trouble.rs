//! What a cluster cannot do is told in words of the closed list, with the cluster's own evidence, within
//! the deadline of the suite: a minute.

use std::time::Instant;

use hansa_core::ConsortiumId;
use hansa_runtime::{
    Fault, Runtime, RuntimeError, Workload, WorkloadSpec, WorkloadState, conformance::Patient,
};
use hansa_runtime_kube::{
    KubeRuntime,
    testing::{object, runs},
};
use hansa_types::{Host, ImageDigest};
use image::{Config, Entry, Image, Layer};

use crate::{Cluster, DEADLINE, spec};

pub(crate) async fn has_its_reason(cluster: &Cluster, runtime: &KubeRuntime) {
    what_never_comes_up(cluster, runtime).await;
    a_crash(cluster, runtime).await;
    too_little_memory(cluster).await;
    one_that_hangs(cluster, runtime).await;
    a_full_quota(cluster, runtime).await;
    a_finaliser(cluster, runtime).await;
    a_missing_right(cluster).await;
    an_ending_namespace(cluster, runtime).await;
}

/// Waits until a fault is told of a node; its evidence.
async fn told(runtime: &dyn Runtime, spec: &WorkloadSpec, fault: Fault) -> String {
    let is_told = |w: &Workload| w.trouble.as_ref().is_some_and(|found| found.fault == fault);
    let found = Patient(runtime).until(spec.node, &format!("{fault:?}"), is_told).await;
    let detail = found.trouble.expect("looked for").detail;
    assert!(!detail.is_empty(), "{fault:?} comes with its evidence");
    detail
}

async fn running(runtime: &KubeRuntime, name: &str) -> (WorkloadSpec, Workload) {
    let spec = spec(ConsortiumId::new(), name);
    Patient(runtime).apply(&spec).await;
    let workload = Patient(runtime).until(spec.node, "running", runs).await;
    (spec, workload)
}

/// No machine has room, the image is not there, no volume comes.
async fn what_never_comes_up(cluster: &Cluster, runtime: &KubeRuntime) {
    let mut large = spec(ConsortiumId::new(), "large");
    large.size.cpu_millis = 60_000;
    let missing = format!("hansa.local/nowhere@sha256:{}", "0".repeat(64));
    let missing = ImageDigest::try_from(missing).expect("a digest");
    let imageless = cluster.other("imageless", |settings| settings.image = missing).await;
    let class = Host::try_from("nowhere".to_owned()).expect("a name");
    let homeless = cluster.other("homeless", |settings| settings.storage_class = Some(class));
    let homeless = homeless.await;
    let specs = ["imageless", "homeless"].map(|name| spec(ConsortiumId::new(), name));
    let cases = [
        (runtime, &large, Fault::Unschedulable),
        (&*imageless.runtime, &specs[0], Fault::ImageMissing),
        (&*homeless.runtime, &specs[1], Fault::VolumePending),
    ];
    for (runtime, spec, _) in cases {
        Patient(runtime).apply(spec).await;
    }
    for (runtime, spec, fault) in cases {
        told(runtime, spec, fault).await;
        Patient(runtime).remove(spec.node).await;
    }
}

/// Not only how it ended: what the node said last.
async fn a_crash(cluster: &Cluster, runtime: &KubeRuntime) {
    let (spec, workload) = running(runtime, "crashing").await;
    cluster.crash(&workload);
    let detail = told(runtime, &spec, Fault::Crashed).await;
    assert!(detail.contains("enrol"), "the last lines of its log are missing: {detail}");
    Patient(runtime).remove(spec.node).await;
}

/// A program that takes more and more memory, whatever it is told.
async fn too_little_memory(cluster: &Cluster) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut layer = Layer::default();
    let busybox = std::fs::read("/usr/bin/busybox").expect("the lab needs busybox-static");
    layer.put("bin/busybox", Entry::File(0o755, busybox)).expect("a file");
    let words = ["/bin/busybox", "sh", "-c", "x=0123456789; while :; do x=$x$x; done"];
    let config = Config {
        entrypoint: words.map(str::to_owned).to_vec(),
        user: "65532:65532".to_owned(),
        ..Config::default()
    };
    let image = Image { name: "hansa.local/hungry:1".to_owned(), config, layers: vec![layer] };
    let archive = folder.path().join("hungry.tar");
    image.write(&archive).expect("an archive");
    let image = cluster.lab.lab().load_image(&archive).expect("the lab runs");
    let image = ImageDigest::try_from(image).expect("a digest");
    let hungry = cluster.other("hungry", |settings| settings.image = image).await;
    let spec = spec(ConsortiumId::new(), "hungry");
    Patient(&*hungry.runtime).apply(&spec).await;
    told(&*hungry.runtime, &spec, Fault::OutOfMemory).await;
    Patient(&*hungry.runtime).remove(spec.node).await;
}

async fn one_that_hangs(cluster: &Cluster, runtime: &KubeRuntime) {
    let (spec, workload) = running(runtime, "hanging").await;
    cluster.signal(&workload, "SIGSTOP");
    told(runtime, &spec, Fault::Unresponsive).await;
    Patient(runtime).remove(spec.node).await;
}

/// Also a quota that the administrator has added to ours.
async fn a_full_quota(cluster: &Cluster, runtime: &KubeRuntime) {
    let (first, workload) = running(runtime, "first").await;
    let (namespace, _) = object(&workload);
    let quota = ["create", "quota", "own", "--hard=pods=1", "--namespace", &namespace];
    cluster.kubectl(&quota);
    let second = spec(first.consortium, "second");
    Patient(runtime).apply(&second).await;
    let detail = told(runtime, &second, Fault::QuotaExceeded).await;
    assert!(detail.contains("own"), "which quota is full is not said: {detail}");
    for spec in [first, second] {
        Patient(runtime).remove(spec.node).await;
    }
}

/// What somebody holds does not end, and whose finaliser it is can be read.
async fn a_finaliser(cluster: &Cluster, runtime: &KubeRuntime) {
    let (mut spec, workload) = running(runtime, "held").await;
    let (namespace, name) = object(&workload);
    let hold = |finalisers: &str| {
        let patch = format!(r#"{{"metadata":{{"finalizers":{finalisers}}}}}"#);
        let pod = format!("{name}-0");
        let patch = ["patch", "pod", &pod, "--namespace", &namespace, "--patch", &patch];
        cluster.kubectl(&[&patch[..], &["--type", "merge"]].concat());
    };
    hold(r#"["example.com/audit"]"#);
    spec.generation = spec.generation.next();
    spec.run = false;
    Patient(runtime).apply(&spec).await;
    let detail = told(runtime, &spec, Fault::DeletionHeld).await;
    assert!(detail.contains("example.com/audit"), "{detail}");
    hold("null");
    let is_stopped = |w: &Workload| w.state == WorkloadState::Stopped;
    Patient(runtime).until(spec.node, "stopped", is_stopped).await;
    Patient(runtime).remove(spec.node).await;
}

/// A driver without a right says which.
async fn a_missing_right(cluster: &Cluster) {
    let role = "hansa-system-hansa-controller";
    let read = ["get", "clusterrole", role, "--output", "json"];
    let all = cluster.kubectl(&read);
    let mut less: serde_json::Value = serde_json::from_str(&all).expect("JSON");
    let rules = less["rules"].as_array_mut().expect("a list");
    rules.retain(|rule| rule["resources"][0] != "secrets");
    less["metadata"] = serde_json::json!({ "name": role });
    cluster.fed(&["replace", "--filename", "-"], &less.to_string());
    let other = cluster.other("denied", |_| {}).await;
    let denied = spec(ConsortiumId::new(), "denied");
    let began = Instant::now();
    let refused = loop {
        match other.runtime.apply(&denied).await {
            Ok(()) | Err(RuntimeError::Transient(_) | RuntimeError::Unreachable(_)) => {}
            Err(error) => break error,
        }
        assert!(began.elapsed() < DEADLINE, "a right that is not there is not missed");
    };
    less["rules"] = serde_json::from_str::<serde_json::Value>(&all).expect("JSON")["rules"].clone();
    cluster.fed(&["replace", "--filename", "-"], &less.to_string());
    let RuntimeError::Refused { fault: Fault::Forbidden, detail } = refused else {
        panic!("{refused:?}")
    };
    assert!(detail.contains("secrets"), "which right is missing is not said: {detail}");
    Patient(&*other.runtime).apply(&denied).await;
    Patient(&*other.runtime).remove(denied.node).await;
}

async fn an_ending_namespace(cluster: &Cluster, runtime: &KubeRuntime) {
    let (first, workload) = running(runtime, "ended").await;
    let (namespace, _) = object(&workload);
    cluster.kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
    let began = Instant::now();
    let refused = loop {
        match runtime.apply(&spec(first.consortium, "late")).await {
            Ok(()) | Err(RuntimeError::Transient(_) | RuntimeError::Unreachable(_)) => {}
            Err(error) => break error,
        }
        assert!(began.elapsed() < DEADLINE, "a namespace that ends takes nodes");
    };
    let is_ending = |error: &RuntimeError| {
        matches!(error, RuntimeError::Refused { fault: Fault::NamespaceTerminating, .. })
    };
    assert!(is_ending(&refused), "{refused:?}");
}
