//! The process driver against the contract, with real processes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hansa_core::{ConsortiumId, Generation, LedgerId, NodeId, SystemClock, TenantId};
use hansa_runtime::{
    Enrolment, Fault, Instance, Runtime, Size, Workload, WorkloadSpec, WorkloadState,
    conformance::{self, Harness},
};
use hansa_runtime_process::{ProcessRuntime, ProcessRuntimeConfig};
use rustix::process::{Pid, Signal, kill_process};

/// A program that waits until it is told to end, as a node that waits for its enrolment does.
const WAITS: &str =
    "#!/bin/sh\ntrap 'exit 0' TERM\necho \"it starts\"\nwhile :; do sleep 0.05; done\n";

struct Machine {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Machine {
    fn new(script: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, program }
    }

    fn open(
        &self,
        ports: std::ops::Range<u16>,
    ) -> (Arc<ProcessRuntime>, tokio::task::JoinHandle<()>) {
        let config = ProcessRuntimeConfig {
            program: self.program.clone(),
            folder: self.folder.path().join("runtime"),
            ports,
            host: None,
            clock: Arc::new(SystemClock),
        };
        let (runtime, supervised) = ProcessRuntime::open(config).unwrap();
        (runtime, tokio::spawn(supervised))
    }
}

fn spec() -> WorkloadSpec {
    WorkloadSpec {
        node: NodeId::new(),
        consortium: ConsortiumId::new(),
        ledger: LedgerId::new(),
        tenant: TenantId::new(),
        name: "one".parse().unwrap(),
        generation: Generation::FIRST,
        run: true,
        size: Size { cpu_millis: 100, memory_mib: 128, volume_gib: 1 },
        enrolment: Enrolment { url: "http://127.0.0.1:9".to_owned(), token: None },
    }
}

fn kill(workload: &Workload) {
    let pid = i32::try_from(
        workload.placement.instance.as_ref().and_then(Instance::process).expect("it runs"),
    )
    .unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

async fn until(
    runtime: &ProcessRuntime,
    node: NodeId,
    holds: impl Fn(&Workload) -> bool,
) -> Workload {
    let began = std::time::Instant::now();
    loop {
        let found = runtime.observe(node).await.unwrap();
        if let Some(workload) = found.clone().filter(&holds) {
            return workload;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never came; last seen: {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn end(runtime: &ProcessRuntime, node: NodeId) {
    runtime.remove(node).await.unwrap();
    let began = std::time::Instant::now();
    while runtime.observe(node).await.unwrap().is_some() {
        assert!(began.elapsed() < Duration::from_secs(60), "a removed workload is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_driver_passes_the_suite() {
    // The reconcilers rely on every line of the contract.
    let machine = Machine::new(WAITS);
    let (runtime, _supervised) = machine.open(31_000..31_400);
    let harness = Harness {
        runtime,
        crash: Box::new(kill),
        consortium: ConsortiumId::new(),
        enrolment_url: "http://127.0.0.1:9".to_owned(),
    };
    conformance::run(&harness).await;
}

#[tokio::test]
async fn nodes_outlive_their_controller_and_the_next_one_adopts_them() {
    // A dead control plane must stop no ledger, and its successor must not start a second process.
    let machine = Machine::new(WAITS);
    let spec = spec();
    let (first, supervised) = machine.open(31_400..31_500);
    first.apply(&spec).await.unwrap();
    let before = until(&first, spec.node, |w| w.state == WorkloadState::Running).await;
    supervised.abort();
    drop(first);
    let (second, _supervised) = machine.open(31_400..31_500);
    let after = until(&second, spec.node, |w| w.state == WorkloadState::Running).await;
    assert_eq!(before, after, "the process was not adopted as it was");
    // The adopted one is watched like an own child.
    kill(&after);
    let again =
        until(&second, spec.node, |w| w.restarts == 1 && w.placement.instance.is_some()).await;
    assert_ne!(again.placement.instance, after.placement.instance);
    end(&second, spec.node).await;
}

#[tokio::test]
async fn a_process_whose_id_was_never_written_down_is_found_again() {
    // A controller that is killed between starting a process and noting it must not leave a twin.
    let machine = Machine::new(WAITS);
    let spec = spec();
    let (first, supervised) = machine.open(31_500..31_600);
    first.apply(&spec).await.unwrap();
    let before = until(&first, spec.node, |w| w.state == WorkloadState::Running).await;
    supervised.abort();
    drop(first);
    let path = machine.folder.path().join(format!("runtime/nodes/{}/workload.json", spec.node));
    let mut record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["process"] = serde_json::Value::Null;
    std::fs::write(&path, record.to_string()).unwrap();
    let (second, _supervised) = machine.open(31_500..31_600);
    let after = until(&second, spec.node, |w| w.state == WorkloadState::Running).await;
    assert_eq!(before.placement.instance, after.placement.instance, "a second process was started");
    end(&second, spec.node).await;
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_told_with_its_last_words() {
    // A user must see why a node does not run without looking for its machine.
    let machine = Machine::new("#!/bin/sh\necho 'the disk is on fire' >&2\nexit 7\n");
    let spec = spec();
    let (runtime, _supervised) = machine.open(31_600..31_700);
    runtime.apply(&spec).await.unwrap();
    let found = until(&runtime, spec.node, |w| w.restarts >= 2 && w.trouble.is_some()).await;
    let trouble = found.trouble.unwrap();
    assert_eq!(trouble.fault, Fault::Crashed);
    assert!(trouble.detail.contains("the disk is on fire"), "{trouble:?}");
    end(&runtime, spec.node).await;
}

#[tokio::test]
async fn a_missing_program_is_told_as_such() {
    // An installation mistake must not look like a crash of the node.
    let machine = Machine::new(WAITS);
    std::fs::remove_file(&machine.program).unwrap();
    let spec = spec();
    let (runtime, _supervised) = machine.open(31_700..31_800);
    runtime.apply(&spec).await.unwrap();
    let found = until(&runtime, spec.node, |w| w.trouble.is_some()).await;
    assert_eq!(found.trouble.unwrap().fault, Fault::ProgramMissing);
    end(&runtime, spec.node).await;
}
