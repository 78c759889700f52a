//! Machines that are emptied.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::patience::eventually;
use pods::Pods;

/// How soon the API must say what keeps a node from running.
const REASON_TIME_MAX: Duration = Duration::from_secs(60);

/// An administrator empties the only machine: one pod may go, the budget holds the others, the node
/// that has no machine says so, and all come back when pods are let in again.
pub(crate) fn drained(pods: &mut Pods) -> Result<()> {
    let names = ["get", "nodes", "--output", "jsonpath={.items[*].metadata.name}"];
    let machine = pods.kubectl(&names)?.well()?;
    let selected = ["--pod-selector", "hansa.dev/node"];
    let drain = ["drain", &machine, "--ignore-daemonsets", "--timeout=20s"];
    let drained = pods.kubectl(&[&drain[..], &selected].concat())?;
    ensure!(drained.code != Some(0), "it took more than the ledger can lose: {}", drained.out);
    let held = drained.err.contains("disruption budget");
    ensure!(held, "it was not held by the budget: {}", drained.err);
    pods.write("while a machine is emptied")?;
    let told = eventually("the node says why it does not run", REASON_TIME_MAX, || {
        let nodes = ["a1", "a2", "b1", "b2"].iter().map(|node| pods.product.node(node));
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        Ok(nodes.into_iter().find(|node| node["reason"] == "unschedulable"))
    });
    pods.kubectl(&["uncordon", &machine])?.well()?;
    let detail = told?["private"]["detail"].as_str().map(str::to_owned);
    ensure!(!detail.context("it comes without evidence")?.is_empty(), "the evidence is empty");
    pods.product.agree()
}
