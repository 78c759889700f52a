//! Pods and what stands around them.

use std::fs;

use anyhow::{Result, ensure};
use e2e::patience::{DEADLINE, eventually};
use pods::{Pod, Pods};

/// Looks of the driver that may come before its caches have what it has just written.
const CAUGHT_UP_MAX: usize = 12;

/// What an administrator looks at first. None of it was edited, so nothing was written twice: a driver
/// that finds differences where there are none writes for ever.
pub(crate) fn objects(pods: &mut Pods) -> Result<()> {
    let Pod { namespace, .. } = pods.pod("a1")?;
    let all = ["sts,pdb,netpol", "--namespace", &namespace, "--output", "name"];
    let found = pods.kubectl(&[&["get"][..], &all].concat())?.well()?;
    let count = |kind: &str| found.lines().filter(|line| line.starts_with(kind)).count();
    let counted = ["statefulset", "poddisruptionbudget", "networkpolicy"].map(count);
    ensure!(counted == [4, 1, 2], "four nodes of one ledger: {found}");
    let log = fs::read_to_string(pods.product.log())?;
    let again: Vec<&str> = log.lines().filter(|line| line.contains("not as wished")).collect();
    ensure!(again.len() <= CAUGHT_UP_MAX, "what nobody has touched was written again: {again:#?}");
    Ok(())
}

/// A pod is nothing: the volume and the keys in it are the node, which agrees only with them.
pub(crate) fn deleted(pods: &mut Pods) -> Result<()> {
    let before = pods.pod("b1")?;
    let volume = pods.volume("b1")?;
    let delete = ["delete", "pod", &before.name, "--namespace", &before.namespace, "--wait=false"];
    pods.kubectl(&delete)?.well()?;
    pods.write("while b1 is away")?;
    eventually("b1 has another pod", DEADLINE, || {
        Ok(Some(pods.pod("b1")?).filter(|pod| pod.uid != before.uid))
    })?;
    pods.product.agree()?;
    ensure!(pods.volume("b1")? == volume, "it came back with another volume");
    Ok(())
}
