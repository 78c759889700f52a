//! Clusters: connected to as they were registered, and looked at now and then.

use futures::future::join_all;
use hansa_core::{Error, Result, external_write, limits};
use hansa_store::DrivenCluster;
use hansa_types::{ClusterAccessKind, ClusterPhase, ClusterReport};

use super::{Controller, log_failure};
use crate::fleet::ClusterSpec;

impl Controller {
    /// Connects to every cluster as it is registered now, and leaves those that are no more.
    pub(super) async fn connect_clusters(&self) -> Result<()> {
        let clusters = self.tx().await?.cluster_driven().await?;
        let ids: Vec<_> = clusters.iter().map(|cluster| cluster.id).collect();
        self.fleet.keep_only(&ids);
        for cluster in &clusters {
            if self.fleet.is_connected(cluster.id, cluster.revision) || self.failed_lately(cluster)
            {
                continue;
            }
            if let Err(error) = self.connect_cluster(cluster).await {
                log_failure("cluster", &error);
            }
        }
        Ok(())
    }

    /// What was refused a moment ago is not asked again at once; a change by people makes it pending.
    fn failed_lately(&self, cluster: &DrivenCluster) -> bool {
        cluster.phase == ClusterPhase::Unreachable
            && cluster.reported_at.is_some_and(|at| at > self.now() - limits::CLUSTER_RETRY_AFTER)
    }

    async fn connect_cluster(&self, cluster: &DrivenCluster) -> Result<()> {
        let kubeconfig = match cluster.access {
            ClusterAccessKind::InCluster => None,
            ClusterAccessKind::Kubeconfig => Some(self.vault.secret_get(cluster.id.uuid()).await?),
        };
        let (id, settings) = (cluster.id, cluster.settings.clone());
        let spec = ClusterSpec { id, settings, kubeconfig };
        match self.fleet.connect(spec, cluster.revision).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let report =
                    ClusterReport { problem: Some(error.to_string()), ..ClusterReport::default() };
                self.report(cluster, &report).await?;
                Err(Error::unavailable(error))
            }
        }
    }

    /// Looks at every cluster that is new or changed, or whose last report has become old. One that
    /// does not answer keeps no other from its look.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn probe_clusters(&self) -> Result<()> {
        let old = self.now() - limits::CLUSTER_PROBE_EVERY;
        let mut clusters = self.tx().await?.cluster_driven().await?;
        clusters.retain(|cluster| {
            cluster.phase == ClusterPhase::Pending || cluster.reported_at.is_none_or(|at| at <= old)
        });
        join_all(clusters.iter().map(|cluster| async {
            if let Err(error) = self.probe_cluster(cluster).await {
                log_failure("cluster", &error);
            }
        }))
        .await;
        Ok(())
    }

    async fn probe_cluster(&self, cluster: &DrivenCluster) -> Result<()> {
        // One that was changed is looked at as it is now, once it is connected to.
        if !self.fleet.is_connected(cluster.id, cluster.revision) {
            return Ok(());
        }
        let Some(probe) = self.fleet.probe(cluster.id) else { return Ok(()) };
        self.report(cluster, &probe.probe().await).await
    }

    async fn report(&self, cluster: &DrivenCluster, report: &ClusterReport) -> Result<()> {
        let phase = match report.problem {
            None => ClusterPhase::Ready,
            Some(_) => ClusterPhase::Unreachable,
        };
        let mut tx = self.tx().await?;
        tx.cluster_report(cluster.id, phase, report, self.now()).await?;
        external_write!(ClusterReport, tx.commit().await)
    }
}
