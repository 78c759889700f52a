//! Nodes that hang or die.

use anyhow::{Result, ensure};
use e2e::{
    command::Said,
    patience::{DEADLINE, TRUTH_TIME_MAX, eventually},
    product::{Hung, Product, signal},
};
use rustix::process::Signal;

fn write(product: &Product, memo: &str) -> Result<String> {
    let update = "UPDATE payment SET memo = ? WHERE id = 2";
    product.cli("alpha", &["sql", "demo/main", update, "-p", memo, "--node", "a1"])?.well()
}

fn told(product: &Product, expected: [(&str, &str); 4]) -> Result<()> {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(name, health)| ((*name).into(), (*health).into())).collect();
    let mut last = Vec::new();
    let found = eventually("the API tells the truth", TRUTH_TIME_MAX, || {
        last = product.health()?;
        Ok((last == expected).then_some(()))
    });
    found.map_err(|error| error.context(format!("it says {last:?}")))
}

/// A process that hangs still exists and takes connections: only asking shows that it is gone.
pub(crate) fn one_hung(product: &mut Product) -> Result<()> {
    let hung = Hung::new(&[product.pid("b2")?])?;
    write(product, "while b2 hangs")?;
    let agree = "agreeing";
    told(product, [("a1", agree), ("a2", agree), ("b1", agree), ("b2", "unreachable")])?;
    let ledger = product.ledger()?;
    ensure!(ledger["health"]["state"] == "degraded", "three of four go on: {ledger}");
    ensure!(ledger["health"]["reason"] == "nodes_unreachable", "and say why: {ledger}");
    write(product, "while b2 is told to hang")?;
    drop(hung);
    product.agree()
}

/// What dies is started again by its runtime, and the ledger does not wait for it.
pub(crate) fn one_killed(product: &mut Product) -> Result<()> {
    let before = product.pid("b1")?;
    signal(before, Signal::KILL)?;
    write(product, "while b1 is dead")?;
    eventually("b1 has another process", DEADLINE, || {
        Ok(product.pid("b1").ok().filter(|pid| *pid != before))
    })?;
    product.agree()
}

/// Two of four are a halt: nothing may be called healthy, and what is sent meanwhile has one effect
/// once they are back.
pub(crate) fn two_hung(product: &mut Product) -> Result<()> {
    let hung = Hung::new(&[product.pid("a2")?, product.pid("b2")?])?;
    let ledger = eventually("the ledger is told to be halted", TRUTH_TIME_MAX, || {
        Ok(Some(product.ledger()?).filter(|ledger| ledger["health"]["state"] == "halted"))
    })?;
    ensure!(ledger["health"]["reason"] == "nodes_unreachable", "it says why: {ledger}");
    ensure!(ledger["phase"] == "running", "it is meant to run: {ledger}");
    let shown = product.cli("alpha", &["ledger", "get", "demo/main"])?.well()?;
    for part in ["halted", "nodes_unreachable", "does not answer: a2, b2", "3 are needed"] {
        ensure!(shown.contains(part), "`hansa ledger get` should say {part:?}:\n{shown}");
    }
    let healthy = product.health()?;
    let wrong =
        healthy.iter().filter(|(name, _)| name.ends_with('2')).any(|(_, h)| h != "unreachable");
    ensure!(!wrong, "hung nodes are called healthy: {healthy:?}");
    let update = "UPDATE payment SET amount = amount + 1 WHERE id = 3";
    let amount = || -> Result<i64> {
        let sql = "SELECT amount AS n FROM payment WHERE id = 3";
        let words = ["sql", "demo/main", sql, "--node", "a1", "-o", "json"];
        Ok(product.cli("alpha", &words)?.json()?[0]["n"].as_i64().unwrap_or_default())
    };
    let before = amount()?;
    let path = product.state.join("halted.sql");
    std::fs::write(&path, update)?;
    let path = path.to_str().unwrap_or_default();
    let send = || product.command("alpha", &["sql", "demo/main", "-f", path]);
    let mut sending = send()?.spawn()?;
    let journal = product.state.join("halted.sql.hansa-journal");
    eventually("it is on its way", DEADLINE, || Ok(journal.exists().then_some(())))?;
    std::thread::sleep(std::time::Duration::from_secs(2));
    ensure!(sending.try_wait()?.is_none(), "nothing can be decided now");
    sending.kill()?;
    sending.wait()?;
    drop(hung);
    product.agree()?;
    Said::of(&mut send()?)?.well()?;
    ensure!(amount()? == before + 1, "it took effect {} times", amount()? - before);
    Ok(())
}
