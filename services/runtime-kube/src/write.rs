//! Writing to the cluster: server-side apply under one name, only where something differs, and never
//! over what is not ours.

use std::fmt::Debug;

use hansa_core::external_write;
use hansa_runtime::RuntimeError;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    difference::holds,
    error::{is_missing, of_api},
    names,
};

/// What an object must be to be written.
pub(crate) trait Written:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}

impl<K> Written for K where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}

/// What an object is called in messages: `Service hansa-…/a1`.
pub(crate) fn called<K: Written>(object: &K) -> String {
    let name = object.name_any();
    match object.namespace() {
        Some(namespace) => format!("{} {namespace}/{name}", K::kind(&())),
        None => format!("{} {name}", K::kind(&())),
    }
}

/// Whether what is there is as it was built.
pub(crate) fn is_as_built<K: Serialize>(built: &K, live: &K) -> bool {
    let value = |object: &K| serde_json::to_value(object).unwrap_or_default();
    holds(&value(built), &value(live))
}

/// Makes an object as it was built, if it is not; whether it was not.
pub(crate) async fn write<K: Written>(
    api: &Api<K>,
    installation: &str,
    built: &K,
) -> Result<bool, RuntimeError> {
    let live = api.get_opt(&built.name_any()).await.map_err(|e| of_api(&called(built), e))?;
    write_over(api, installation, built, live.as_ref()).await
}

/// The same, for whoever has looked. What has changed since is a conflict, which passes.
pub(crate) async fn write_over<K: Written>(
    api: &Api<K>,
    installation: &str,
    built: &K,
    live: Option<&K>,
) -> Result<bool, RuntimeError> {
    let mut object = built.clone();
    if let Some(live) = live {
        check_ours(installation, live)?;
        if is_as_built(built, live) {
            return Ok(false);
        }
        // Whoever has written since our look is not overwritten unseen.
        object.meta_mut().resource_version = live.resource_version();
    }
    // What is not there may be made by somebody else meanwhile: then nothing is forced.
    let parameters = PatchParams { force: live.is_some(), ..PatchParams::apply(names::MANAGER) };
    let written = external_write!(
        KubeApply,
        api.patch(&built.name_any(), &parameters, &Patch::Apply(&object)).await
    );
    written.map(|_| true).map_err(|error| of_api(&called(built), error))
}

/// That an object carries our label.
pub(crate) fn check_ours<K: Written>(installation: &str, live: &K) -> Result<(), RuntimeError> {
    match live.labels().get(names::INSTALLATION) {
        Some(label) if label == installation => Ok(()),
        _ => Err(RuntimeError::Conflict(called(live))),
    }
}

/// Changes single fields of an object that somebody else made from ours.
pub(crate) async fn merge<K: Written>(
    api: &Api<K>,
    object: &K,
    change: &serde_json::Value,
) -> Result<(), RuntimeError> {
    let parameters =
        PatchParams { field_manager: Some(names::MANAGER.to_owned()), ..PatchParams::default() };
    let patched = external_write!(
        KubeMerge,
        api.patch(&object.name_any(), &parameters, &Patch::Merge(change)).await
    );
    patched.map(drop).map_err(|error| of_api(&called(object), error))
}

/// Deletes exactly the object that was seen; one that is gone is no error.
pub(crate) async fn delete<K: Written>(
    api: &Api<K>,
    seen: &K,
    policy: PropagationPolicy,
) -> Result<(), RuntimeError> {
    if seen.meta().deletion_timestamp.is_some() {
        return Ok(());
    }
    let preconditions = Preconditions { uid: seen.uid(), resource_version: None };
    let parameters = DeleteParams {
        propagation_policy: Some(policy),
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    let deleted = external_write!(KubeDelete, api.delete(&seen.name_any(), &parameters).await);
    match deleted {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(of_api(&called(seen), error)),
    }
}
