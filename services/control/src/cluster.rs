//! Clusters. They belong to no tenant: the platform's operator registers them, every tenant may put
//! nodes into them.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{ClusterId, Error, Kind, Result, Revision, Rule, Secret, limits};
use hansa_store::NewCluster;
use hansa_types::{
    Cluster, ClusterAccess, ClusterAccessKind, ClusterCreate, ClusterList, ClusterSettings,
    ClusterUpdate, PROCESS,
};

use crate::{
    act::{Repeat, act},
    control_plane::{ControlPlane, PageQuery},
};

impl ControlPlane {
    /// Registers a cluster.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller operates the platform, [`Error::AlreadyExists`],
    /// [`Error::QuotaExceeded`], [`Error::Invalid`].
    pub async fn cluster_create(
        &self,
        context: &OpContext,
        request: &ClusterCreate,
        repeat: Option<Repeat>,
    ) -> Result<Cluster> {
        act!(begin_platform: self, context, "cluster_create", None, repeat, |act| {
            context.authorize(Action::Create, Subject::Clusters)?;
            let ClusterCreate { name, access, settings } = request;
            if name.as_str() == PROCESS {
                let detail = "this is the name of the runtime that is no cluster";
                return Err(Error::invalid("/name", Rule::Format, detail));
            }
            check(settings)?;
            let (id, now) = (ClusterId::new(), act.now);
            act.about(id.uuid());
            let (access, kubeconfig) = parts(access);
            let (name, settings) = (name.clone(), settings.clone());
            act.tx.cluster_insert(&NewCluster { id, name, access, settings, now }).await?;
            // Kept before it is asked for. If the commit fails, it is kept for nobody.
            self.keep(id, kubeconfig).await?;
            act.tx.cluster_get(id).await
        })
    }

    /// A cluster: whole for the platform's operator, its name and phase for everybody else.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn cluster_get(&self, context: &OpContext, id: ClusterId) -> Result<Cluster> {
        if context.authorize(Action::Modify, Subject::Clusters).is_ok() {
            let mut tx = self.store.system_tx(context.identity_scope()).await?;
            return tx.cluster_get(id).await;
        }
        context.authorize(Action::Read, Subject::Clusters)?;
        let found = self.reading(context).await?.cluster_offered(id).await?;
        found.ok_or(Error::NotFound(Kind::Cluster))
    }

    /// All clusters, in the same way.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a page token of another list.
    pub async fn cluster_list(
        &self,
        context: &OpContext,
        query: &PageQuery,
    ) -> Result<ClusterList> {
        let page = self.page(context, "clusters", query)?;
        let found = if context.authorize(Action::Modify, Subject::Clusters).is_ok() {
            let mut tx = self.store.system_tx(context.identity_scope()).await?;
            tx.cluster_list(page).await?
        } else {
            context.authorize(Action::Read, Subject::Clusters)?;
            self.reading(context).await?.cluster_list_offered(page).await?
        };
        self.listed(context, "clusters", found)
    }

    /// Changes how a cluster is reached, or how nodes run there.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller operates the platform, [`Error::NotFound`],
    /// [`Error::Stale`], [`Error::Invalid`].
    pub async fn cluster_update(
        &self,
        context: &OpContext,
        id: ClusterId,
        expected: Revision,
        request: &ClusterUpdate,
    ) -> Result<Cluster> {
        act!(begin_platform: self, context, "cluster_update", Some(id.uuid()), None, |act| {
            context.authorize(Action::Modify, Subject::Clusters)?;
            let ClusterUpdate { access, settings } = request;
            settings.as_ref().map(check).transpose()?;
            let (access, kubeconfig) = access.as_ref().map(parts).unzip();
            let changed = act.tx.cluster_update(id, expected, access, settings.as_ref()).await?;
            self.keep(id, kubeconfig.flatten()).await?;
            Ok(changed)
        })
    }

    /// Takes a cluster out of the installation. What it retains of removed nodes stays there.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller operates the platform, [`Error::NotFound`],
    /// [`Error::Stale`], [`hansa_core::Refusal::InUse`] while it has nodes.
    pub async fn cluster_delete(
        &self,
        context: &OpContext,
        id: ClusterId,
        expected: Revision,
    ) -> Result<()> {
        self.cluster_end(context, id, expected).await?;
        // Nobody asks for it any more. If the vault does not answer now, it is kept for nobody.
        if let Err(error) = self.vault.secret_delete(id.uuid()).await {
            tracing::warn!(cluster.id = %id, %error, "a kubeconfig stays in the vault");
        }
        Ok(())
    }

    async fn cluster_end(
        &self,
        context: &OpContext,
        id: ClusterId,
        expected: Revision,
    ) -> Result<()> {
        act!(begin_platform: self, context, "cluster_delete", Some(id.uuid()), None, |act| {
            context.authorize(Action::Delete, Subject::Clusters)?;
            act.tx.cluster_end(id, expected, act.now).await
        })
    }

    async fn keep(&self, id: ClusterId, kubeconfig: Option<&Secret>) -> Result<()> {
        match kubeconfig {
            Some(secret) => self.vault.secret_put(id.uuid(), secret).await,
            None => Ok(()),
        }
    }
}

const fn parts(access: &ClusterAccess) -> (ClusterAccessKind, Option<&Secret>) {
    match access {
        ClusterAccess::Kubeconfig { kubeconfig } => {
            (ClusterAccessKind::Kubeconfig, Some(kubeconfig.secret()))
        }
        ClusterAccess::InCluster {} => (ClusterAccessKind::InCluster, None),
    }
}

fn check(settings: &ClusterSettings) -> Result<()> {
    let ClusterSettings { clients, peers, watchers, .. } = settings;
    for (name, list) in [("clients", clients), ("peers", peers), ("watchers", watchers)] {
        if list.len() > limits::CLUSTER_SOURCES_MAX {
            let detail = "must have at most 64 entries";
            return Err(Error::invalid(format!("/settings/{name}"), Rule::Range, detail));
        }
    }
    Ok(())
}
