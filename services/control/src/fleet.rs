//! Where nodes run: the machine of the controller, and clusters that come and go.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use hansa_core::{ClusterId, Revision, Secret};
use hansa_runtime::{Runtime, RuntimeError};
use hansa_types::{ClusterReport, ClusterSettings};
use tokio::task::AbortHandle;

/// A cluster to be connected to.
#[derive(Debug)]
pub struct ClusterSpec {
    /// Its id: what is ours there carries it.
    pub id: ClusterId,
    /// How nodes run there.
    pub settings: ClusterSettings,
    /// A kubeconfig; none for the cluster around this process.
    pub kubeconfig: Option<Secret>,
}

/// Makes drivers for clusters.
#[async_trait]
pub trait Clusters: Debug + Send + Sync {
    /// A driver for a cluster, which need not answer yet.
    async fn connect(&self, cluster: ClusterSpec) -> Result<Connection, RuntimeError>;
}

/// What looks at a cluster.
#[async_trait]
pub trait Probe: Debug + Send + Sync {
    /// What is found in it. That it does not answer is a finding too.
    async fn probe(&self) -> ClusterReport;
}

/// A driver for a cluster.
#[expect(missing_debug_implementations, reason = "it holds a future")]
pub struct Connection {
    /// The driver.
    pub runtime: Arc<dyn Runtime>,
    /// What looks at the cluster.
    pub probe: Arc<dyn Probe>,
    /// Keeps the cluster's nodes as wished until it is dropped.
    pub keeping: BoxFuture<'static, ()>,
}

/// No cluster can be connected to: for installations that have none.
#[derive(Debug)]
pub struct NoClusters;

#[async_trait]
impl Clusters for NoClusters {
    async fn connect(&self, _: ClusterSpec) -> Result<Connection, RuntimeError> {
        Err(RuntimeError::Unsupported("clusters"))
    }
}

/// Every place where nodes run.
#[derive(Debug)]
pub struct Fleet {
    process: Option<Arc<dyn Runtime>>,
    clusters: Arc<dyn Clusters>,
    connected: Mutex<BTreeMap<ClusterId, Connected>>,
}

#[derive(Debug)]
struct Connected {
    /// Of the cluster that it was made from: after a change it is made anew.
    revision: Revision,
    runtime: Arc<dyn Runtime>,
    probe: Arc<dyn Probe>,
    keeping: AbortHandle,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

impl Fleet {
    /// One with a runtime for processes, if nodes run on this machine, and no cluster yet.
    #[must_use]
    pub fn new(process: Option<Arc<dyn Runtime>>, clusters: Arc<dyn Clusters>) -> Arc<Self> {
        Arc::new(Self { process, clusters, connected: Mutex::default() })
    }

    /// Where the nodes of a cluster run, or processes for none.
    ///
    /// # Errors
    /// [`RuntimeError::Transient`] while it is not connected, [`RuntimeError::Unsupported`] for
    /// processes where none run.
    pub fn runtime(&self, cluster: Option<ClusterId>) -> Result<Arc<dyn Runtime>, RuntimeError> {
        match cluster {
            None => self.process.clone().ok_or(RuntimeError::Unsupported("processes")),
            Some(id) => {
                let connected = self.connected();
                let found = connected.get(&id).map(|cluster| cluster.runtime.clone());
                found.ok_or_else(|| {
                    RuntimeError::Transient("the cluster is not connected yet".to_owned())
                })
            }
        }
    }

    /// Every runtime that is connected, by its cluster.
    #[must_use]
    pub fn all(&self) -> Vec<(Option<ClusterId>, Arc<dyn Runtime>)> {
        let process = self.process.clone().map(|runtime| (None, runtime));
        let connected = self.connected();
        let clusters = connected.iter().map(|(id, cluster)| (Some(*id), cluster.runtime.clone()));
        process.into_iter().chain(clusters).collect()
    }

    /// Whether a cluster is connected as of a revision.
    pub(crate) fn is_connected(&self, id: ClusterId, revision: Revision) -> bool {
        self.connected().get(&id).is_some_and(|cluster| cluster.revision == revision)
    }

    /// What looks at a cluster.
    pub(crate) fn probe(&self, id: ClusterId) -> Option<Arc<dyn Probe>> {
        self.connected().get(&id).map(|cluster| cluster.probe.clone())
    }

    /// Connects to a cluster, in place of the driver that was there.
    pub(crate) async fn connect(
        &self,
        spec: ClusterSpec,
        revision: Revision,
    ) -> Result<(), RuntimeError> {
        let id = spec.id;
        let Connection { runtime, probe, keeping } = self.clusters.connect(spec).await?;
        let keeping = tokio::spawn(keeping).abort_handle();
        self.connected().insert(id, Connected { revision, runtime, probe, keeping });
        Ok(())
    }

    /// Leaves clusters that are not in a list. Their nodes go on.
    pub(crate) fn keep_only(&self, ids: &[ClusterId]) {
        self.connected().retain(|id, _| ids.contains(id));
    }

    fn connected(&self) -> MutexGuard<'_, BTreeMap<ClusterId, Connected>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
