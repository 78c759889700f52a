//! One ledger in several places: clusters that do not know one another, and processes of this machine.

use anyhow::{Context as _, Result, ensure};
use e2e::{
    patience::{DEADLINE, eventually},
    product::{member, signal},
};
use pods::{Pods, start_lab};
use rustix::process::Signal;
use serde_json::Value;

use crate::router;

/// The cluster of the demo, and another, as they show nodes to peers elsewhere.
const NEAR: &str = "near";
const FAR: &str = "far";
const LEDGER: &str = "spread/main";
/// Each node, and where it runs.
const NODES: [(&str, &str); 4] = [("a1", NEAR), ("a2", "process"), ("b1", FAR), ("b2", NEAR)];

/// Members bring nodes from wherever they have machines. What is known in one place only is refused before
/// anybody signs; otherwise all agree, and go on without one of any place.
pub(crate) fn one_ledger(pods: &mut Pods) -> Result<()> {
    let (lab, far) = start_lab()?;
    let host = pods.lab.host()?.to_owned();
    let near = pods.lab.status().kubeconfig.display().to_string();
    register(pods, NEAR, &near, &pods.image, &host)?;
    register(pods, FAR, &far.kubeconfig.display().to_string(), &far.image, &host)?;
    let cli = |tenant: &str, words: &[&str]| pods.product.cli(tenant, words)?.well();
    cli("alpha", &["consortium", "create", "spread"])?;
    cli("alpha", &["invitation", "create", "spread", "--tenant", "beta"])?;
    cli("beta", &["invitation", "accept", "spread"])?;
    refused(pods)?;
    cli("alpha", &["ledger", "create", "spread", "main"])?;
    for (node, place) in NODES {
        let words = ["node", "create", node, "--ledger", LEDGER, "--runtime", place];
        cli(member(node), &words)?;
    }
    eventually("all nodes have enrolled", DEADLINE, || {
        let nodes = nodes(pods)?;
        ensure!(nodes.iter().all(|node| node["phase"] != "failed"), "{nodes:#?}");
        Ok(nodes.iter().all(|node| node["phase"] == "enrolled").then_some(()))
    })?;
    for (node, place) in NODES.iter().filter(|(_, place)| *place != "process") {
        let to = if *place == NEAR { &pods.lab } else { &lab };
        let found = one(pods, node)?;
        for address in [&found["p2p_address"], &found["http_address"]] {
            router::lead(address.as_str().context("an address")?, to.machine()?)?;
        }
    }
    cli("alpha", &["ledger", "launch", LEDGER])?;
    for tenant in ["alpha", "beta"] {
        cli(tenant, &["ledger", "approve", LEDGER])?;
    }
    agree(pods)?;
    let table = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
    cli("alpha", &["sql", LEDGER, table])?;
    let write = |id: u8, text: &str| {
        cli("alpha", &["sql", LEDGER, &format!("INSERT INTO note VALUES ({id}, '{text}')")])
    };
    write(1, "everywhere")?;
    for (node, _) in NODES {
        eventually(&format!("{node} has the row"), DEADLINE, || {
            let rows = cli("beta", &["sql", LEDGER, "SELECT text FROM note", "--node", node])?;
            Ok(rows.contains("everywhere").then_some(()))
        })?;
    }
    let process = one(pods, "a2")?["private"]["pid"].as_i64().context("a2 has a process")?;
    signal(i32::try_from(process)?, Signal::KILL)?;
    write(2, "without a process")?;
    agree(pods)?;
    let own = one(pods, "b1")?["private"].clone();
    let text = |name: &str| own[name].as_str().context("b1 has a pod");
    let delete = ["delete", "pod", text("pod")?, "--namespace", text("namespace")?];
    let deleted = lab.kubectl().args(delete).arg("--wait=false").status()?;
    ensure!(deleted.success(), "the pod of the far cluster could not be deleted");
    write(3, "without a pod")?;
    agree(pods)?;
    cli("alpha", &["consortium", "delete", "spread", "--wait"]).map(drop)
}

/// Nodes are shown by ports of the cluster's machine, at an address of this one that leads there.
fn register(pods: &Pods, name: &str, kubeconfig: &str, image: &str, host: &str) -> Result<()> {
    let (network, way) = (format!("{host}/32"), format!("node-port:{host}"));
    let words = ["cluster", "register", name, "--kubeconfig", kubeconfig, "--image", image];
    let open = ["--client", &network, "--peer", &network, "--expose", &way, "--expose-peers"];
    pods.product.cli("platform", &[&words[..], &open].concat())?.well()?;
    eventually("the cluster is ready", DEADLINE, || {
        let told = pods.product.cli("platform", &["cluster", "get", name, "-o", "json"])?.json()?;
        Ok((told["phase"] == "ready").then_some(()))
    })
}

/// The demo's own cluster shows its nodes to one another only. A consortium of its own, because a namespace
/// belongs to one registration of a cluster.
fn refused(pods: &Pods) -> Result<()> {
    let cli = |words: &[&str]| pods.product.cli("alpha", words);
    cli(&["consortium", "create", "apart"])?.well()?;
    let ledger = ["ledger", "create", "apart", "main", "--policy", "cft", "--development"];
    cli(&ledger)?.well()?;
    for (node, place) in [("here", "process"), ("there", "lab")] {
        let words = ["node", "create", node, "--ledger", "apart/main", "--runtime", place];
        cli(&[&words[..], &["--wait"]].concat())?.well()?;
    }
    let said = cli(&["ledger", "launch", "apart/main", "--wait"])?;
    ensure!(said.code != Some(0), "it was launched: {said:?}");
    ensure!(format!("{}{}", said.out, said.err).contains("peers_unreachable"), "{said:?}");
    cli(&["consortium", "delete", "apart", "--wait"])?.well().map(drop)
}

fn nodes(pods: &Pods) -> Result<Vec<Value>> {
    NODES.iter().map(|(node, _)| one(pods, node)).collect()
}

fn one(pods: &Pods, node: &str) -> Result<Value> {
    let path = format!("{LEDGER}/{node}");
    pods.product.cli(member(node), &["node", "get", &path, "-o", "json"])?.json()
}

fn agree(pods: &Pods) -> Result<()> {
    eventually("all nodes agree", DEADLINE, || {
        let told = pods.product.cli("alpha", &["ledger", "get", LEDGER, "-o", "json"])?.json()?;
        Ok((told["health"]["state"] == "agreeing").then_some(()))
    })
}
