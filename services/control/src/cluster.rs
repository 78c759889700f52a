//! Clusters. They belong to no tenant: the platform's operator registers them, every tenant may put
//! nodes into them.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{ClusterId, Error, Kind, Result, Revision, Rule, Secret, limits};
use hansa_store::{Claim, NewCluster};
use hansa_types::{
    Cluster, ClusterAccess, ClusterAccessKind, ClusterCreate, ClusterList, ClusterSettings,
    ClusterUpdate, Code, PROCESS,
};

use crate::{
    act::{Record, Repeat},
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
        let record = self.intend(context, "cluster_create", None).await?;
        let done = self.cluster_create_recorded(context, request, repeat, &record).await;
        if let Err(error) = &done {
            record.refused(Code::of(error), self.now()).await;
        }
        done
    }

    async fn cluster_create_recorded(
        &self,
        context: &OpContext,
        request: &ClusterCreate,
        repeat: Option<Repeat>,
        record: &Record,
    ) -> Result<Cluster> {
        context.authorize(Action::Create, Subject::Clusters)?;
        let platform = context.tenant().ok_or(Error::Unauthenticated)?;
        let ClusterCreate { name, access, settings } = request;
        if name.as_str() == PROCESS {
            let detail = "this is the name of the runtime that is no cluster";
            return Err(Error::invalid("/name", Rule::Format, detail));
        }
        check(settings)?;
        let now = self.now();
        let repeat = context.actor().id().zip(repeat);
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        if let Some((principal, Repeat { key, request })) = &repeat {
            let claim = tx.idempotency_claim(platform, *principal, key, *request, now).await?;
            if let Claim::Answered(answer) = claim {
                tx.audit_append(platform, &record.entry(now, Some(&Ok(())))).await?;
                tx.commit().await?;
                return serde_json::from_value(answer).map_err(Error::internal);
            }
        }
        let id = ClusterId::new();
        let (access, kubeconfig) = parts(access);
        let (name, settings) = (name.clone(), settings.clone());
        tx.cluster_insert(&NewCluster { id, name, access, settings, now }).await?;
        // Kept before it is asked for. If the commit fails, it is kept for nobody.
        self.keep(id, kubeconfig).await?;
        let made = tx.cluster_get(id).await?;
        if let Some((principal, Repeat { key, .. })) = &repeat {
            let answer = serde_json::to_value(&made).map_err(Error::internal)?;
            tx.idempotency_save(platform, *principal, key, &answer).await?;
        }
        tx.audit_append(platform, &record.entry(now, Some(&Ok(())))).await?;
        tx.commit().await?;
        Ok(made)
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
        let record = self.intend(context, "cluster_update", Some(id.uuid())).await?;
        let done = self.cluster_update_recorded(context, id, expected, request, &record).await;
        if let Err(error) = &done {
            record.refused(Code::of(error), self.now()).await;
        }
        done
    }

    async fn cluster_update_recorded(
        &self,
        context: &OpContext,
        id: ClusterId,
        expected: Revision,
        request: &ClusterUpdate,
        record: &Record,
    ) -> Result<Cluster> {
        context.authorize(Action::Modify, Subject::Clusters)?;
        let platform = context.tenant().ok_or(Error::Unauthenticated)?;
        let ClusterUpdate { access, settings } = request;
        settings.as_ref().map(check).transpose()?;
        let (access, kubeconfig) = access.as_ref().map(parts).unzip();
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        let cluster = tx.cluster_update(id, expected, access, settings.as_ref()).await?;
        self.keep(id, kubeconfig.flatten()).await?;
        tx.audit_append(platform, &record.entry(self.now(), Some(&Ok(())))).await?;
        tx.commit().await?;
        Ok(cluster)
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
        let record = self.intend(context, "cluster_delete", Some(id.uuid())).await?;
        let done = self.cluster_delete_recorded(context, id, expected, &record).await;
        if let Err(error) = &done {
            record.refused(Code::of(error), self.now()).await;
        }
        done
    }

    async fn cluster_delete_recorded(
        &self,
        context: &OpContext,
        id: ClusterId,
        expected: Revision,
        record: &Record,
    ) -> Result<()> {
        context.authorize(Action::Delete, Subject::Clusters)?;
        let platform = context.tenant().ok_or(Error::Unauthenticated)?;
        let now = self.now();
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        tx.cluster_end(id, expected, now).await?;
        tx.audit_append(platform, &record.entry(now, Some(&Ok(())))).await?;
        tx.commit().await?;
        // Nobody asks for it any more. If the vault does not answer now, it is kept for nobody.
        if let Err(error) = self.vault.secret_delete(id.uuid()).await {
            tracing::warn!(cluster.id = %id, %error, "a kubeconfig stays in the vault");
        }
        Ok(())
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
