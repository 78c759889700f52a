//! Objects with versions, and what was changed.

use std::collections::{BTreeMap, VecDeque};

use hansa_core::Uuid;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::kinds::{self, Kind};

/// Changes that are kept for watches.
const HISTORY_MAX: usize = 20_000;
/// Fields of a StatefulSet's specification that can be changed
/// (kubernetes.io/docs/concepts/workloads/controllers/statefulset).
const SET_MUTABLE: [&str; 6] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: &'static Kind,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(kind: &'static Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(super) fn of(plural: &str, namespace: &str, name: &str) -> Self {
        Self::new(kinds::by_plural(plural).expect("a kind that is served"), namespace, name)
    }
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) kind: &'static Kind,
    /// `ADDED`, `MODIFIED`, `DELETED`.
    pub(super) verb: &'static str,
    pub(super) object: Value,
}

/// Why something is not done: a status and its words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    pub(super) fn missing(key: &Key) -> Self {
        Self::new(404, "NotFound", format!("{} \"{}\" not found", key.kind.plural, key.name))
    }
}

/// Everything that is there.
#[derive(Debug, Default)]
pub(super) struct Objects {
    live: BTreeMap<Key, Value>,
    /// What was last applied to each.
    applied: BTreeMap<Key, Value>,
    version: u64,
    writes: u64,
    /// The version before the oldest change that is kept.
    forgotten: u64,
    history: VecDeque<Change>,
}

impl Objects {
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) const fn writes(&self) -> u64 {
        self.writes
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.live.get(key)
    }

    pub(super) fn all(&self, kind: &'static Kind) -> impl Iterator<Item = &Value> {
        self.live.iter().filter(move |(key, _)| key.kind == kind).map(|(_, object)| object)
    }

    /// The keys of everything in a namespace.
    pub(super) fn within(&self, namespace: &str) -> Vec<Key> {
        self.live.keys().filter(|key| key.namespace == namespace).cloned().collect()
    }

    /// Changes after a version; nothing when they have been forgotten.
    pub(super) fn since(&self, version: u64) -> Option<impl Iterator<Item = &Change>> {
        (version >= self.forgotten)
            .then(|| self.history.iter().filter(move |change| change.version > version))
    }

    pub(super) fn forget(&mut self) {
        self.history.clear();
        self.forgotten = self.version;
    }

    /// Writes an object as it is, with the next version.
    pub(super) fn put(&mut self, key: Key, mut object: Value) {
        let before = self.live.get(&key);
        let verb = if before.is_some() { "MODIFIED" } else { "ADDED" };
        let metadata = &mut object["metadata"];
        if before.is_none() {
            metadata["uid"] = json!(Uuid::now_v7().to_string());
            metadata["creationTimestamp"] = json!(now());
        }
        metadata["name"] = json!(key.name);
        if key.kind.is_namespaced {
            metadata["namespace"] = json!(key.namespace);
        }
        self.version += 1;
        metadata["resourceVersion"] = json!(self.version.to_string());
        object["apiVersion"] = json!(key.kind.api_version());
        object["kind"] = json!(key.kind.kind);
        self.note(key.kind, verb, object.clone());
        self.live.insert(key, object);
    }

    /// Takes an object away at once.
    pub(super) fn take(&mut self, key: &Key) {
        self.applied.remove(key);
        if let Some(mut object) = self.live.remove(key) {
            self.version += 1;
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.note(key.kind, "DELETED", object);
        }
    }

    fn note(&mut self, kind: &'static Kind, verb: &'static str, object: Value) {
        self.history.push_back(Change { version: self.version, kind, verb, object });
        if self.history.len() > HISTORY_MAX
            && let Some(oldest) = self.history.pop_front()
        {
            self.forgotten = oldest.version;
        }
    }

    /// Server-side apply by one manager, without defaults.
    pub(super) fn apply(&mut self, key: Key, mut wanted: Value) -> Result<Value, Refusal> {
        let expected = wanted["metadata"]["resourceVersion"].take();
        if let Some(metadata) = wanted["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        self.check_namespace(&key)?;
        let live = self.live.get(&key);
        if !expected.is_null() && live.map(|o| &o["metadata"]["resourceVersion"]) != Some(&expected)
        {
            return Err(conflict(&key));
        }
        let before = self.applied.get(&key).cloned().unwrap_or(Value::Null);
        let mut object = live.cloned().unwrap_or_else(|| json!({ "metadata": {} }));
        overlay(&mut object, &before, &wanted);
        if let Some(live) = live {
            check_immutable(&key, live, &object)?;
        }
        if live != Some(&object) {
            self.writes += 1;
            self.put(key.clone(), object);
        }
        self.applied.insert(key.clone(), wanted);
        Ok(self.live[&key].clone())
    }

    /// A merge patch (RFC 7396).
    pub(super) fn merge(&mut self, key: Key, change: &Value) -> Result<Value, Refusal> {
        let live = self.live.get(&key).ok_or_else(|| Refusal::missing(&key))?;
        let mut object = live.clone();
        merge(&mut object, change);
        if *live != object {
            self.writes += 1;
            self.put(key.clone(), object);
        }
        Ok(self.live[&key].clone())
    }

    /// Checks what a deletion expects, and counts it.
    pub(super) fn check_delete(&mut self, key: &Key, options: &Value) -> Result<(), Refusal> {
        let live = self.live.get(key).ok_or_else(|| Refusal::missing(key))?;
        for field in ["uid", "resourceVersion"] {
            let expected = &options["preconditions"][field];
            if !expected.is_null() && *expected != live["metadata"][field] {
                return Err(conflict(key));
            }
        }
        self.writes += 1;
        Ok(())
    }

    fn check_namespace(&self, key: &Key) -> Result<(), Refusal> {
        if !key.kind.is_namespaced {
            return Ok(());
        }
        let namespace = Key::of("namespaces", "", &key.namespace);
        let Some(found) = self.live.get(&namespace) else {
            return Err(Refusal::missing(&namespace));
        };
        if !found["metadata"]["deletionTimestamp"].is_null() && !self.live.contains_key(key) {
            let message = format!("namespace {} because it is being terminated", key.namespace);
            return Err(Refusal::new(403, "Forbidden", message));
        }
        Ok(())
    }
}

