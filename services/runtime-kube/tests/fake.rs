//! The cluster's driver against a cluster in memory: the drivers' suite in seconds, and what a real
//! cluster does not do on demand. `tests/lab` has the same suite on a real one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hansa_core::{Clock, ConsortiumId, ManualClock, SystemClock};
use hansa_runtime::{
    Instance, Quorum, Runtime as _, RuntimeError, Workload, WorkloadSpec, WorkloadState,
    conformance::{self, Harness, Patient},
};
use hansa_runtime_kube::{
    KubeConfig, KubeRuntime,
    fake::{FakeCluster, Fault, Which},
    testing::{self, object, runs},
};
use tokio::task::JoinHandle;

/// A deadline that a slow machine meets too.
const DEADLINE: Duration = Duration::from_secs(60);
/// Where nobody answers.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A driver that keeps what was wished until this is dropped.
struct Driver {
    runtime: Arc<KubeRuntime>,
    keeping: JoinHandle<()>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

impl Driver {
    async fn open(cluster: &FakeCluster) -> Self {
        Self::measuring(cluster, None, Arc::new(SystemClock)).await
    }

    /// One that tries, if it is given an address, whether pods reach it.
    async fn measuring(cluster: &FakeCluster, url: Option<&str>, clock: Arc<dyn Clock>) -> Self {
        let image = format!("hansa.local/hansa-node@sha256:{}", "1".repeat(64));
        let config = KubeConfig {
            access: cluster.access(),
            installation: "fake".to_owned(),
            settings: testing::settings(&image),
            enrolment_url: url.map(str::to_owned),
            enrolment_authority: None,
        };
        let opened = KubeRuntime::open(config, clock).await;
        let (runtime, keeping) = opened.expect("a configuration");
        Self { runtime, keeping: tokio::spawn(keeping) }
    }

    fn patient(&self) -> Patient<'_> {
        Patient(&*self.runtime)
    }

    /// A node of a new consortium that runs.
    async fn node(&self, name: &str) -> (WorkloadSpec, Workload) {
        let spec = conformance::spec(ConsortiumId::new(), name, NOWHERE);
        self.patient().apply(&spec).await;
        let workload = self.patient().until(spec.node, "running", runs).await;
        (spec, workload)
    }
}

