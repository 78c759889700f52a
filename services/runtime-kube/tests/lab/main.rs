//! The cluster's driver against a real cluster, with the real node image.
//!
//! `cargo xtask test kube` makes the image and names it here.

mod proxy;
mod role;
mod trouble;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hansa_core::{ConsortiumId, Secret, SystemClock};
use hansa_runtime::{
    Fault, Instance, Quorum, Runtime as _, RuntimeError, Workload, WorkloadSpec,
    conformance::{self, Harness, Patient},
};
use hansa_runtime_kube::{
    Access, KubeConfig, KubeRuntime,
    testing::{self, object, runs},
};
use hansa_types::ClusterSettings;
use kube_lab::Scratch;

/// A deadline that a slow machine meets too.
const DEADLINE: Duration = Duration::from_secs(60);
/// Names the archive of the nodes' image.
const IMAGE_BY: &str = "HANSA_NODE_IMAGE";

struct Cluster {
    lab: Scratch,
    image: String,
    /// How the driver reaches it: with the rights that the chart gives.
    kubeconfig: String,
}

impl Cluster {
    fn start() -> Self {
        let archive = std::env::var_os(IMAGE_BY)
            .unwrap_or_else(|| panic!("{IMAGE_BY} is not set: run `cargo xtask test kube`"));
        let lab = Scratch::start(program()).expect("the machine can run a lab");
        let image = lab.lab().load_image(&PathBuf::from(archive)).expect("an archive");
        let kubeconfig = role::kubeconfig(&lab);
        Self { lab, image, kubeconfig }
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.lab.kubectl().args(arguments).output().expect("kubectl runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {complaint}", arguments.join(" "));
        String::from_utf8(output.stdout).expect("kubectl speaks UTF-8")
    }

    /// `kubectl …` with an input.
    fn fed(&self, arguments: &[&str], input: &str) {
        role::fed(self.lab.kubectl().args(arguments), input);
    }

    /// A driver of an installation of its own, with other settings.
    async fn other(&self, name: &str, change: impl FnOnce(&mut ClusterSettings)) -> Other {
        let mut config = KubeConfig { installation: name.to_owned(), ..self.config() };
        change(&mut config.settings);
        Self::opened(config).await
    }

    /// The same, with another way to the cluster.
    async fn through(&self, name: &str, kubeconfig: String) -> Other {
        let access = Access::Kubeconfig(Secret::from(kubeconfig));
        Self::opened(KubeConfig { installation: name.to_owned(), access, ..self.config() }).await
    }

    async fn opened(config: KubeConfig) -> Other {
        let opened = KubeRuntime::open(config, Arc::new(SystemClock)).await;
        let (runtime, keeping) = opened.expect("a configuration");
        Other { runtime, keeping: tokio::spawn(keeping) }
    }

    fn config(&self) -> KubeConfig {
        KubeConfig {
            access: Access::Kubeconfig(Secret::from(self.kubeconfig.clone())),
            installation: "conformance".to_owned(),
            settings: testing::settings(&self.image),
            enrolment_url: None,
            enrolment_authority: None,
        }
    }

    /// Kills a container as the kernel would.
    fn crash(&self, workload: &Workload) {
        self.signal(workload, "SIGKILL");
    }

    /// Sends a signal to the process of a container.
    fn signal(&self, workload: &Workload, signal: &str) {
        let Some(Instance::Container { id, .. }) = &workload.placement.instance else {
            panic!("no container runs: {workload:?}")
        };
        let id = id.trim_start_matches("containerd://");
        let mut ctr = self.lab.lab().inside("ctr").expect("the lab runs");
        ctr.args(["--address", kube_lab::CONTAINERD, "--namespace", "k8s.io", "tasks", "kill"]);
        let sent = ctr.args(["--signal", signal, id]).status().expect("ctr runs");
        assert!(sent.success(), "{signal} could not be sent to the container {id}");
    }
}

/// A driver that keeps what was wished until this is dropped.
struct Other {
    runtime: Arc<KubeRuntime>,
    keeping: tokio::task::JoinHandle<()>,
}

impl Drop for Other {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

/// The lab's own program, beside the test programs.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).expect("a target folder").join("kube-lab")
}

