//! Restarts that members ask for without asking one another.

use std::thread;

use anyhow::{Result, ensure};
use e2e::{
    command::Said,
    product::{Product, member},
};
use pods::Pods;

const NODES: [&str; 4] = ["a1", "a2", "b1", "b2"];

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
