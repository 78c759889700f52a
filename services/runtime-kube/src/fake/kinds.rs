//! What is served, and where.

/// A kind of objects.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Empty for the core.
    pub(super) group: &'static str,
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) is_namespaced: bool,
}

impl Kind {
    const fn new(group: &'static str, plural: &'static str, kind: &'static str) -> Self {
        Self { group, plural, kind, is_namespaced: true }
    }

    const fn of_cluster(mut self) -> Self {
        self.is_namespaced = false;
        self
    }

    /// `apps/v1`: all of them have the same version.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group) }
    }
}

pub(super) const KINDS: [Kind; 13] = [
    Kind::new("", "namespaces", "Namespace").of_cluster(),
    Kind::new("", "resourcequotas", "ResourceQuota"),
    Kind::new("", "limitranges", "LimitRange"),
    Kind::new("", "configmaps", "ConfigMap"),
    Kind::new("", "secrets", "Secret"),
    Kind::new("", "services", "Service"),
    Kind::new("", "pods", "Pod"),
    Kind::new("", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Kind::new("", "events", "Event"),
    Kind::new("apps", "statefulsets", "StatefulSet"),
    Kind::new("networking.k8s.io", "networkpolicies", "NetworkPolicy"),
    Kind::new("policy", "poddisruptionbudgets", "PodDisruptionBudget"),
    Kind::new("storage.k8s.io", "storageclasses", "StorageClass").of_cluster(),
];

pub(super) fn by_plural(plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.plural == plural)
}

/// What a path names: a kind everywhere or in a namespace, an object, a part of one.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) kind: &'static Kind,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) part: Option<&'a str>,
}

/// Reads a path of the API.
pub(super) fn place(path: &str) -> Option<Place<'_>> {
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match *words.as_slice() {
        ["api", "v1", ref rest @ ..] => ("", rest),
        ["apis", group, "v1", ref rest @ ..] => (group, rest),
        _ => return None,
    };
    let (namespace, rest) = match *rest {
        ["namespaces", namespace, ref rest @ ..] if !rest.is_empty() => (Some(namespace), rest),
        ref rest => (None, rest),
    };
    let kind = by_plural(rest.first()?).filter(|kind| kind.group == group)?;
    Some(Place { kind, namespace, name: rest.get(1).copied(), part: rest.get(2).copied() })
}
