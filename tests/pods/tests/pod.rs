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

/// A member whose node needs more gets it by the public interface: the pod starts anew with more memory in
/// the same, larger claim, and nobody is halted. The lab's storage does not grow, and its member is told.
pub(crate) fn resized(pods: &mut Pods) -> Result<()> {
    let (before, volume) = (pods.pod("b2")?, pods.volume("b2")?);
    let words = ["node", "resize", "demo/main/b2", "--size", "medium", "--volume-gib", "11"];
    pods.product.cli("beta", &[&words[..], &["--wait"]].concat())?.well()?;
    pods.write("in a larger node")?;
    let after = pods.pod("b2")?;
    ensure!(after.uid != before.uid, "its pod was not started anew");
    ensure!(pods.volume("b2")? == volume, "it came back with another volume");
    let of = ["--namespace", &after.namespace, "--output"];
    let pod = pods.kubectl(&[&["get", "pod", &after.name][..], &of, &["json"]].concat())?.json()?;
    let memory = &pod["spec"]["containers"][0]["resources"]["limits"]["memory"];
    ensure!(memory == "4Gi", "{memory}");
    let node = pods.product.node("b2")?;
    ensure!(node["private"]["size"] == "medium" && node["private"]["volume_gib"] == 11, "{node}");
    eventually("who waits for the storage driver is told so", DEADLINE, || {
        let node = pods.product.node("b2")?;
        Ok((node["reason"] == "volume_growing").then_some(()))
    })?;
    let shrink = ["node", "resize", "demo/main/b2", "--volume-gib", "10"];
    let refused = pods.product.cli("beta", &shrink)?;
    ensure!(refused.code != Some(0) && refused.err.contains("does not shrink"), "{refused:?}");
    // The machine has little room: whoever comes next needs it.
    let words = ["node", "resize", "demo/main/b2", "--size", "small", "--wait"];
    pods.product.cli("beta", &words)?.well()?;
    pods.product.agree()
}
