//! What the cluster says of its troubles: the events of namespaces in which a node is not well.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hansa_core::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::{Api, Client, ResourceExt as _, api::ListParams};

/// How long an answer is good enough: trouble is told within a minute.
const FRESH: Duration = Duration::from_secs(5);
/// Events of one namespace that are read: a node in trouble repeats its few.
const EVENTS_MAX: u32 = 2_000;
/// How far the cluster's clock may be behind ours.
const CLOCKS_APART: Duration = Duration::from_secs(5);
/// Namespaces whose events are kept.
const NAMESPACES_MAX: usize = 1_000;

/// Events by namespace, with when they were read.
type Kept = BTreeMap<String, (Instant, Arc<[Event]>)>;

/// Events, asked for at most every few seconds a namespace.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    kept: Mutex<Kept>,
}

impl Evidence {
    /// The events of a namespace, oldest first; those that were read before when the cluster does
    /// not answer.
    pub(crate) async fn of(&self, client: &Client, namespace: &str) -> Arc<[Event]> {
        let kept = self.kept().get(namespace).cloned();
        if let Some((at, events)) = &kept
            && at.elapsed() < FRESH
        {
            return Arc::clone(events);
        }
        let before = kept.map_or_else(|| Arc::from([]), |(_, events)| events);
        let api = Api::<Event>::namespaced(client.clone(), namespace);
        let events = match api.list(&ListParams::default().limit(EVENTS_MAX)).await {
            Ok(list) => {
                let mut events = list.items;
                events.sort_by_key(when);
                Arc::from(events)
            }
            Err(error) => {
                tracing::warn!(namespace, %error, "events cannot be read");
                before
            }
        };
        let mut kept = self.kept();
        if kept.len() >= NAMESPACES_MAX {
            kept.retain(|_, (at, _)| at.elapsed() < FRESH);
        }
        kept.insert(namespace.to_owned(), (Instant::now(), Arc::clone(&events)));
        events
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When an event was last seen, in microseconds; reporters fill in different fields.
fn when(event: &Event) -> i128 {
    let last = event.last_timestamp.as_ref().map(|at| at.0.as_microsecond());
    let series = event.series.as_ref().and_then(|s| s.last_observed_time.as_ref());
    let series = series.map(|at| at.0.as_microsecond());
    let at = event.event_time.as_ref().map(|at| at.0.as_microsecond());
    let made = event.creation_timestamp().map(|at| at.0.as_microsecond());
    series.or(last).or(at).or(made).unwrap_or_default().into()
}

/// Those about the objects of one node since a time.
pub(crate) fn about(events: &[Event], names: &[String], since: Timestamp) -> Vec<Event> {
    let since = i128::from((since - CLOCKS_APART).unix_micros());
    let is_about = |event: &&Event| {
        let name = event.involved_object.name.as_ref();
        name.is_some_and(|name| names.contains(name)) && when(event) >= since
    };
    events.iter().filter(is_about).cloned().collect()
}
