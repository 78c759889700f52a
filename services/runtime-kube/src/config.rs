//! What a driver is told about its cluster.

use hansa_core::Secret;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Deserialize, Serialize};

use crate::error::ConnectError;

/// A cluster, and how nodes are to run in it.
#[derive(Clone, Debug)]
pub struct KubeConfig {
    /// How it is reached.
    pub access: Access,
    /// Which installation of the control plane this is: objects of others are left alone. A label's
    /// value: 63 characters of letters, digits, `-`, `_`, `.`.
    pub installation: String,
    /// The nodes' image, by digest: `registry/name@sha256:…`.
    pub image: String,
    /// The storage class of volumes; the cluster's default without it.
    pub storage_class: Option<String>,
    /// How nodes of one ledger are spread over machines.
    pub spread: Spread,
    /// How clients outside the cluster reach nodes.
    pub expose: Expose,
    /// Who may reach nodes as clients, the control plane among them; nobody without an entry.
    pub clients: Vec<Source>,
    /// Networks of peers in other places.
    pub peers: Vec<Source>,
    /// Who reads metrics.
    pub watchers: Vec<Source>,
    /// Authorities that the control plane's certificate may chain to, PEM; the public ones without
    /// it.
    pub enrolment_authority: Option<String>,
}

/// How a cluster is reached.
#[derive(Clone, Debug)]
pub enum Access {
    /// By a kubeconfig, YAML; its current context.
    Kubeconfig(Secret),
    /// By the service account of the pod that this runs in.
    InCluster,
}

impl Access {
    /// A client, which has not connected yet.
    pub(crate) async fn client(&self) -> Result<Client, ConnectError> {
        let config = match self {
            Self::Kubeconfig(secret) => {
                let text = std::str::from_utf8(secret.expose())
                    .map_err(|_| ConnectError::Invalid("the kubeconfig is no text".to_owned()))?;
                let read = Kubeconfig::from_yaml(text).map_err(ConnectError::Kubeconfig)?;
                Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
                    .await
                    .map_err(ConnectError::Kubeconfig)?
            }
            Self::InCluster => Config::incluster().map_err(ConnectError::InCluster)?,
        };
        Client::try_from(config).map_err(ConnectError::Client)
    }
}

impl KubeConfig {
    /// # Errors
    /// For an image without a digest and an installation that is no label.
    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        let digest = self.image.split_once("@sha256:").map(|(_, digest)| digest);
        if !digest.is_some_and(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit())) {
            let why = format!("the image {:?} is not named by its digest, …@sha256:…", self.image);
            return Err(ConnectError::Invalid(why));
        }
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let name = self.installation.as_bytes();
        let ends = [name.first(), name.last()];
        let is_label = (1..=63).contains(&name.len())
            && name.iter().copied().all(inner)
            && ends.iter().flatten().all(|b| b.is_ascii_alphanumeric());
        if !is_label {
            let why = format!("{:?} cannot be the value of a label", self.installation);
            return Err(ConnectError::Invalid(why));
        }
        Ok(())
    }
}

/// How nodes of one ledger are spread over machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Never two on one machine: a node waits for a machine instead.
    Required,
    /// Two on one machine only when there is no other.
    #[default]
    Preferred,
}

/// How clients outside the cluster reach nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Expose {
    /// By the address of the service: they have a route to the cluster's services.
    #[default]
    ClusterIp,
    /// By a port of the cluster's machines.
    NodePort {
        /// The name or address that leads to a machine.
        host: String,
    },
    /// By a load balancer for each node.
    LoadBalancer,
}

/// Where connections come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A network in CIDR notation.
    Network(String),
    /// Pods of a namespace.
    Namespace(String),
}
