//! A node ends: its volume is put aside, its objects go, its StatefulSet last, because the wish is
//! there: whoever is cut off begins again with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hansa_core::Timestamp;
use hansa_runtime::RuntimeError;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{Namespace, PersistentVolumeClaim, Secret},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{ListParams, PropagationPolicy},
};

use crate::{
    apply::Target,
    build::{self, NodeObjects},
    driver::KubeRuntime,
    error::of_api,
    names, volume,
    wish::Wish,
    write::{self, Written},
};

/// How old a namespace is before it is taken for forgotten: its first node may be on its way.
const EMPTY_FOR_S: i64 = 600;

impl Target<'_> {
    /// Removes everything of one node but its volume.
    pub(crate) async fn remove(
        &self,
        wish: &Wish,
        live: &StatefulSet,
        now: Timestamp,
    ) -> Result<(), RuntimeError> {
        let namespace = wish.namespace();
        volume::retain(self.client, wish, now).await?;
        let NodeObjects { secret: _, config_map, service, client_service, stateful_set: _ } =
            build::node(self.config, wish, None);
        self.delete_secret(&namespace, &wish.object()).await?;
        self.delete(&namespace, &config_map).await?;
        self.delete(&namespace, &service).await?;
        self.delete(&namespace, &client_service).await?;
        // The set stays until its pod is gone: a node that is told to be removed runs no more.
        write::delete(&self.within(&namespace), live, PropagationPolicy::Foreground).await
    }

    /// Ends a namespace that has neither nodes nor volumes.
    pub(crate) async fn forget(&self, namespace: &str) -> Result<(), RuntimeError> {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let found = namespaces.get_opt(namespace).await.map_err(|e| of_api(namespace, e))?;
        let Some(found) = found else { return Ok(()) };
        write::check_ours(&self.config.installation, &found)?;
        if self.is_used::<StatefulSet>(namespace).await?
            || self.is_used::<PersistentVolumeClaim>(namespace).await?
        {
            return Ok(());
        }
        write::delete(&namespaces, &found, PropagationPolicy::Background).await
    }

    /// Whether a namespace has any object of a kind.
    async fn is_used<K>(&self, namespace: &str) -> Result<bool, RuntimeError>
    where
        K: Written + Resource<Scope = NamespaceResourceScope>,
    {
        let found = self.within::<K>(namespace).list(&ListParams::default().limit(1)).await;
        found.map(|list| !list.items.is_empty()).map_err(|e| of_api(namespace, e))
    }

    async fn delete<K>(&self, namespace: &str, built: &K) -> Result<(), RuntimeError>
    where
        K: Written + Resource<Scope = NamespaceResourceScope>,
    {
        let api = self.within::<K>(namespace);
        let found = api.get_opt(&built.name_any()).await.map_err(|e| of_api(namespace, e))?;
        let Some(found) = found else { return Ok(()) };
        // Something of another's that has taken the name is none of our business.
        if write::check_ours(&self.config.installation, &found).is_err() {
            return Ok(());
        }
        write::delete(&api, &found, PropagationPolicy::Background).await
    }

    async fn delete_secret(&self, namespace: &str, name: &str) -> Result<(), RuntimeError> {
        let mut secret = Secret::default();
        secret.metadata.name = Some(name.to_owned());
        secret.metadata.namespace = Some(namespace.to_owned());
        self.delete(namespace, &secret).await
    }
}

impl KubeRuntime {
    /// Ends namespaces that have had neither nodes nor volumes for a while.
    pub(crate) async fn forget_empty(&self) -> Result<(), RuntimeError> {
        let now = self.clock.now().unix_micros() / 1_000_000;
        let sets = self.caches.stateful_sets.state();
        let claims = self.caches.claims.state();
        let used: BTreeSet<String> = sets
            .iter()
            .filter_map(|set| set.namespace())
            .chain(claims.iter().filter_map(|claim| claim.namespace()))
            .collect();
        for namespace in self.caches.namespaces.state() {
            let made = namespace.metadata.creation_timestamp.as_ref();
            let is_old = made.is_some_and(|made| now - made.0.as_second() >= EMPTY_FOR_S);
            let name = namespace.name_any();
            if is_old && namespace.labels().contains_key(names::PROBE) {
                // Who tried the network in it is long gone.
                let namespaces = Api::all(self.client().clone());
                write::delete(&namespaces, &*namespace, PropagationPolicy::Background).await?;
            } else if is_old && !used.contains(&name) {
                self.target().forget(&name).await?;
            }
        }
        self.forget_ledgers(&sets, now).await
    }

    /// Ends what ledgers had besides their nodes, once these are gone.
    async fn forget_ledgers(
        &self,
        sets: &[Arc<StatefulSet>],
        now: i64,
    ) -> Result<(), RuntimeError> {
        let ledger = |labels: &BTreeMap<String, String>| labels.get(names::LEDGER).cloned();
        let used: BTreeSet<String> = sets.iter().filter_map(|set| ledger(set.labels())).collect();
        let is_left = |meta: &ObjectMeta| {
            let ledger = meta.labels.as_ref().and_then(ledger);
            let made = meta.creation_timestamp.as_ref();
            ledger.is_some_and(|ledger| !used.contains(&ledger))
                && made.is_some_and(|made| now - made.0.as_second() >= EMPTY_FOR_S)
        };
        for policy in self.caches.network_policies.state() {
            if is_left(&policy.metadata) {
                let namespace = policy.namespace().unwrap_or_default();
                self.target().delete(&namespace, &*policy).await?;
            }
        }
        for budget in self.caches.budgets.state() {
            if is_left(&budget.metadata) {
                let namespace = budget.namespace().unwrap_or_default();
                self.target().delete(&namespace, &*budget).await?;
            }
        }
        Ok(())
    }
}

/// What is called by a node's name in its namespace, for its events.
pub(crate) fn names_of(wish: &Wish) -> Vec<String> {
    let object = wish.object();
    vec![names::pod(&object), names::claim(&object), object]
}
