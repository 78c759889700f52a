//! Where the nodes of a walk run: processes of this machine, or a cluster in memory.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use async_trait::async_trait;
use hansa_control::{ClusterSpec, Clusters, Connection, Fleet, NoClusters, Probe};
use hansa_core::{ManualClock, NodeId};
use hansa_runtime::RuntimeError;
use hansa_runtime_kube::{Access, KubeConfig, KubeRuntime, fake::FakeCluster};
use hansa_runtime_process::{ProcessRuntime, ProcessRuntimeConfig};
use hansa_types::ClusterReport;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fixture::Installation;

/// Ports of one walk's nodes, and the first walk's first.
const PORTS: u16 = 12;
const FIRST_PORT: u16 = 20_000;
/// A node that waits until it is told to end; the test plays what it says.
const NODE: &str = "#!/bin/sh\ntrap 'kill $!; exit 0' TERM\nwhile :; do sleep 60 & wait $!; done\n";
/// What the cluster is registered as.
const CLUSTER: &str = "lab";
/// The client service, which somebody deletes.
const EDITED: &str = "services";
const CLAIMS: &str = "persistentvolumeclaims";
/// The claim of long ago.
const OLD: &str = "data-old-0";

/// Where nodes run.
pub(super) enum Place {
    /// A folder for processes, and the first of their ports.
    Processes { folder: PathBuf, first_port: u16 },
    /// A cluster that outlives controllers.
    Cluster(FakeCluster),
}

/// The same, for the controller's process.
#[derive(Serialize, Deserialize)]
pub(super) enum Driving {
    Processes { folder: PathBuf, first_port: u16 },
    Clusters,
}

impl Driving {
    pub(super) fn fleet(&self, clock: &Arc<ManualClock>) -> Arc<Fleet> {
        match self {
            Self::Processes { folder, first_port } => {
                let (runtime, supervised) = ProcessRuntime::open(ProcessRuntimeConfig {
                    program: folder.join("node"),
                    folder: folder.join("runtime"),
                    host: None,
                    ports: *first_port..first_port + PORTS,
                    clock: clock.clone(),
                })
                .expect("a folder");
                tokio::spawn(supervised);
                Fleet::new(Some(runtime), Arc::new(NoClusters))
            }
            Self::Clusters => Fleet::new(None, Arc::new(KubeClusters(clock.clone()))),
        }
    }
}

/// Clusters as the controller has them, with the walk's time.
#[derive(Debug)]
struct KubeClusters(Arc<ManualClock>);

#[derive(Debug)]
struct Looking(Arc<KubeRuntime>);

#[async_trait]
impl Probe for Looking {
    async fn probe(&self) -> ClusterReport {
        self.0.probe().await
    }
}

#[async_trait]
impl Clusters for KubeClusters {
    async fn connect(&self, cluster: ClusterSpec) -> Result<Connection, RuntimeError> {
        let config = KubeConfig {
            access: Access::Kubeconfig(cluster.kubeconfig.expect("it was registered with one")),
            installation: cluster.id.to_string(),
            settings: cluster.settings,
            enrolment_url: None,
            enrolment_authority: None,
        };
        let (runtime, keeping) =
            KubeRuntime::open(config, self.0.clone()).await.expect("a cluster");
        let probe = Arc::new(Looking(runtime.clone()));
        Ok(Connection { runtime, probe, keeping: Box::pin(keeping) })
    }
}

impl Place {
    pub(super) async fn processes(_: &Installation, folder: PathBuf) -> Self {
        static PLACES: AtomicU16 = AtomicU16::new(0);
        let program = folder.join("node");
        fs::write(&program, NODE).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
        let first_port = FIRST_PORT + PLACES.fetch_add(1, Ordering::Relaxed) * PORTS;
        Self::Processes { folder, first_port }
    }

    pub(super) async fn cluster(hansa: &Installation, _: PathBuf) -> Self {
        let cluster = FakeCluster::start().await;
        let access = json!({ "kind": "kubeconfig", "kubeconfig": cluster.kubeconfig() });
        let image = format!("registry.example/hansa-node@sha256:{}", "0".repeat(64));
        let body = json!({ "name": CLUSTER, "access": access, "settings": { "image": image } });
        let made = hansa.post(&hansa.platform, "/v1/clusters", &body).await;
        made.expect(StatusCode::CREATED);
        Self::Cluster(cluster)
    }

    pub(super) fn driving(&self) -> Driving {
        match self {
            Self::Processes { folder, first_port } => {
                Driving::Processes { folder: folder.clone(), first_port: *first_port }
            }
            Self::Cluster(_) => Driving::Clusters,
        }
    }

