//! Many consortiums in one cluster: pods that a machine of kwok plays, on a real API server.
//!
//! `HANSA_SCALE=1000 cargo test --release -p hansa-runtime-kube --test scale -- --nocapture` measures with
//! as many consortiums; docs/benchmarks.md has the figures. `cargo xtask test kube` runs it with a hundred.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use hansa_core::{ConsortiumId, LedgerId, Secret, SystemClock};
use hansa_runtime::{
    WorkloadSpec,
    conformance::{self, Patient},
};
use hansa_runtime_kube::{
    Access, KubeConfig, KubeRuntime,
    testing::{self, object, runs},
};
use hansa_types::{ClusterSettings, Host};
use kube_lab::Scratch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// Consortiums, unless the environment says another number.
const CONSORTIUMS: usize = 100;
const CONSORTIUMS_BY: &str = "HANSA_SCALE";
const NODES: usize = 4;
/// Wishes that are made at once.
const AT_ONCE: usize = 8;
/// More than the time between two looks at everything.
const AT_REST: Duration = Duration::from_secs(65);
/// How long everything may take to come up or to go, for each hundred consortiums.
const HUNDRED_TIME_MAX: Duration = Duration::from_secs(600);
/// Changes by hand that are measured.
const EDITS: usize = 20;
const EDIT_TIME_MAX: Duration = Duration::from_secs(60);

/// A lab whose pods run on a machine that kwok plays.
struct Played {
    lab: Scratch,
    kwok: Child,
}

impl Drop for Played {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.kwok.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.kwok.wait();
    }
}

impl Played {
    fn start(volumes: usize) -> Self {
        let test = std::env::current_exe().expect("this test");
        let program = test.ancestors().nth(2).expect("a target folder").join("kube-lab");
        let lab = Scratch::start(program).expect("the machine can run a lab");
        let kubectl = &lab.status().kubectl;
        let kwok = kubectl.with_file_name("kwok");
        let mut command = lab.lab().inside(kwok.to_str().expect("UTF-8")).expect("the lab runs");
        command.arg("--kubeconfig").arg(&lab.status().kubeconfig);
        command.args(["--manage-single-node", "played", "--node-lease-duration-seconds", "40"]);
        let stages = std::env::current_dir().expect("a folder").join("tests/scale/kwok.yaml");
        command.arg("--config").arg(stages);
        let kwok = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let kwok = kwok.spawn().expect("kwok");
        let played = Self { lab, kwok };
        let real = played.kubectl(&["get", "nodes", "--output", "name"]);
        played.kubectl(&["cordon", real.trim()]);
        let room = json!({ "cpu": "100000", "memory": "1000Ti", "pods": "100000" });
        let mut objects = vec![
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {
                    "name": "played",
                    "labels": { "kubernetes.io/hostname": "played" },
                },
                "status": { "allocatable": room, "capacity": room },
            }),
            json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": { "name": "played" },
                "provisioner": "kubernetes.io/no-provisioner",
                "volumeBindingMode": "Immediate",
            }),
        ];
        objects.extend((0..volumes).map(|number| {
            json!({
                "apiVersion": "v1", "kind": "PersistentVolume",
                "metadata": { "name": format!("played-{number}") },
                "spec": {
                    "capacity": { "storage": "1Gi" },
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "played",
                    "hostPath": { "path": "/nowhere" },
                },
            })
        }));
        let all = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        let mut create = played.lab.kubectl();
        create.args(["create", "--filename", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = create.spawn().expect("kubectl");
        child.stdin.take().expect("piped").write_all(all.to_string().as_bytes()).expect("read");
        assert!(child.wait().expect("its end").success(), "what is played could not be made");
        played
    }

    fn kubectl(&self, words: &[&str]) -> String {
        let output = self.lab.kubectl().args(words).output().expect("kubectl");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {complaint}", words.join(" "));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn config(&self) -> KubeConfig {
        let text = fs::read_to_string(&self.lab.status().kubeconfig).expect("a kubeconfig");
        let image = format!("hansa.local/hansa-node@sha256:{}", "1".repeat(64));
        KubeConfig {
            access: Access::Kubeconfig(Secret::from(text)),
            installation: "scale".to_owned(),
            settings: ClusterSettings {
                storage_class: Some(Host::try_from("played".to_owned()).expect("a name")),
                ..testing::settings(&image)
            },
            enrolment_url: None,
            enrolment_authority: None,
        }
    }

    /// Requests by server-side apply that were ever answered: nobody else's here.
    fn applied(&self) -> u64 {
        let metrics = self.kubectl(&["get", "--raw", "/metrics"]);
        let lines = metrics.lines().filter(|line| {
            line.starts_with("apiserver_request_total{") && line.contains("verb=\"APPLY\"")
        });
        let count = |line: &str| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let total = lines.filter_map(count).sum::<f64>() as u64;
        total
    }
}

