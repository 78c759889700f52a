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
    write::{Written, called, write, write_over},
};

/// Where a wish is written.
pub(crate) struct Target<'a> {
    pub(crate) client: &'a Client,
    pub(crate) config: &'a KubeConfig,
}

impl Target<'_> {
    /// Writes everything of one node that is not as it was built; `live` is the set that was found. What
    /// was written.
    pub(crate) async fn apply(
        &self,
        wish: &Wish,
        objects: NodeObjects,
        live: Option<&StatefulSet>,
    ) -> Result<Vec<String>, RuntimeError> {
        let mut written = Vec::new();
        let namespace = wish.namespace();
        let grows = live.map(|live| volume::grows(wish, live)).transpose()?.unwrap_or(false);
        let consortium = build::consortium(self.config, wish.consortium);
        self.consortium(consortium, &namespace, &mut written).await?;
        self.ledger(build::ledger(self.config, wish), &namespace, &mut written).await?;
        let NodeObjects { secret, config_map, service, client_service, stateful_set } = objects;
        if let Some(secret) = secret {
            self.write(&namespace, &secret, &mut written).await?;
        }
        self.write(&namespace, &config_map, &mut written).await?;
        self.write(&namespace, &service, &mut written).await?;
        self.write(&namespace, &client_service, &mut written).await?;
        let sets = self.within::<StatefulSet>(&namespace);
        let mut live = live;
        if let Some(old) = live.filter(|_| grows) {
            volume::grow(self.client, wish, old).await?;
            live = None;
        }
        if write_over(&sets, &self.config.installation, &stateful_set, live).await? {
            written.push(called(&stateful_set));
        }
        Ok(written)
    }

    async fn consortium(
        &self,
        objects: ConsortiumObjects,
        within: &str,
        written: &mut Vec<String>,
    ) -> Result<(), RuntimeError> {
        let ConsortiumObjects { namespace, resource_quota, limit_range, default_deny } = objects;
        let namespaces = Api::all(self.client.clone());
        if write(&namespaces, &self.config.installation, &namespace).await? {
            written.push(called(&namespace));
        }
        self.write(within, &resource_quota, written).await?;
        self.write(within, &limit_range, written).await?;
        self.write(within, &default_deny, written).await
    }

    async fn ledger(
        &self,
        objects: LedgerObjects,
        within: &str,
        written: &mut Vec<String>,
    ) -> Result<(), RuntimeError> {
        let LedgerObjects { network_policy } = objects;
        self.write(within, &network_policy, written).await
    }

    /// Writes one object of a namespace, and notes it if it was written.
    async fn write<K>(
        &self,
        namespace: &str,
        built: &K,
        written: &mut Vec<String>,
    ) -> Result<(), RuntimeError>
    where
        K: Written + Resource<Scope = NamespaceResourceScope>,
    {
        let api = self.within::<K>(namespace);
        if write(&api, &self.config.installation, built).await? {
            written.push(called(built));
        }
        Ok(())
    }

    pub(crate) fn within<K>(&self, namespace: &str) -> Api<K>
    where
        K: Written + Resource<Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }
}
