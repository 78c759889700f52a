//! The cluster of a development control plane, registered as its operator registers one.

use std::{fs, net::IpAddr, path::Path};

use anyhow::{Context as _, Result};
use hansa_control::{ControlPlane, Credential, PageQuery};
use hansa_core::{RequestId, Secret};
use hansa_types::{ClusterCreate, ClusterUpdate};
use serde_json::json;

use super::tenants::{PLATFORM, Secrets};

/// What it is called.
const NAME: &str = "lab";

/// What is registered.
pub(super) struct Registered<'a> {
    pub(super) kubeconfig: &'a Path,
    /// The nodes' image, by digest.
    pub(super) image: &'a str,
    /// This machine, seen from the cluster: it may reach nodes as a client.
    pub(super) address: IpAddr,
}

/// Registers the cluster, or changes it to what it is now.
///
/// # Errors
/// When the kubeconfig cannot be read or is refused.
pub(super) async fn ensure(
    control: &ControlPlane,
    secrets: &Secrets,
    registered: &Registered<'_>,
) -> Result<()> {
    let Registered { kubeconfig, image, address } = registered;
    let text = fs::read_to_string(kubeconfig).with_context(|| kubeconfig.display().to_string())?;
    let access = json!({ "kind": "kubeconfig", "kubeconfig": text });
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let clients = json!([{ "network": format!("{address}/{bits}") }]);
    let settings = json!({ "image": image, "clients": clients });
    let key = secrets.api_keys.get(PLATFORM).context("no API key of the platform")?;
    let credential = Credential::Bearer(Secret::from(key.clone()));
    let operator = control.authenticate(RequestId::new(), &credential).await?.context;
    let clusters = control.cluster_list(&operator, &PageQuery::default()).await?.items;
    match clusters.iter().find(|cluster| cluster.name.as_str() == NAME) {
        Some(found) => {
            let change: ClusterUpdate =
                serde_json::from_value(json!({ "access": access, "settings": settings }))?;
            control.cluster_update(&operator, found.id, found.revision, &change).await?;
        }
        None => {
            let new: ClusterCreate = serde_json::from_value(
                json!({ "name": NAME, "access": access, "settings": settings }),
            )?;
            control.cluster_create(&operator, &new, None).await?;
        }
    }
    Ok(())
}