/// Looks until something holds.
async fn until(what: &str, time_max: Duration, holds: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < time_max, "never: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    began.elapsed()
}

/// What this process has used: seconds of a processor, and mebibytes that are resident.
fn used() -> (f64, u64) {
    let stat = fs::read_to_string("/proc/self/stat").expect("proc(5)");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    // After the name: utime and stime are fields 14 and 15 of all, in hundredths of a second.
    let ticks: u32 =
        [fields[11], fields[12]].iter().map(|f| f.parse::<u32>().expect("ticks")).sum();
    let status = fs::read_to_string(Path::new("/proc/self/status")).expect("proc(5)");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kibibytes: u64 = resident.trim().trim_end_matches(" kB").parse().expect("kB");
    (f64::from(ticks) / 100.0, kibibytes / 1_024)
}

/// A controller of many consortiums must not write when nothing changes, and one change among
/// thousands of objects must not wait for the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_consortiums_rest_and_one_change_is_put_right() {
    let consortiums: usize = std::env::var(CONSORTIUMS_BY)
        .map_or(CONSORTIUMS, |number| number.parse().expect("a number of consortiums"));
    let time_max = HUNDRED_TIME_MAX * u32::try_from(consortiums.div_ceil(100)).expect("few");
    let cluster = Played::start(consortiums * NODES);
    let opened = KubeRuntime::open(cluster.config(), Arc::new(SystemClock)).await;
    let (runtime, keeping) = opened.expect("a configuration");
    let keeping = tokio::spawn(keeping);
    let driver = Patient(&*runtime);
    let specs: Vec<WorkloadSpec> = (0..consortiums)
        .flat_map(|_| {
            let (consortium, ledger) = (ConsortiumId::new(), LedgerId::new());
            ["a1", "a2", "b1", "b2"].map(|name| WorkloadSpec {
                ledger,
                ..conformance::spec(consortium, name, "https://hansa.example")
            })
        })
        .collect();
    let began = Instant::now();
    stream::iter(&specs).for_each_concurrent(AT_ONCE, |spec| driver.apply(spec)).await;
    let wished = began.elapsed();
    until("all run", time_max, async || {
        driver.list().await.iter().filter(|w| runs(w)).count() == specs.len()
    })
    .await;
    let up = began.elapsed();

    let (applied, (cpu_before, _), rest) = (cluster.applied(), used(), Instant::now());
    assert!(applied >= specs.len() as u64, "writes are counted: {applied}");
    tokio::time::sleep(AT_REST).await;
    let (cpu, resident) = used();
    assert_eq!(cluster.applied(), applied, "a cluster at rest is written to");
    let load = (cpu - cpu_before) / rest.elapsed().as_secs_f64();

    let mut times = Vec::new();
    for spec in specs.iter().step_by((specs.len() / EDITS).max(1)) {
        let seen = driver.observe(spec.node).await.expect("it runs");
        let (namespace, name) = object(&seen);
        let service = ["service", name.as_str(), "--namespace", namespace.as_str()];
        cluster.kubectl(&[&["delete"][..], &service].concat());
        let get = [&["get"][..], &service, &["--ignore-not-found", "--output", "name"]].concat();
        let back = async || !cluster.kubectl(&get).is_empty();
        times.push(until("a deleted service is back", EDIT_TIME_MAX, back).await);
    }
    times.sort();

    let began = Instant::now();
    stream::iter(&specs).for_each_concurrent(AT_ONCE, |spec| driver.remove(spec.node)).await;
    until("all are gone", time_max, async || driver.list().await.is_empty()).await;
    let retained: BTreeSet<_> = driver.retained().await.into_iter().map(|v| v.node).collect();
    assert_eq!(retained.len(), specs.len(), "a removed node's volume is kept");
    println!(
        "| {consortiums} | {:.0} s wished, {:.0} s up | {load:.3} cores, {resident} MiB, no write | \
         {:.1} s, slowest {:.1} s | {:.0} s |",
        wished.as_secs_f64(),
        up.as_secs_f64(),
        times[times.len() / 2].as_secs_f64(),
        times[times.len() - 1].as_secs_f64(),
        began.elapsed().as_secs_f64(),
    );
    keeping.abort();
}
