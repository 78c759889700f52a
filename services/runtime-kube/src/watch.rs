//! What is in the cluster, kept up to date by watches: a missed event is found by the next list.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt as _, future::BoxFuture};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{
        ConfigMap, LimitRange, Namespace, PersistentVolumeClaim, Pod, ResourceQuota, Service,
    },
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::{hearing::Hearing, names};

/// Objects of one answer of a list.
const PAGE: u32 = 500;
/// Fields that say who wrote what: large, and read by nobody here.
type Managed = Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry>>;
const UNMANAGED: Managed = None;

/// All objects of one installation in a cluster.
#[derive(Debug)]
pub(crate) struct Caches {
    pub(crate) namespaces: Store<Namespace>,
    pub(crate) resource_quotas: Store<ResourceQuota>,
    pub(crate) limit_ranges: Store<LimitRange>,
    pub(crate) network_policies: Store<NetworkPolicy>,
    pub(crate) config_maps: Store<ConfigMap>,
    pub(crate) services: Store<Service>,
    pub(crate) stateful_sets: Store<StatefulSet>,
    pub(crate) pods: Store<Pod>,
    pub(crate) claims: Store<PersistentVolumeClaim>,
    pub(crate) budgets: Store<PodDisruptionBudget>,
    pub(crate) hearing: Arc<Hearing>,
}

impl Caches {
    /// Caches that fill, and what fills them until it is dropped.
    pub(crate) fn open(
        client: &Client,
        installation: &str,
        touched: &Arc<Touched>,
    ) -> (Self, BoxFuture<'static, ()>) {
        let selector = format!("{}={installation}", names::INSTALLATION);
        let hearing = Arc::new(Hearing::default());
        let watching = Watching { client, selector: &selector, touched, hearing: &hearing };
        let (namespaces, a) = watching.open();
        let (resource_quotas, b) = watching.open();
        let (limit_ranges, c) = watching.open();
        let (network_policies, d) = watching.open();
        let (config_maps, e) = watching.open();
        let (services, f) = watching.open();
        let (stateful_sets, g) = watching.open();
        let (pods, h) = watching.open();
        let (claims, i) = watching.open();
        let (budgets, j) = watching.open();
        let caches = Self {
            namespaces,
            resource_quotas,
            limit_ranges,
            network_policies,
            config_maps,
            services,
            stateful_sets,
            pods,
            claims,
            budgets,
            hearing,
        };
        let all = futures::future::join_all([a, b, c, d, e, f, g, h, i, j]);
        (caches, Box::pin(async move { drop(all.await) }))
    }

    /// Waits until every cache has had its first list.
    pub(crate) async fn filled(&self) {
        // Each ends when its writer does, with the process.
        let _ = tokio::join!(
            self.namespaces.wait_until_ready(),
            self.resource_quotas.wait_until_ready(),
            self.limit_ranges.wait_until_ready(),
            self.network_policies.wait_until_ready(),
            self.config_maps.wait_until_ready(),
            self.services.wait_until_ready(),
            self.stateful_sets.wait_until_ready(),
            self.pods.wait_until_ready(),
            self.claims.wait_until_ready(),
            self.budgets.wait_until_ready(),
        );
    }
}

/// An object of a namespace, by its name.
pub(crate) fn get<K>(store: &Store<K>, namespace: &str, name: &str) -> Option<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store.get(&ObjectRef::new(name).within(namespace))
}

/// Namespaces in which something has changed. One that changes often is looked at once.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    namespaces: Mutex<BTreeSet<String>>,
    notify: Notify,
}

impl Touched {
    /// Something has changed there.
    pub(crate) fn touch(&self, namespace: String) {
        self.put(namespace);
        self.notify.notify_one();
    }

    /// To be looked at with the next round, which this does not bring about.
    pub(crate) fn put(&self, namespace: String) {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).insert(namespace);
    }

    /// Everything since the last call.
    pub(crate) fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.namespaces.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a change.
    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }
}

struct Watching<'a> {
    client: &'a Client,
    selector: &'a str,
    touched: &'a Arc<Touched>,
    hearing: &'a Arc<Hearing>,
}

impl Watching<'_> {
    fn open<K>(&self) -> (Store<K>, BoxFuture<'static, ()>)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Hash + Eq,
    {
        let (store, writer) = reflector::store();
        let config = watcher::Config::default().labels(self.selector).page_size(PAGE);
        let (touched, hearing) = (Arc::clone(self.touched), Arc::clone(self.hearing));
        let kind = K::kind(&()).into_owned();
        hearing.begin(&kind);
        let stream = watcher(Api::<K>::all(self.client.clone()), config)
            .default_backoff()
            .inspect(move |event| hearing.heard(&kind, event))
            .modify(|object| object.meta_mut().managed_fields = UNMANAGED)
            .reflect(writer)
            .touched_objects();
        let watched = stream.for_each(move |event| {
            match event {
                // A namespace is in none but is one.
                Ok(object) => {
                    touched.touch(object.namespace().unwrap_or_else(|| object.name_any()));
                }
                Err(error) => {
                    tracing::warn!(kind = %K::kind(&()), %error, "a watch was cut; it is taken up");
                }
            }
            std::future::ready(())
        });
        (store, Box::pin(watched))
    }
}