/// The contract is the same wherever nodes run; what only a cluster does comes after it, on the same
/// one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_passes_the_suite_of_the_drivers_and_stands_a_clusters_faults() {
    let cluster = Arc::new(Cluster::start());
    let (runtime, keeping) =
        KubeRuntime::open(cluster.config(), Arc::new(SystemClock)).await.expect("a cluster");
    let keeping = tokio::spawn(keeping);
    let crashing = Arc::clone(&cluster);
    let harness = Harness {
        runtime: runtime.clone(),
        crash: Box::new(move |workload| crashing.crash(workload)),
        consortium: ConsortiumId::new(),
        enrolment_url: NOWHERE.to_owned(),
    };
    conformance::run(&harness).await;
    edits_and_deletions_by_hand_are_corrected(&cluster, &runtime).await;
    what_is_not_ours_is_left_alone(&cluster, &runtime).await;
    volumes_grow_and_never_shrink(&cluster, &runtime).await;
    trouble::has_its_reason(&cluster, &runtime).await;
    a_budget_says_what_must_stay(&cluster, &runtime).await;
    strangers_are_listed(&cluster).await;
    proxy::an_overloaded_server_is_away_and_comes_back(&cluster).await;
    keeping.abort();
    what_pods_reach_is_measured(&cluster).await;
}

/// Where nobody answers: nodes wait for their enrolment.
const NOWHERE: &str = "http://127.0.0.1:9";

fn spec(consortium: ConsortiumId, name: &str) -> WorkloadSpec {
    conformance::spec(consortium, name, NOWHERE)
}

