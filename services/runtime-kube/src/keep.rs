//! What was wished stays so: objects that were edited or deleted by others are written again, and
//! pods of an older wish are ended.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use hansa_runtime::RuntimeError;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{
    ResourceExt as _,
    api::PropagationPolicy,
    runtime::reflector::{ObjectRef, Store},
};

use crate::{
    build::{self, ConsortiumObjects, LedgerObjects, NodeObjects},
    driver::{KubeRuntime, in_time},
    names, observe,
    watch::get,
    wish::Wish,
    write::{self, Written, is_as_built},
};

/// Between two looks at everything: what no event told is found then.
const RESYNC_EVERY: Duration = Duration::from_secs(60);
/// Before what failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How long one node may take to be put right.
const KEEP_TIME_MAX: Duration = Duration::from_secs(20);
/// Namespaces that are worked on at once.
const NAMESPACES_AT_ONCE: usize = 8;

impl KubeRuntime {
    /// Keeps everything as wished until it is dropped.
    pub(crate) async fn keep_all(self: Arc<Self>) {
        self.caches.filled().await;
        let mut resync = tokio::time::interval(RESYNC_EVERY);
        let mut retry = tokio::time::interval(RETRY_AFTER);
        for timer in [&mut resync, &mut retry] {
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                () = self.touched.changed() => {}
                _ = retry.tick() => {}
                _ = resync.tick() => {
                    for set in self.caches.stateful_sets.state() {
                        self.touched.put(set.namespace().unwrap_or_default());
                    }
                }
            }
            self.keep_touched().await;
        }
    }

    async fn keep_touched(&self) {
        let touched = self.touched.take();
        if touched.is_empty() {
            return;
        }
        let mut sets = BTreeMap::<String, Vec<Arc<StatefulSet>>>::new();
        for set in self.caches.stateful_sets.state() {
            let namespace = set.namespace().unwrap_or_default();
            if touched.contains(&namespace) {
                sets.entry(namespace).or_default().push(set);
            }
        }
        stream::iter(sets)
            .for_each_concurrent(NAMESPACES_AT_ONCE, |(namespace, sets)| async move {
                for set in sets {
                    if let Err(error) = in_time(KEEP_TIME_MAX, self.keep_one(&set)).await {
                        tracing::warn!(set = write::called(&*set), %error, "not kept yet");
                        self.touched.put(namespace.clone());
                    }
                }
            })
            .await;
    }

    /// Takes one node as far as it can go now.
    async fn keep_one(&self, set: &StatefulSet) -> Result<(), RuntimeError> {
        // One that is being removed is left to its removal.
        let Some(wish) = Wish::read(set.metadata.annotations.as_ref()) else { return Ok(()) };
        if set.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let differing = self.differing(&wish, set);
        if !differing.is_empty() {
            let objects = differing.join(", ");
            tracing::info!(node.id = %wish.node, objects, "not as wished; they are written again");
            // What is there now counts, not what was seen: somebody may have wished anew.
            let Some((wish, live)) = self.ask(wish.node).await? else { return Ok(()) };
            if live.metadata.deletion_timestamp.is_some() {
                return Ok(());
            }
            let objects = build::node(&self.config, &wish, None);
            self.target().apply(&wish, objects, Some(&live)).await?;
        }
        self.end_outdated(&wish).await
    }

    /// Objects that are not as they were built, by the caches: what stands around a node, and its own.
    fn differing(&self, wish: &Wish, set: &StatefulSet) -> Vec<String> {
        let (config, caches) = (&self.config, &self.caches);
        let namespace = wish.namespace();
        let NodeObjects { secret: _, config_map, service, client_service, stateful_set } =
            build::node(config, wish, None);
        let LedgerObjects { network_policy } = build::ledger(config, wish);
        let ConsortiumObjects { namespace: space, resource_quota, limit_range, default_deny } =
            build::consortium(config, wish.consortium);
        let space_at = ObjectRef::new(&namespace);
        [
            differs(Some(set), &stateful_set),
            differs(caches.namespaces.get(&space_at).as_deref(), &space),
            differs_within(&caches.config_maps, &namespace, &config_map),
            differs_within(&caches.services, &namespace, &service),
            differs_within(&caches.services, &namespace, &client_service),
            differs_within(&caches.network_policies, &namespace, &network_policy),
            differs_within(&caches.network_policies, &namespace, &default_deny),
            differs_within(&caches.resource_quotas, &namespace, &resource_quota),
            differs_within(&caches.limit_ranges, &namespace, &limit_range),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Ends a pod of an older wish; the cluster makes the next one.
    async fn end_outdated(&self, wish: &Wish) -> Result<(), RuntimeError> {
        let namespace = wish.namespace();
        let name = names::pod(&wish.object());
        let Some(pod) = get(&self.caches.pods, &namespace, &name) else { return Ok(()) };
        if !wish.run || !observe::is_outdated(wish, &pod) {
            return Ok(());
        }
        tracing::info!(node.id = %wish.node, pod = name, "ended, to start in the wished generation");
        write::delete(&self.target().within(&namespace), &*pod, PropagationPolicy::Background).await
    }
}

/// What an object is called that is not there as it was built.
fn differs<K: Written>(live: Option<&K>, built: &K) -> Option<String> {
    let is_kept = live.is_some_and(|live| is_as_built(built, live));
    (!is_kept).then(|| write::called(built))
}

/// The same, by the cache of its kind.
fn differs_within<K>(store: &Store<K>, namespace: &str, built: &K) -> Option<String>
where
    K: Written + 'static,
{
    differs(get(store, namespace, &built.name_any()).as_deref(), built)
}
