//! Two installations on one machine.

use anyhow::{Context as _, Result, ensure};
use e2e::{command::Said, product::Product};

use crate::port;

/// A second installation for a trial must not take, stop or see anything of the first.
pub(crate) fn untouched(product: &mut Product) -> Result<()> {
    let pids = |product: &Product| ["a1", "a2", "b1", "b2"].map(|name| product.pid(name).ok());
    let before = pids(product);
    let second = Product::start("e2e-second", port(1))?;
    let (own, other) = (product.file()?, second.file()?);
    for pointer in ["/api", "/database_url", "/api_keys/alpha", "/users/0/password"] {
        let (own, other) = (own.pointer(pointer), other.pointer(pointer));
        ensure!(own.is_some() && own != other, "both installations have one {pointer}");
    }
    let seen = second.cli("alpha", &["consortium", "list", "-o", "json"])?.json()?;
    ensure!(seen == serde_json::json!([]), "the second shows the first's: {seen}");

    // Its port is taken and its state is used: both are said plainly, and nothing is harmed.
    let third = product.state.join("third");
    let mut taken = product.hansa();
    taken.args(["dev", "--port", &product.port.to_string(), "--state"]).arg(&third);
    let said = Said::of(&mut taken)?;
    ensure!(said.code == Some(1) && said.err.contains("--port"), "a port in use: {said:?}");
    let said = Said::of(&mut product.dev(&["--port", &port(2).to_string()]))?;
    ensure!(said.code == Some(1) && said.err.contains("already"), "a state in use: {said:?}");

    Said::of(&mut second.dev(&["stop"]))?.well()?;
    let said = Said::of(&mut second.dev(&["status"]))?;
    ensure!(said.code == Some(1), "it was ended: {said:?}");
    let count = ["sql", "demo/main", "SELECT count(*) AS n FROM payment", "-o", "json"];
    let rows = product.cli("alpha", &count)?.json()?;
    ensure!(rows[0]["n"].as_i64().context("a count")? >= 1_000, "the first lost its rows: {rows}");
    ensure!(pids(product) == before, "the first's nodes were touched");
    Ok(())
}