/// An administrator's hand must not leave a ledger without a vote for longer than a look.
async fn edits_and_deletions_by_hand_are_corrected(cluster: &Cluster, runtime: &KubeRuntime) {
    let spec = spec(ConsortiumId::new(), "edited");
    Patient(runtime).apply(&spec).await;
    let first = Patient(runtime).until(spec.node, "running", runs).await;
    let (namespace, name) = object(&first);
    let within = ["--namespace", namespace.as_str()];
    cluster.kubectl(&[&["scale", "statefulset", &name, "--replicas", "0"][..], &within].concat());
    Patient(runtime)
        .until(spec.node, "running again after it was scaled to nothing", |w| {
            runs(w) && w.placement.instance != first.placement.instance
        })
        .await;
    for kind in ["service", "configmap"] {
        cluster.kubectl(&[&["delete", kind, &name][..], &within].concat());
        let began = Instant::now();
        loop {
            let get = ["get", kind, name.as_str(), "--ignore-not-found", "--output", "name"];
            if !cluster.kubectl(&[&get[..], &within].concat()).is_empty() {
                break;
            }
            assert!(began.elapsed() < DEADLINE, "the deleted {kind} did not come back");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let told = runtime.corrections();
    let of_node: Vec<_> = told.iter().filter(|correction| correction.node == spec.node).collect();
    for what in ["StatefulSet", "Service", "ConfigMap"] {
        let is_told = of_node.iter().any(|correction| correction.what.contains(what));
        assert!(is_told, "nobody was told of the {what}: {of_node:?}");
    }
    Patient(runtime).remove(spec.node).await;
}

/// A name that somebody else has is a conflict to be told, not something to be taken over.
async fn what_is_not_ours_is_left_alone(cluster: &Cluster, runtime: &KubeRuntime) {
    let consortium = ConsortiumId::new();
    let namespace = format!("hansa-{}", consortium.uuid().simple());
    cluster.kubectl(&["create", "namespace", &namespace]);
    let refused = runtime.apply(&spec(consortium, "foreign")).await;
    assert!(matches!(refused, Err(RuntimeError::Conflict(_))), "{refused:?}");
    let labels = ["get", "namespace", &namespace, "--output", "jsonpath={.metadata.labels}"];
    assert!(!cluster.kubectl(&labels).contains("hansa.dev"), "it was taken over");
}

/// A claim can only grow; a set that was made for a smaller one is made anew around its pod.
async fn volumes_grow_and_never_shrink(cluster: &Cluster, runtime: &KubeRuntime) {
    let mut spec = spec(ConsortiumId::new(), "grown");
    Patient(runtime).apply(&spec).await;
    let first = Patient(runtime).until(spec.node, "running", runs).await;
    spec.generation = spec.generation.next();
    spec.size.volume_gib = 2;
    Patient(runtime).apply(&spec).await;
    let grown = Patient(runtime)
        .until(spec.node, "running in the new size", |w| runs(w) && w.generation == spec.generation)
        .await;
    assert_eq!(first.placement.volume, grown.placement.volume, "it got another volume");
    let (namespace, name) = object(&grown);
    let claim = format!("data-{name}-0");
    let size = "jsonpath={.spec.resources.requests.storage}";
    let get = ["get", "pvc", &claim, "--namespace", &namespace, "--output", size];
    assert_eq!(cluster.kubectl(&get), "2Gi");
    // The lab has no storage driver that would act.
    let waits = grown.trouble.map(|trouble| trouble.fault);
    assert_eq!(waits, Some(Fault::VolumeGrowing), "who waits for the storage driver is told so");
    spec.generation = spec.generation.next();
    spec.size.volume_gib = 1;
    let refused = runtime.apply(&spec).await;
    assert!(matches!(refused, Err(RuntimeError::Invalid(_))), "{refused:?}");
    Patient(runtime).remove(spec.node).await;
}

/// A machine is emptied only as far as the budget lets it; what it says follows what agrees elsewhere.
async fn a_budget_says_what_must_stay(cluster: &Cluster, runtime: &KubeRuntime) {
    let spec = spec(ConsortiumId::new(), "held");
    Patient(runtime).apply(&spec).await;
    let (namespace, _) = object(&Patient(runtime).until(spec.node, "running", runs).await);
    let quorum = Quorum { consortium: spec.consortium, ledger: spec.ledger, stay: 1 };
    Patient(runtime).keep(&quorum).await;
    Patient(runtime).keep(&quorum).await;
    let read = "jsonpath={.items[*].spec.minAvailable}";
    let get = ["get", "pdb", "--namespace", &namespace, "--output", read];
    assert_eq!(cluster.kubectl(&get), "1");
    let less = Quorum { stay: 0, ..quorum };
    Patient(runtime).keep(&less).await;
    assert_eq!(cluster.kubectl(&get), "0", "a budget follows what agrees elsewhere");
    Patient(runtime).remove(spec.node).await;
}

/// A control plane that lost its database finds what it does not know, and touches nothing of it.
async fn strangers_are_listed(cluster: &Cluster) {
    let (theirs, keeping) =
        KubeRuntime::open(cluster.config(), Arc::new(SystemClock)).await.unwrap();
    let keeping = tokio::spawn(keeping);
    let spec = spec(ConsortiumId::new(), "theirs");
    Patient(&*theirs).apply(&spec).await;
    let first = Patient(&*theirs).until(spec.node, "running", runs).await;
    let mut config = cluster.config();
    config.installation = "a-new-database".to_owned();
    let (ours, looking) = KubeRuntime::open(config, Arc::new(SystemClock)).await.unwrap();
    let looking = tokio::spawn(looking);
    let report = ours.probe().await;
    assert_eq!(report.problem, None);
    let (namespace, name) = object(&first);
    assert!(report.strangers.contains(&format!("{namespace}/{name}")), "{report:?}");
    assert_eq!(Patient(&*ours).list().await, [], "what is not ours is not listed as ours");
    assert_eq!(Patient(&*ours).observe(spec.node).await, None);
    Patient(&*ours).remove(spec.node).await;
    let again = Patient(&*theirs).observe(spec.node).await;
    let again = again.expect("it is still there");
    assert_eq!(first.placement, again.placement, "a stranger's node was touched");
    looking.abort();
    keeping.abort();
}

/// Two pods find out whether policies are more than words here, and that nobody answers where nodes would
/// enrol; nothing of them stays. The lab enforces nothing, so a rule of the kernel plays one that does.
async fn what_pods_reach_is_measured(cluster: &Cluster) {
    let host = cluster.lab.host().expect("the lab runs");
    let url = format!("https://{host}:9");
    let measured = async || {
        let config = KubeConfig { enrolment_url: Some(url.clone()), ..cluster.config() };
        let opened = KubeRuntime::open(config, Arc::new(SystemClock)).await;
        let (runtime, keeping) = opened.expect("a configuration");
        let keeping = tokio::spawn(keeping);
        let began = Instant::now();
        let report = loop {
            let report = runtime.probe().await;
            if report.network_policy_enforced.is_some() {
                break report;
            }
            assert!(began.elapsed() < 2 * DEADLINE, "never measured: {report:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        keeping.abort();
        report
    };
    let report = measured().await;
    assert_eq!(report.network_policy_enforced, Some(false), "{report:?}");
    assert_eq!(report.enrolment_reachable, Some(false), "{report:?}");
    let problem = report.network_problem.expect("why");
    assert!(problem.starts_with(&url), "{problem}");
    let drop_closed = ["-p", "tcp", "--dport", "7002", "-j", "DROP"];
    for chain in ["FORWARD", "OUTPUT"] {
        let mut rule = cluster.lab.lab().inside("iptables").expect("the lab runs");
        let added = rule.args(["-I", chain]).args(drop_closed).status().expect("iptables");
        assert!(added.success(), "no rule could be added");
    }
    let report = measured().await;
    assert_eq!(report.network_policy_enforced, Some(true), "{report:?}");
    let left = ["get", "namespaces", "--output", "name"];
    let began = Instant::now();
    while cluster.kubectl(&left).contains("hansa-probe-") {
        assert!(began.elapsed() < DEADLINE, "what tried the network stays");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
