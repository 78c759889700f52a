//! Restarts that members ask for without asking one another, and those that a new image brings.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use e2e::{
    command::Said,
    product::{Product, member},
};
use pods::Pods;

const NODES: [&str; 4] = ["a1", "a2", "b1", "b2"];
/// How long four restarts one after the other may take.
const ROLL_TIME_MAX: Duration = Duration::from_secs(300);

fn restart(product: &Product, node: &str) -> Result<Said> {
    let path = format!("demo/main/{node}");
    product.cli(member(node), &["node", "restart", &path, "--wait"])
}

/// Four at once take turns: the ledger takes every write meanwhile, and each restart is done.
pub(crate) fn all_at_once(pods: &mut Pods) -> Result<()> {
    let before = NODES.map(|node| pods.pod(node));
    let product = &pods.product;
    thread::scope(|scope| -> Result<()> {
        let restarting = NODES.map(|node| scope.spawn(move || restart(product, node)?.well()));
        let mut writes = 0;
        while !restarting.iter().all(thread::ScopedJoinHandle::is_finished) {
            writes += 1;
            pods.write(&format!("write {writes} during the restarts"))?;
        }
        ensure!(writes > 0, "nothing was written meanwhile");
        for one in restarting {
            one.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
        }
        Ok(())
    })?;
    pods.product.agree()?;
    for (node, before) in NODES.iter().zip(before) {
        let (before, after) = (before?, pods.pod(node)?);
        ensure!(before.uid != after.uid, "{node} was not restarted");
    }
    Ok(())
}

/// Every node runs from a new image, and from the old one again, without anybody asking for it; one
/// goes after the other, and the ledger takes every write meanwhile.
pub(crate) fn new_image(pods: &mut Pods) -> Result<()> {
    let other = pods.lab.lab().other_image(&pods.image)?;
    roll(pods, &other)?;
    roll(pods, &pods.image)
}

fn roll(pods: &Pods, image: &str) -> Result<()> {
    let update = ["cluster", "update", "lab", "--image", image];
    pods.product.cli("platform", &update)?.well()?;
    let began = Instant::now();
    let mut writes = 0;
    loop {
        let images = images(pods)?;
        if images.len() == NODES.len() && images.iter().all(|own| own == image) {
            break;
        }
        ensure!(began.elapsed() < ROLL_TIME_MAX, "not every pod has {image}: {images:?}");
        writes += 1;
        pods.write(&format!("write {writes} while a new image comes"))?;
    }
    ensure!(writes > 0, "nothing was written meanwhile");
    pods.product.agree()
}

/// The images of the nodes' pods that are there.
fn images(pods: &Pods) -> Result<Vec<String>> {
    let form = r"jsonpath={range .items[*]}{.spec.containers[0].image}{'\n'}{end}";
    let all =
        ["get", "pods", "--all-namespaces", "--selector", "app.kubernetes.io/name=hansa-node"];
    let found = pods.kubectl(&[&all[..], &["--output", form]].concat())?.well()?;
    Ok(found.lines().map(str::to_owned).collect())
}
