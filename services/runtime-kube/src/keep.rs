//! What was wished stays so: objects that were edited or deleted by others are written again, and
//! pods of an older wish are ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use hansa_runtime::{Correction, RuntimeError};
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
                _ = resync.tick() => self.touch_all(),
            }
            self.keep_touched().await;
        }
    }

    fn touch_all(&self) {
        let mut nodes = BTreeSet::new();
        for set in self.caches.stateful_sets.state() {
            nodes.extend(Wish::read(set.metadata.annotations.as_ref()).map(|wish| wish.node));
            self.touched.put(set.namespace().unwrap_or_default());
        }
        self.corrections.retain(&nodes);
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
        if self.is_as_wished(&wish, set) {
            self.corrections.is_as_wished(wish.node);
        } else {
            let before = wish.generation;
            // What is there now counts, not what was seen: somebody may have wished anew.
            let Some((wish, live)) = self.ask(wish.node).await? else { return Ok(()) };
            if live.metadata.deletion_timestamp.is_some() {
                return Ok(());
            }
            let objects = build::node(&self.config, &wish, None);
            let written = self.target().apply(&wish, objects, Some(&live)).await?;
            if !written.is_empty() && before == wish.generation {
                let what = written.join(", ");
                tracing::info!(node.id = %wish.node, what, "was not as wished; written again");
                let correction = Correction { node: wish.node, what, at: self.clock.now() };
                self.corrections.put_right(correction);
            }
            self.corrections.is_as_wished(wish.node);
        }
        self.end_outdated(&wish).await
    }

    /// Whether everything of a node is as it was built, by the caches: what stands around it, and its
    /// own.
    fn is_as_wished(&self, wish: &Wish, set: &StatefulSet) -> bool {
        let (config, caches) = (&self.config, &self.caches);
        let namespace = wish.namespace();
        let NodeObjects { secret: _, config_map, service, client_service, stateful_set } =
            build::node(config, wish, None);
        let LedgerObjects { network_policy } = build::ledger(config, wish);
        let ConsortiumObjects { namespace: space, resource_quota, limit_range, default_deny } =
            build::consortium(config, wish.consortium);
        let space_at = ObjectRef::new(&namespace);
        [
            is_kept(Some(set), &stateful_set),
            is_kept(caches.namespaces.get(&space_at).as_deref(), &space),
            is_kept_within(&caches.config_maps, &namespace, &config_map),
            is_kept_within(&caches.services, &namespace, &service),
            is_kept_within(&caches.services, &namespace, &client_service),
            is_kept_within(&caches.network_policies, &namespace, &network_policy),
            is_kept_within(&caches.network_policies, &namespace, &default_deny),
            is_kept_within(&caches.resource_quotas, &namespace, &resource_quota),
            is_kept_within(&caches.limit_ranges, &namespace, &limit_range),
        ]
        .into_iter()
        .all(std::convert::identity)
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

/// Whether an object is there as it was built.
fn is_kept<K: Written>(live: Option<&K>, built: &K) -> bool {
    live.is_some_and(|live| is_as_built(built, live))
}

/// The same, by the cache of its kind.
fn is_kept_within<K>(store: &Store<K>, namespace: &str, built: &K) -> bool
where
    K: Written + 'static,
{
    is_kept(get(store, namespace, &built.name_any()).as_deref(), built)
}