/// What is there of nodes, without what no two runs share.
fn counts(cluster: &FakeCluster) -> Vec<(&'static str, usize)> {
    ["namespaces", "statefulsets", "pods", "persistentvolumeclaims", "services", "configmaps"]
        .into_iter()
        .chain(["secrets", "networkpolicies", "resourcequotas", "limitranges"])
        .map(|plural| (plural, cluster.all(plural).len()))
        .collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The contract is the same wherever nodes run.
#[tokio::test]
async fn the_driver_passes_the_suite_of_the_drivers() {
    let cluster = Arc::new(FakeCluster::start().await);
    let driver = Driver::open(&cluster).await;
    let crashing = Arc::clone(&cluster);
    let crash = move |workload: &Workload| match &workload.placement.instance {
        Some(Instance::Container { namespace, pod, .. }) => crashing.crash(namespace, pod),
        other => panic!("no container runs: {other:?}"),
    };
    let harness = Harness {
        runtime: driver.runtime.clone(),
        crash: Box::new(crash),
        consortium: ConsortiumId::new(),
        enrolment_url: NOWHERE.to_owned(),
    };
    conformance::run(&harness).await;
}

/// Kinds of objects that a node's first wish writes, in order.
const WRITTEN: [&str; 8] = [
    "namespaces",
    "resourcequotas",
    "limitranges",
    "networkpolicies",
    "secrets",
    "configmaps",
    "services",
    "statefulsets",
];

/// A server that is overloaded or broken for a while is told as away, and nothing is lost or done
/// twice: neither what was refused nor what took effect without an answer.
#[tokio::test]
async fn whatever_write_fails_the_next_wish_comes_to_the_same_end() {
    let cluster = FakeCluster::start().await;
    let driver = Driver::open(&cluster).await;
    driver.node("whole").await;
    let whole = counts(&cluster);
    for kind in WRITTEN {
        let which = Which::WritesTo(kind);
        for fault in [
            Fault::Answer { status: 429, which, times: 1 },
            Fault::Answer { status: 500, which, times: 1 },
            Fault::Lost { which, times: 1 },
        ] {
            let cluster = FakeCluster::start().await;
            let driver = Driver::open(&cluster).await;
            let spec = conformance::spec(ConsortiumId::new(), "whole", NOWHERE);
            cluster.fault(Some(fault));
            let refused = driver.runtime.apply(&spec).await;
            // Whoever is asked to come later does so by itself.
            let comes_later = matches!(fault, Fault::Answer { status: 429, .. }) && refused.is_ok();
            let is_told = matches!(refused, Err(RuntimeError::Unreachable(_)));
            assert!(comes_later || is_told, "{fault:?}: {refused:?}");
            // The next controller knows nothing of what the last one was about.
            drop(driver);
            let driver = Driver::open(&cluster).await;
            driver.patient().apply(&spec).await;
            driver.patient().until(spec.node, "running", runs).await;
            assert_eq!(counts(&cluster), whole, "after {fault:?}");
        }
    }
}

/// Somebody else writes at any moment: a version that is stale is looked at again, not forced.
#[tokio::test]
async fn a_stale_version_is_read_again() {
    let cluster = FakeCluster::start().await;
    let driver = Driver::open(&cluster).await;
    let (mut spec, first) = driver.node("stale").await;
    spec.generation = spec.generation.next();
    cluster.fault(Some(Fault::Answer { status: 409, which: Which::Writes, times: 2 }));
    driver.runtime.apply(&spec).await.expect("a conflict passes");
    let is_new = |w: &Workload| runs(w) && w.generation == spec.generation;
    let again = driver.patient().until(spec.node, "running anew", is_new).await;
    assert_ne!(again.placement.instance, first.placement.instance);
}

/// Watches end, and what happened meanwhile may have been forgotten: in the end it is seen.
#[tokio::test]
async fn what_no_watch_told_is_found_by_the_next_list() {
    let cluster = FakeCluster::start().await;
    let driver = Driver::open(&cluster).await;
    let (spec, first) = driver.node("unheard").await;
    let (namespace, name) = object(&first);
    cluster.fault(Some(Fault::Answer { status: 500, which: Which::All, times: u32::MAX }));
    cluster.cut_watches();
    cluster.edit("statefulsets", &namespace, &name, |set| set["spec"]["replicas"] = 0.into());
    cluster.delete("services", &namespace, &name);
    cluster.forget_history();
    assert!(matches!(driver.runtime.observe(spec.node).await, Err(RuntimeError::Unreachable(_))));
    cluster.fault(None);
    let is_another = |w: &Workload| runs(w) && w.placement.instance != first.placement.instance;
    driver.patient().until(spec.node, "running again", is_another).await;
    until("the service is back", || cluster.all("services").len() == 2).await;
}

/// A server that hangs is told as away within the time of a look, not after it; once that is known, a
/// pass over everybody's nodes waits for it no more.
#[tokio::test]
async fn a_server_that_hangs_is_away() {
    let cluster = FakeCluster::start().await;
    let driver = Driver::open(&cluster).await;
    let (spec, _) = driver.node("hung").await;
    cluster.fault(Some(Fault::Hang));
    let asked = driver.runtime.observe(spec.node).await;
    assert!(matches!(asked, Err(RuntimeError::Unreachable(_))), "{asked:?}");
    let began = Instant::now();
    while !matches!(driver.runtime.list().await, Err(RuntimeError::Unreachable(_))) {
        assert!(began.elapsed() < DEADLINE, "it passes for a cluster that answers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lists = async {
        for _ in 0..100 {
            driver.runtime.list().await.expect_err("it hangs still");
        }
    };
    tokio::time::timeout(Duration::from_secs(5), lists).await.expect("no list waits for an answer");
    cluster.fault(None);
    driver.patient().until(spec.node, "running still", runs).await;
    driver.patient().list().await;
}

/// Two controllers at once, one of them with an old wish: the newer generation stays, whoever comes
/// last, and neither undoes the other's work for ever.
#[tokio::test]
async fn of_two_controllers_the_newer_wish_wins() {
    let cluster = FakeCluster::start().await;
    let (one, two) = (Driver::open(&cluster).await, Driver::open(&cluster).await);
    let (old, _) = one.node("contested").await;
    let mut new = old.clone();
    new.generation = new.generation.next().next();
    let patient = two.patient();
    let (late, ()) = tokio::join!(one.runtime.apply(&old), patient.apply(&new));
    assert!(!matches!(late, Err(RuntimeError::Conflict(_))), "{late:?}");
    one.patient().apply(&old).await;
    let is_new = |w: &Workload| runs(w) && w.generation == new.generation;
    for driver in [&one, &two] {
        driver.patient().until(old.node, "of the newer generation", is_new).await;
    }
    quiet(&cluster).await;
    assert_eq!(cluster.all("pods").len(), 1);
}

/// A cluster at rest is not written to: every write wakes every watcher.
async fn quiet(cluster: &FakeCluster) {
    let began = Instant::now();
    let mut seen = (cluster.writes(), Instant::now());
    while seen.1.elapsed() < Duration::from_secs(3) {
        assert!(began.elapsed() < DEADLINE, "it is written to again and again");
        tokio::time::sleep(Duration::from_millis(50)).await;
        if cluster.writes() != seen.0 {
            seen = (cluster.writes(), Instant::now());
        }
    }
}

/// Keeping what is as it should be costs reads at most.
#[tokio::test]
async fn what_is_as_wished_is_not_written_again() {
    let cluster = FakeCluster::start().await;
    let driver = Driver::open(&cluster).await;
    let (spec, _) = driver.node("at-rest").await;
    let quorum = Quorum { consortium: spec.consortium, ledger: spec.ledger, stay: 1 };
    driver.patient().keep(&quorum).await;
    quiet(&cluster).await;
    let before = cluster.writes();
    driver.patient().apply(&spec).await;
    driver.patient().keep(&quorum).await;
    driver.patient().list().await;
    assert_eq!(cluster.writes(), before, "a repeated wish is written again");
}

/// A finaliser that nobody takes away holds the node, and not the driver: it ends once it is gone.
#[tokio::test]
async fn a_finaliser_holds_an_end_until_it_is_taken_away() {
    let cluster = FakeCluster::start().await;
    let driver = Driver::open(&cluster).await;
    let (spec, workload) = driver.node("held").await;
    let (namespace, name) = object(&workload);
    let pod = format!("{name}-0");
    let hold = |names: serde_json::Value| {
        cluster.edit("pods", &namespace, &pod, |pod| pod["metadata"]["finalizers"] = names);
    };
    hold(serde_json::json!(["example.com/audit"]));
    driver.patient().remove(spec.node).await;
    let is_ending = |w: &Workload| w.state == WorkloadState::Stopping;
    driver.patient().until(spec.node, "ending", is_ending).await;
    hold(serde_json::json!([]));
    let began = Instant::now();
    while driver.patient().observe(spec.node).await.is_some() {
        assert!(began.elapsed() < DEADLINE, "it does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Namespaces in which two pods try the network.
fn tries(cluster: &FakeCluster) -> Vec<String> {
    let names = cluster.all("namespaces").into_iter();
    let names = names.filter_map(|found| found["metadata"]["name"].as_str().map(str::to_owned));
    names.filter(|name| name.starts_with("hansa-probe-")).collect()
}

/// The namespace of a try whose second pod calls the first.
async fn called(cluster: &FakeCluster) -> String {
    let calls = |cluster: &FakeCluster| {
        let pods = cluster.all("pods").into_iter();
        let mut callers = pods.filter(|pod| pod["metadata"]["name"] == "caller-0");
        callers.next().and_then(|pod| pod["metadata"]["namespace"].as_str().map(str::to_owned))
    };
    until("a pod calls", || calls(cluster).is_some()).await;
    calls(cluster).expect("it is there")
}

/// An operator must learn from the report that policies are words here, or that nodes will never enrol;
/// and what was made to find out must not stay.
#[tokio::test]
async fn what_two_pods_reach_is_reported_and_leaves_nothing() {
    let cluster = FakeCluster::start().await;
    let url = "https://hansa.example:8443";
    let driver = Driver::measuring(&cluster, Some(url), Arc::new(SystemClock)).await;
    let namespace = called(&cluster).await;
    assert_eq!(driver.runtime.probe().await.network_policy_enforced, None, "not measured yet");
    let said = r#"{"open":true,"closed":true,"enrolment_problem":"it is refused"}"#;
    cluster.edit("pods", &namespace, "caller-0", |pod| {
        let ended = serde_json::json!({ "exitCode": 0, "message": said });
        pod["status"]["containerStatuses"][0]["state"] = serde_json::json!({ "terminated": ended });
    });
    until("its namespace is gone", || tries(&cluster).is_empty()).await;
    let began = Instant::now();
    let report = loop {
        let report = driver.runtime.probe().await;
        if report.enrolment_reachable.is_some() {
            break report;
        }
        assert!(began.elapsed() < DEADLINE, "never reported: {report:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(report.network_policy_enforced, Some(false));
    assert_eq!(report.enrolment_reachable, Some(false));
    assert_eq!(report.network_problem.as_deref(), Some("it is refused"));
    assert_eq!(report.problem, None, "a cluster that answers can take nodes");
}

/// A controller that ends in the middle of a try leaves a namespace that nobody knows: the next one ends it.
#[tokio::test]
async fn a_try_that_was_broken_off_is_cleared_away() {
    let cluster = FakeCluster::start().await;
    let url = Some("https://hansa.example:8443");
    let broken_off = Driver::measuring(&cluster, url, Arc::new(SystemClock)).await;
    called(&cluster).await;
    drop(broken_off);
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(now));
    let next = Driver::measuring(&cluster, None, clock.clone()).await;
    next.patient().list().await;
    next.patient().purge(now).await;
    assert_eq!(tries(&cluster).len(), 1, "it may be another controller's");
    clock.advance(Duration::from_secs(601));
    next.patient().purge(now).await;
    assert!(tries(&cluster).is_empty());
}
