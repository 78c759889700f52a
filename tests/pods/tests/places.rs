//! One ledger in several places: pods of a cluster and processes of this machine.

use anyhow::{Context as _, Result, ensure};
use e2e::{
    patience::{DEADLINE, eventually},
    product::{member, signal},
};
use pods::Pods;
use rustix::process::Signal;
use serde_json::Value;

/// The same cluster, registered once more: peers elsewhere reach nodes in it.
const WIDE: &str = "wide";
const LEDGER: &str = "spread/main";
/// Each node, and where it runs.
const NODES: [(&str, &str); 4] = [("a1", WIDE), ("a2", "process"), ("b1", WIDE), ("b2", "process")];

/// Members bring nodes from wherever they have machines. What is known in one place only is refused before
/// anybody signs; otherwise all agree, and go on without one of either kind.
pub(crate) fn one_ledger(pods: &mut Pods) -> Result<()> {
    registered(pods)?;
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
    cli("alpha", &["ledger", "launch", LEDGER])?;
    for tenant in ["alpha", "beta"] {
        cli(tenant, &["ledger", "approve", LEDGER])?;
    }
    agree(pods)?;
    cli(
        "alpha",
        &["sql", LEDGER, "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"],
    )?;
    let write = |id: u8, text: &str| {
        cli("alpha", &["sql", LEDGER, &format!("INSERT INTO note VALUES ({id}, '{text}')")])
    };
    write(1, "everywhere")?;
    for (node, _) in NODES {
        let rows = cli("beta", &["sql", LEDGER, "SELECT text FROM note", "--node", node])?;
        ensure!(rows.contains("everywhere"), "{node}: {rows}");
    }
    let process = one(pods, "a2")?["private"]["pid"].as_i64().context("a2 has a process")?;
    signal(i32::try_from(process)?, Signal::KILL)?;
    write(2, "without a process")?;
    agree(pods)?;
    let own = one(pods, "b1")?["private"].clone();
    let text = |name: &str| own[name].as_str().context("b1 has a pod");
    let (namespace, pod) = (text("namespace")?, text("pod")?);
    pods.kubectl(&["delete", "pod", pod, "--namespace", namespace, "--wait=false"])?.well()?;
    write(3, "without a pod")?;
    agree(pods)
}

fn registered(pods: &Pods) -> Result<()> {
    let kubeconfig = pods.lab.status().kubeconfig.display().to_string();
    let network = format!("{}/32", pods.lab.host()?);
    let words = ["cluster", "register", WIDE, "--kubeconfig", &kubeconfig, "--image", &pods.image];
    let open = ["--client", &network, "--peer", &network, "--expose-peers"];
    pods.product.cli("platform", &[&words[..], &open].concat())?.well()?;
    eventually("the cluster is ready", DEADLINE, || {
        let told = pods.product.cli("platform", &["cluster", "get", WIDE, "-o", "json"])?.json()?;
        Ok((told["phase"] == "ready").then_some(()))
    })
}

/// The demo's cluster shows its nodes to one another only.
fn refused(pods: &Pods) -> Result<()> {
    let cli = |words: &[&str]| pods.product.cli("alpha", words);
    let apart = ["ledger", "create", "spread", "apart", "--policy", "cft", "--development"];
    cli(&apart)?.well()?;
    for (node, place) in [("here", "process"), ("there", "lab")] {
        let words = ["node", "create", node, "--ledger", "spread/apart", "--runtime", place];
        cli(&[&words[..], &["--wait"]].concat())?.well()?;
    }
    let said = cli(&["ledger", "launch", "spread/apart", "--wait"])?;
    ensure!(said.code != Some(0), "it was launched: {said:?}");
    ensure!(format!("{}{}", said.out, said.err).contains("peers_unreachable"), "{said:?}");
    Ok(())
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
