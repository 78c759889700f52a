//! Control planes that go away: ours, and the cluster's.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::patience::{DEADLINE, eventually};
use pods::Pods;

/// How soon the API must say that a cluster does not answer.
const REASON_TIME_MAX: Duration = Duration::from_secs(60);
const NODES: [&str; 4] = ["a1", "a2", "b1", "b2"];

/// The next control plane takes over the very same pods.
pub(crate) fn killed(pods: &mut Pods) -> Result<()> {
    let before = NODES.map(|node| pods.pod(node).ok());
    pods.product.kill()?;
    pods.product.run()?;
    pods.product.agree()?;
    let after = NODES.map(|node| pods.pod(node).ok());
    ensure!(before.iter().all(Option::is_some) && before == after, "{before:?} became {after:?}");
    Ok(())
}

/// What a cluster runs goes on without its API server; the nodes say what cannot be done meanwhile.
pub(crate) fn api_server_hung(pods: &mut Pods) -> Result<()> {
    let before = pods.pod("a1")?;
    pods.lab.signal("kube-apiserver", "STOP")?;
    let told = eventually("the nodes say that their cluster is away", REASON_TIME_MAX, || {
        let node = pods.product.node("a1")?;
        Ok((node["reason"] == "cluster_unreachable").then_some(node))
    });
    let written = pods.write("while the API server hangs");
    pods.lab.signal("kube-apiserver", "CONT")?;
    written?;
    ensure!(told?["phase"] == "running", "what runs is not called failed");
    eventually("the reason goes", DEADLINE, || {
        Ok(pods.product.node("a1")?["reason"].is_null().then_some(()))
    })?;
    pods.product.agree()?;
    ensure!(pods.pod("a1")? == before, "its pod was touched");
    Ok(())
}
