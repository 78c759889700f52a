//! A wish is written: what the namespace and the ledger need, then the node, its StatefulSet last,
//! because the wish counts from then on.

use hansa_runtime::RuntimeError;
use k8s_openapi::{NamespaceResourceScope, api::apps::v1::StatefulSet};
use kube::{Api, Client, Resource};

use crate::{
    build::{self, ConsortiumObjects, LedgerObjects, NodeObjects},
    config::KubeConfig,
    volume,
    wish::Wish,
    write::{Written, write, write_over},
};

/// Where a wish is written.
pub(crate) struct Target<'a> {
    pub(crate) client: &'a Client,
    pub(crate) config: &'a KubeConfig,
}

impl Target<'_> {
    /// Writes everything of one node; `live` is the set that was found.
    pub(crate) async fn apply(
        &self,
        wish: &Wish,
        objects: NodeObjects,
        live: Option<&StatefulSet>,
    ) -> Result<(), RuntimeError> {
        let namespace = wish.namespace();
        let grows = live.map(|live| volume::grows(wish, live)).transpose()?.unwrap_or(false);
        self.consortium(build::consortium(self.config, wish.consortium), &namespace).await?;
        self.ledger(build::ledger(self.config, wish), &namespace).await?;
        let NodeObjects { secret, config_map, service, client_service, stateful_set } = objects;
        if let Some(secret) = secret {
            self.write(&namespace, &secret).await?;
        }
        self.write(&namespace, &config_map).await?;
        self.write(&namespace, &service).await?;
        self.write(&namespace, &client_service).await?;
        let sets = self.within::<StatefulSet>(&namespace);
        let mut live = live;
        if let Some(old) = live.filter(|_| grows) {
            volume::grow(self.client, wish, old).await?;
            live = None;
        }
        write_over(&sets, &self.config.installation, &stateful_set, live).await
    }

    async fn consortium(
        &self,
        objects: ConsortiumObjects,
        within: &str,
    ) -> Result<(), RuntimeError> {
        let ConsortiumObjects { namespace, resource_quota, limit_range, default_deny } = objects;
        let namespaces = Api::all(self.client.clone());
        write(&namespaces, &self.config.installation, &namespace).await?;
        self.write(within, &resource_quota).await?;
        self.write(within, &limit_range).await?;
        self.write(within, &default_deny).await
    }

    async fn ledger(&self, objects: LedgerObjects, within: &str) -> Result<(), RuntimeError> {
        let LedgerObjects { network_policy } = objects;
        self.write(within, &network_policy).await
    }

    /// Writes one object of a namespace.
    pub(crate) async fn write<K>(&self, namespace: &str, built: &K) -> Result<(), RuntimeError>
    where
        K: Written + Resource<Scope = NamespaceResourceScope>,
    {
        let api = self.within::<K>(namespace);
        write(&api, &self.config.installation, built).await
    }

    pub(crate) fn within<K>(&self, namespace: &str) -> Api<K>
    where
        K: Written + Resource<Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }
}
