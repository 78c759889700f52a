//! Volumes: they grow, they never shrink, and they outlive their node.

use std::time::Duration;

use hansa_core::{NodeId, Timestamp};
use hansa_runtime::{RetainedVolume, RuntimeError};
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::PersistentVolumeClaim};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, PropagationPolicy},
};
use serde_json::json;

use crate::{build, error::of_api, names, wish::Wish, write};

/// Volumes of one answer of a list.
const PAGE: u32 = 500;
/// What holds a set until its pod is let go (kubernetes.io/docs/concepts/architecture/garbage-collection).
const ORPHAN: &str = "orphan";
/// Looks whether it is gone, and the time between them: usually it is within one.
const LOOKS_MAX: u32 = 50;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The value of the label [`names::RETAINED`].
const YES: &str = "true";

/// Whether a wish's volume is larger than the set that is there would make it. Sets cannot be
/// changed in this: they are made anew around the pod.
///
/// # Errors
/// [`RuntimeError::Invalid`] for a volume that would have to shrink.
pub(crate) fn grows(wish: &Wish, live: &StatefulSet) -> Result<bool, RuntimeError> {
    let Some(before) = Wish::read(live.metadata.annotations.as_ref()) else { return Ok(false) };
    let (has, asked) = (before.size.volume_gib, wish.size.volume_gib);
    if asked < has {
        let why = format!("a volume of {has} GiB cannot shrink to {asked} GiB");
        return Err(RuntimeError::Invalid(why));
    }
    Ok(asked > has)
}

/// Asks for a larger volume, and ends the set without its pod: it is made anew by who calls.
pub(crate) async fn grow(
    client: &Client,
    wish: &Wish,
    live: &StatefulSet,
) -> Result<(), RuntimeError> {
    let namespace = wish.namespace();
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &namespace);
    let name = names::claim(&wish.object());
    let claim = claims.get_opt(&name).await.map_err(|e| of_api(&name, e))?;
    if let Some(claim) = claim {
        let size = build::volume_size(wish);
        let change = json!({"spec": {"resources": {"requests": {"storage": size}}}});
        write::merge(&claims, &claim, &change).await?;
    }
    let sets = Api::<StatefulSet>::namespaced(client.clone(), &namespace);
    write::delete(&sets, live, PropagationPolicy::Orphan).await?;
    gone(&sets, &live.name_any()).await
}

/// Whether a set is on its way out without its pod, to be made anew.
pub(crate) fn is_made_anew(set: &StatefulSet) -> bool {
    set.metadata.deletion_timestamp.is_some() && set.finalizers().iter().any(|f| f == ORPHAN)
}

/// Waits until the cluster has let go of the pod: the set stays until then.
async fn gone(sets: &Api<StatefulSet>, name: &str) -> Result<(), RuntimeError> {
    for _ in 0..LOOKS_MAX {
        if sets.get_opt(name).await.map_err(|e| of_api(name, e))?.is_none() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(RuntimeError::Transient(format!("{name} is being made anew")))
}

/// Notes on a claim that its node was removed.
pub(crate) async fn retain(
    client: &Client,
    wish: &Wish,
    now: Timestamp,
) -> Result<(), RuntimeError> {
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &wish.namespace());
    let name = names::claim(&wish.object());
    let found = claims.get_opt(&name).await.map_err(|e| of_api(&name, e))?;
    let Some(claim) = found.filter(|claim| !claim.labels().contains_key(names::RETAINED)) else {
        return Ok(());
    };
    let change = json!({"metadata": {
        "labels": {names::RETAINED: YES},
        "annotations": {names::RETAINED_SINCE: now.unix_micros().to_string()},
    }});
    write::merge(&claims, &claim, &change).await
}

/// The claims of removed nodes.
async fn claims(
    client: &Client,
    installation: &str,
) -> Result<Vec<PersistentVolumeClaim>, RuntimeError> {
    let api = Api::<PersistentVolumeClaim>::all(client.clone());
    let labels = format!("{}={installation},{}={YES}", names::INSTALLATION, names::RETAINED);
    let mut parameters = ListParams::default().labels(&labels).limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list(&parameters).await.map_err(|e| of_api("retained volumes", e))?;
        let next = page.metadata.continue_.clone().filter(|token| !token.is_empty());
        found.extend(page.items);
        match next {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// Who a retained claim was of; nothing for one whose marks cannot be read: it is left alone.
fn read(claim: &PersistentVolumeClaim) -> Option<RetainedVolume> {
    let since = claim.annotations().get(names::RETAINED_SINCE)?.parse().ok()?;
    Some(RetainedVolume {
        node: claim.labels().get(names::NODE)?.parse::<NodeId>().ok()?,
        volume: format!("{}/{}", claim.namespace()?, claim.name_any()),
        since: Timestamp::from_unix_micros(since)?,
    })
}

/// The volumes of removed nodes.
pub(crate) async fn retained(
    client: &Client,
    installation: &str,
) -> Result<Vec<RetainedVolume>, RuntimeError> {
    let claims = claims(client, installation).await?;
    let standing = |claim: &&PersistentVolumeClaim| claim.metadata.deletion_timestamp.is_none();
    Ok(claims.iter().filter(standing).filter_map(read).collect())
}

/// Destroys those that were retained before a time; how many.
pub(crate) async fn purge(
    client: &Client,
    installation: &str,
    before: Timestamp,
) -> Result<u32, RuntimeError> {
    let mut purged = 0;
    for claim in claims(client, installation).await? {
        let is_due = read(&claim).is_some_and(|volume| volume.since < before);
        let Some(namespace) = claim.namespace().filter(|_| is_due) else { continue };
        if claim.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let api = Api::namespaced(client.clone(), &namespace);
        write::delete(&api, &claim, PropagationPolicy::Background).await?;
        purged += 1;
    }
    Ok(purged)
}
