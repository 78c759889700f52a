//! Clusters, for the operator of the platform.

use std::{io::Read as _, path::PathBuf};

use clap::Subcommand;
use hansa_core::Name;
use hansa_types::{Cluster as Found, Expose, Host};
use serde_json::{Value, json};

use super::{
    failure::{Failure, Outcome},
    names::{self, Reference},
    options::Options,
    output,
};

const COLUMNS: [output::Column; 6] = [
    ("NAME", "/name"),
    ("PHASE", "/phase"),
    ("RELEASE", "/report/version"),
    ("PROBLEM", "/report/problem"),
    ("NETWORK", "/report/network_problem"),
    ("ID", "/id"),
];

/// Clusters that nodes can run in.
#[derive(Debug, Subcommand)]
pub(crate) enum Cluster {
    /// List the registered clusters.
    List,
    /// Show one with what was found in it.
    Get {
        /// Name or id.
        cluster: Reference,
    },
    /// Register one. Nodes can run in it from then on.
    Register {
        /// Unique in the installation; a node's --runtime names it.
        name: Name,
        /// Its kubeconfig, which the vault keeps; `-` for the standard input. Without it the cluster
        /// around the controller's own pod.
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
        /// The nodes' image, by its digest.
        #[arg(long, value_name = "IMAGE")]
        image: String,
        /// The storage class of volumes; the cluster's default without it.
        #[arg(long, value_name = "NAME")]
        storage_class: Option<String>,
        /// A network whose clients may reach nodes, the control plane's among them; may be repeated.
        #[arg(long = "client", value_name = "CIDR")]
        clients: Vec<String>,
        /// How who is outside reaches nodes: cluster-ip, node-port:HOST (a name or an address that leads
        /// to a machine of the cluster), load-balancer.
        #[arg(long, value_name = "WAY", default_value = "cluster-ip", value_parser = expose)]
        expose: Expose,
        /// A network of peers in other places, as the cluster's pods see them; may be repeated.
        #[arg(long = "peer", value_name = "CIDR")]
        peers: Vec<String>,
        /// Let peers in other places reach nodes as clients do: needed by ledgers that have nodes
        /// elsewhere too.
        #[arg(long)]
        expose_peers: bool,
    },
    /// Give one another kubeconfig, or let its nodes start from another image.
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Update {
        /// Name or id.
        cluster: Reference,
        /// Its kubeconfig from now on; `-` for the standard input.
        #[arg(long, value_name = "FILE", group = "change")]
        kubeconfig: Option<PathBuf>,
        /// The nodes' image, by its digest. Nodes take it up one after the other, as their ledgers
        /// can do without them.
        #[arg(long, value_name = "IMAGE", group = "change")]
        image: Option<String>,
    },
    /// Take one out of the installation. Refused while it has nodes.
    Delete {
        /// Name or id.
        cluster: Reference,
    },
}

impl Cluster {
    pub(crate) async fn run(self, options: &Options) -> Outcome<()> {
        let api = options.connect()?;
        match self {
            Self::List => {
                let all: Vec<Found> = api.list("/v1/clusters").await?;
                output::many(options.output, &all, &COLUMNS)
            }
            Self::Get { cluster } => {
                let found = names::cluster(&api, &cluster).await?;
                output::one(options.output, &found, &COLUMNS)
            }
            Self::Register {
                name,
                kubeconfig,
                image,
                storage_class,
                clients,
                expose,
                peers,
                expose_peers,
            } => {
                let access = match kubeconfig {
                    None => json!({ "kind": "in_cluster" }),
                    Some(path) => json!({ "kind": "kubeconfig", "kubeconfig": read(&path)? }),
                };
                let mut settings = json!({
                    "image": image,
                    "expose": expose,
                    "clients": networks(&clients),
                    "peers": networks(&peers),
                    "expose_peers": expose_peers,
                });
                if let Some(class) = storage_class {
                    settings["storage_class"] = json!(class);
                }
                let body = json!({ "name": name, "access": access, "settings": settings });
                let made: Found = api.post("/v1/clusters", &body).await?;
                output::one(options.output, &made, &COLUMNS)
            }
            Self::Update { cluster, kubeconfig, image } => {
                let found = names::cluster(&api, &cluster).await?;
                let mut body = json!({});
                if let Some(path) = kubeconfig {
                    body["access"] = json!({ "kind": "kubeconfig", "kubeconfig": read(&path)? });
                }
                if let Some(image) = image {
                    body["settings"] = json!(found.settings);
                    body["settings"]["image"] = json!(image);
                }
                let path = format!("/v1/clusters/{}", found.id);
                let changed: Found = api.patch(&path, &body, found.revision).await?;
                output::one(options.output, &changed, &COLUMNS)
            }
            Self::Delete { cluster } => {
                let found = names::cluster(&api, &cluster).await?;
                let path = format!("/v1/clusters/{}", found.id);
                api.delete(&path, Some(found.revision)).await.map(drop)
            }
        }
    }
}

fn expose(text: &str) -> Result<Expose, String> {
    match text.split_once(':') {
        None if text == "cluster-ip" => Ok(Expose::ClusterIp),
        None if text == "load-balancer" => Ok(Expose::LoadBalancer),
        Some(("node-port", host)) => {
            let host = Host::try_from(host.to_owned()).map_err(|error| error.to_string())?;
            Ok(Expose::NodePort { host })
        }
        None | Some(_) => Err("one of cluster-ip, node-port:HOST, load-balancer".to_owned()),
    }
}

fn networks(cidrs: &[String]) -> Vec<Value> {
    cidrs.iter().map(|cidr| json!({ "network": cidr })).collect()
}

fn read(path: &PathBuf) -> Outcome<String> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|found| text = found)
    };
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(text)
}
