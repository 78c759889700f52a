//! The main job on pods: the whole product with a real cluster, and what goes wrong in one.
//!
//! Owns the promises that only the product and a cluster keep together: a deleted pod, a damaged
//! volume, an emptied machine, an API server that hangs, a dead control plane, restarts of all members
//! at once. Must not know the control plane's crates, as `e2e` does not; the driver's own promises are
//! tested beside it. The tests are in `tests/`; `cargo xtask test kube` builds the programs and the
//! nodes' image first.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use e2e::{
    command::{Said, programs},
    patience::{DEADLINE, eventually},
    product::{Cluster, Product},
};
use kube_lab::Scratch;
use serde_json::Value;

/// Names the archive of the nodes' image.
const IMAGE_BY: &str = "HANSA_NODE_IMAGE";

/// A product whose demo runs on the pods of a lab.
#[derive(Debug)]
pub struct Pods {
    /// The product; it ends before its cluster.
    pub product: Product,
    /// The cluster.
    pub lab: Scratch,
    /// The nodes' image that it was registered with.
    pub image: String,
}

/// Starts a lab that has the nodes' image.
///
/// # Errors
/// When the machine cannot run one, or there is no image.
pub fn start_lab() -> Result<(Scratch, Cluster)> {
    let archive = env::var_os(IMAGE_BY)
        .with_context(|| format!("{IMAGE_BY} is not set: run `cargo xtask test kube`"))?;
    let lab = Scratch::start(programs()?.join("kube-lab"))?;
    let image = lab.lab().load_image(Path::new(&archive))?;
    let kubeconfig = lab.status().kubeconfig.clone();
    let cluster = Cluster { kubeconfig, host: lab.host()?.to_owned(), image };
    Ok((lab, cluster))
}

/// A pod of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Where it is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
    /// Which of all that were called so.
    pub uid: String,
}

impl Pods {
    /// A product on a new lab, with the main job walked to its end.
    ///
    /// # Errors
    /// When it is not.
    pub fn start(port: u16) -> Result<Self> {
        let (lab, cluster) = start_lab()?;
        let image = cluster.image.clone();
        let pods = Self { product: Product::start_in("pods", port, cluster)?, lab, image };
        print!("{}", pods.product.walk()?);
        pods.product.agree()?;
        Ok(pods)
    }

    /// `kubectl …` to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn kubectl(&self, words: &[&str]) -> Result<Said> {
        Said::of(self.lab.kubectl().args(words))
    }

    /// The pod of a node of the demo, as the API and the cluster tell of it; one that is being
    /// replaced has none for a moment.
    ///
    /// # Errors
    /// When it has none in time.
    pub fn pod(&self, node: &str) -> Result<Pod> {
        eventually(&format!("{node} has a pod"), DEADLINE, || self.pod_now(node).map(Some))
    }

    fn pod_now(&self, node: &str) -> Result<Pod> {
        let told = self.product.node(node)?;
        let text = |name: &str| {
            let found = told["private"][name].as_str().map(str::to_owned);
            found.with_context(|| format!("{node} has no {name}: {told}"))
        };
        let (namespace, name) = (text("namespace")?, text("pod")?);
        let get = ["get", "pod", &name, "--namespace", &namespace, "--output"];
        let uid = [&get[..], &["jsonpath={.metadata.uid}"]].concat();
        Ok(Pod { uid: self.kubectl(&uid)?.well()?, namespace, name })
    }

    /// The files of a node's volume, on this machine.
    ///
    /// # Errors
    /// When they are not found.
    pub fn volume(&self, node: &str) -> Result<PathBuf> {
        let told = self.product.node(node)?;
        let claim = told["private"]["data_dir"].as_str().and_then(|at| at.split_once('/'));
        let (namespace, claim) = claim.with_context(|| format!("{node} has no volume: {told}"))?;
        let claim = ["get", "pvc", claim, "--namespace", namespace, "--output"];
        let volume = [&claim[..], &["jsonpath={.spec.volumeName}"]].concat();
        let volume = self.kubectl(&volume)?.well()?;
        let volume = self.kubectl(&["get", "pv", &volume, "--output", "json"])?.json()?;
        let path =
            ["local", "hostPath"].iter().find_map(|kind| volume["spec"][kind]["path"].as_str());
        let path = PathBuf::from(path.with_context(|| format!("no path in {volume}"))?);
        fs::metadata(&path).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Writes something, through a node of its own choice.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub fn write(&self, memo: &str) -> Result<()> {
        let update = "UPDATE payment SET memo = ? WHERE id = 2";
        self.product.cli("alpha", &["sql", "demo/main", update, "-p", memo])?.well().map(drop)
    }

    /// Incidents of a kind that a node has had, newest first.
    ///
    /// # Errors
    /// When the API does not tell.
    pub fn incidents(&self, node: &str, kind: &str) -> Result<Vec<Value>> {
        let id = self.product.node(node)?["id"].clone();
        let all = self.product.cli("alpha", &["ledger", "incidents", "demo/main", "-o", "json"])?;
        let all = all.json()?;
        let all = all.as_array().context("a list")?.iter();
        let of_node = all.filter(|found| found["node_id"] == id && found["kind"] == kind);
        Ok(of_node.cloned().collect())
    }
}
