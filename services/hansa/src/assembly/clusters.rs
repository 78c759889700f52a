//! Drivers of clusters, for the controller.

use std::sync::Arc;

use async_trait::async_trait;
use hansa_control::{ClusterSpec, Clusters, Connection, Probe};
use hansa_core::SystemClock;
use hansa_runtime::RuntimeError;
use hansa_runtime_kube::{Access, KubeConfig, KubeRuntime};
use hansa_types::ClusterReport;

/// Kubernetes clusters.
#[derive(Debug)]
pub(crate) struct KubeClusters {
    /// The address that nodes in clusters enrol with; nothing is measured without it.
    pub(crate) enrolment_url: Option<String>,
    /// Authorities that the address of the enrolment may chain to, PEM; the public ones without it.
    pub(crate) enrolment_authority: Option<String>,
}

#[async_trait]
impl Clusters for KubeClusters {
    async fn connect(&self, cluster: ClusterSpec) -> Result<Connection, RuntimeError> {
        let ClusterSpec { id, settings, kubeconfig } = cluster;
        let config = KubeConfig {
            access: kubeconfig.map_or(Access::InCluster, Access::Kubeconfig),
            installation: id.to_string(),
            settings,
            enrolment_url: self.enrolment_url.clone(),
            enrolment_authority: self.enrolment_authority.clone(),
        };
        let opened = KubeRuntime::open(config, Arc::new(SystemClock)).await;
        let (runtime, keeping) =
            opened.map_err(|error| RuntimeError::Invalid(error.to_string()))?;
        let probe = Arc::new(Looking(runtime.clone()));
        Ok(Connection { runtime, probe, keeping: Box::pin(keeping) })
    }
}

#[derive(Debug)]
struct Looking(Arc<KubeRuntime>);

#[async_trait]
impl Probe for Looking {
    async fn probe(&self) -> ClusterReport {
        self.0.probe().await
    }
}