    /// As a node's `runtime` names it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Processes { .. } => "process",
            Self::Cluster(_) => CLUSTER,
        }
    }

    /// The enrolment token that a node was given.
    pub(super) fn token(&self, node: &str) -> Option<String> {
        match self {
            Self::Processes { folder, .. } => {
                fs::read_to_string(workload(folder, node).join("enrolment.token")).ok()
            }
            Self::Cluster(cluster) => {
                let secret = of_node(cluster, "secrets", node).pop()?;
                let token = openssl::base64::decode_block(secret["data"]["token"].as_str()?);
                Some(String::from_utf8(token.ok()?).expect("a token is text"))
            }
        }
    }

    /// How often a node runs.
    pub(super) fn running(&self, node: &str) -> usize {
        match self {
            Self::Processes { folder, .. } => processes(&workload(folder, node)).len(),
            Self::Cluster(cluster) => of_node(cluster, "pods", node).len(),
        }
    }

    /// Takes something of a node away by hand, where somebody could.
    pub(super) fn edit(&self, node: &str) -> bool {
        let Self::Cluster(cluster) = self else { return false };
        for service in of_node(cluster, EDITED, node) {
            let text = |field: &str| service["metadata"][field].as_str().expect("text").to_owned();
            cluster.delete(EDITED, &text("namespace"), &text("name"));
        }
        true
    }

    /// Whether that is back.
    pub(super) fn is_as_wished(&self, node: &str) -> bool {
        match self {
            Self::Processes { .. } => true,
            Self::Cluster(cluster) => of_node(cluster, EDITED, node).len() == 2,
        }
    }

    /// What runs, workloads, retained volumes.
    pub(super) fn left(&self) -> (usize, usize, usize) {
        match self {
            Self::Processes { folder, .. } => {
                let nodes = entries(&folder.join("runtime/nodes"));
                (processes(folder).len(), nodes, self.retained())
            }
            Self::Cluster(cluster) => {
                let [pods, sets] = ["pods", "statefulsets"].map(|kind| cluster.all(kind).len());
                (pods, sets, self.retained())
            }
        }
    }

    /// Volumes of nodes that are gone.
    pub(super) fn retained(&self) -> usize {
        match self {
            Self::Processes { folder, .. } => entries(&folder.join("runtime/retained")),
            Self::Cluster(cluster) => {
                cluster.all(CLAIMS).iter().filter(|claim| is_retained(claim)).count()
            }
        }
    }

    /// Puts a volume of long ago among them.
    pub(super) fn retain_old(&self) {
        match self {
            Self::Processes { folder, .. } => {
                fs::create_dir(old(folder)).expect("a volume of long ago");
            }
            Self::Cluster(cluster) => {
                let found = cluster.all(CLAIMS).into_iter().find(is_retained);
                let mut claim = found.expect("a volume of late");
                let namespace = claim["metadata"]["namespace"].as_str().expect("text").to_owned();
                claim["metadata"]["annotations"]["hansa.dev/retained-since"] = json!("0");
                cluster.make(CLAIMS, &namespace, OLD, claim);
            }
        }
    }

    /// Whether that is destroyed.
    pub(super) fn is_old_gone(&self) -> bool {
        match self {
            Self::Processes { folder, .. } => !old(folder).exists(),
            Self::Cluster(cluster) => {
                !cluster.all(CLAIMS).iter().any(|claim| claim["metadata"]["name"] == OLD)
            }
        }
    }

    /// Ends what runs.
    pub(super) fn end(&self) {
        let Self::Processes { folder, .. } = self else { return };
        for pid in processes(folder) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

fn is_retained(claim: &Value) -> bool {
    claim["metadata"]["labels"]["hansa.dev/retained"] == "true"
}

fn of_node(cluster: &FakeCluster, plural: &str, node: &str) -> Vec<Value> {
    let is_of_node = |object: &Value| object["metadata"]["labels"]["hansa.dev/node"] == node;
    cluster.all(plural).into_iter().filter(is_of_node).collect()
}

fn workload(folder: &Path, node: &str) -> PathBuf {
    folder.join("runtime/nodes").join(node)
}

fn old(folder: &Path) -> PathBuf {
    let nobody = NodeId::from(hansa_core::Uuid::nil());
    folder.join(format!("runtime/retained/{nobody}@0"))
}

/// Node processes whose configuration is in `folder`.
fn processes(folder: &Path) -> Vec<u32> {
    let folder = folder.to_str().expect("text");
    let pids = fs::read_dir("/proc").expect("proc(5)").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.iter().any(|word| word.starts_with(folder.as_bytes()) && word.ends_with(b"node.toml"))
    })
    .collect()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
