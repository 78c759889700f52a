//! The cluster's driver against a real cluster, with the real node image.
//!
//! `cargo xtask test kube` makes the image and names it here.

use std::{path::PathBuf, sync::Arc};

use hansa_core::{ConsortiumId, Secret, SystemClock};
use hansa_runtime::{
    Instance, Workload,
    conformance::{self, Harness},
};
use hansa_runtime_kube::{Access, KubeConfig, KubeRuntime};
use hansa_types::{ClusterSettings, Expose, ImageDigest, Spread};
use kube_lab::{Lab, Status, folder::Folder};

/// Names the archive of the nodes' image.
const IMAGE_BY: &str = "HANSA_NODE_IMAGE";

struct Cluster {
    lab: Lab,
    status: Status,
    image: String,
    _folder: tempfile::TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.lab.down(false);
    }
}

impl Cluster {
    fn start() -> Self {
        let archive = std::env::var_os(IMAGE_BY)
            .unwrap_or_else(|| panic!("{IMAGE_BY} is not set: run `cargo xtask test kube`"));
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::new(Folder::new(Some(folder.path().join("lab"))).unwrap(), program());
        let status = lab.up(&|what| eprintln!("{what}")).expect("the machine can run a lab");
        let image = lab.load_image(&PathBuf::from(archive)).expect("an archive");
        Self { lab, status, image, _folder: folder }
    }

    fn config(&self) -> KubeConfig {
        let kubeconfig = std::fs::read_to_string(&self.status.kubeconfig).unwrap();
        KubeConfig {
            access: Access::Kubeconfig(Secret::from(kubeconfig)),
            installation: "conformance".to_owned(),
            settings: ClusterSettings {
                image: ImageDigest::try_from(self.image.clone()).expect("a digest"),
                storage_class: None,
                spread: Spread::Preferred,
                expose: Expose::ClusterIp,
                clients: Vec::new(),
                peers: Vec::new(),
                watchers: Vec::new(),
            },
            enrolment_authority: None,
        }
    }

    /// Kills a container as the kernel would.
    fn crash(&self, workload: &Workload) {
        let Some(Instance::Container { id, .. }) = &workload.placement.instance else {
            panic!("no container runs: {workload:?}")
        };
        let id = id.trim_start_matches("containerd://");
        let mut ctr = self.lab.inside("ctr").expect("the lab runs");
        ctr.args(["--address", kube_lab::CONTAINERD, "--namespace", "k8s.io", "tasks", "kill"]);
        let killed = ctr.args(["--signal", "SIGKILL", id]).status().expect("ctr runs");
        assert!(killed.success(), "the container {id} could not be killed");
    }
}

/// The lab's own program, beside the test programs.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).expect("a target folder").join("kube-lab")
}

/// The contract is the same wherever nodes run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_passes_the_suite_of_the_drivers() {
    let cluster = Arc::new(Cluster::start());
    let (runtime, keeping) =
        KubeRuntime::open(cluster.config(), Arc::new(SystemClock)).await.expect("a cluster");
    let keeping = tokio::spawn(keeping);
    let crashing = Arc::clone(&cluster);
    let harness = Harness {
        runtime,
        crash: Box::new(move |workload| crashing.crash(workload)),
        consortium: ConsortiumId::new(),
        enrolment_url: "http://127.0.0.1:9".to_owned(),
    };
    conformance::run(&harness).await;
    keeping.abort();
}