fn conflict(key: &Key) -> Refusal {
    let message = format!("{} \"{}\" has been modified", key.kind.plural, key.name);
    Refusal::new(409, "Conflict", message)
}

fn check_immutable(key: &Key, live: &Value, wanted: &Value) -> Result<(), Refusal> {
    if key.kind.plural != "statefulsets" {
        return Ok(());
    }
    let immutable = |object: &Value| {
        let mut fields = object["spec"].as_object().cloned().unwrap_or_default();
        fields.retain(|name, _| !SET_MUTABLE.contains(&name.as_str()));
        fields
    };
    if immutable(live) == immutable(wanted) {
        return Ok(());
    }
    let message = format!("StatefulSet {}: these fields cannot be changed", key.name);
    Err(Refusal::new(422, "Invalid", message))
}

/// Lays what is wanted over what is there; what was wanted before and is no more goes.
fn overlay(live: &mut Value, before: &Value, wanted: &Value) {
    match (&mut *live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            let nothing = Map::new();
            let before = before.as_object().unwrap_or(&nothing);
            live.retain(|name, _| wanted.contains_key(name) || !before.contains_key(name));
            for (name, value) in wanted {
                let before = before.get(name).unwrap_or(&Value::Null);
                overlay(live.entry(name).or_insert(Value::Null), before, value);
            }
        }
        (live, wanted) => *live = wanted.clone(),
    }
}

fn merge(live: &mut Value, change: &Value) {
    match change {
        Value::Object(change) => {
            if !live.is_object() {
                *live = json!({});
            }
            let Value::Object(live) = live else { return };
            for (name, value) in change {
                if value.is_null() {
                    live.remove(name);
                } else {
                    merge(live.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        change => *live = change.clone(),
    }
}

/// The time, as objects have it.
pub(super) fn now() -> String {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).expect("a second has a beginning");
    now.format(&Rfc3339).expect("a time can be written")
}
