//! A control plane that is killed while two members found a consortium.

use std::process::Stdio;

use anyhow::{Result, ensure};
use e2e::{
    patience::{DEADLINE, eventually},
    product::Product,
};

use crate::port;

/// Nothing of a founding may be lost or done twice, whenever the control plane ends: here as soon
/// as the first nodes are being made.
pub(crate) fn goes_on(_: &mut Product) -> Result<()> {
    let mut product = Product::start("e2e-founding", port(3))?;
    let mut walk = product.dev(&["demo"]);
    let mut walk = walk.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    eventually("nodes are being made", DEADLINE, || {
        let nodes = product.cli("alpha", &["node", "list", "demo/main", "-o", "name"])?;
        Ok((nodes.code == Some(0) && !nodes.out.is_empty()).then_some(()))
    })?;
    product.kill()?;
    walk.kill()?;
    walk.wait()?;
    product.run()?;
    let said = product.walk()?;
    ensure!(said.contains("1,000 payments"), "the walk's summary is missing:\n{said}");
    product.agree()?;
    let nodes = product.health()?;
    ensure!(nodes.len() == 4, "the interruption left other nodes behind: {nodes:?}");
    Ok(())
}
