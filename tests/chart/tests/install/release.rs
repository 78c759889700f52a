//! Releases come and go; ledgers do not notice.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use chart_tests::Installation;

use crate::consortium::{agreeing, pods};

/// While another image and more pods come, and while they go again, every transaction takes effect
/// and no node is touched.
pub(crate) fn upgraded(installation: &mut Installation) -> Result<()> {
    let installation = &*installation;
    let before = pods(installation)?;
    let other = installation.other_image()?;
    let done = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| write(installation, &done));
        let changed = (|| {
            let set = [format!("image.digest={other}"), "api.replicas=3".to_owned()];
            installation.helm(&["upgrade"], &set.each_ref().map(String::as_str))?;
            ensure!(running(installation)? == other, "the API runs the old image");
            installation.roll_back()?;
            ensure!(running(installation)? != other, "the API still runs the new image");
            Ok(())
        })();
        done.store(true, Ordering::Release);
        let written = writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?;
        changed.and(written)
    })?;
    ensure!(written > 0, "nothing was written meanwhile");
    agreeing(installation)?;
    let count = "SELECT count(*) FROM payment WHERE id > 0";
    let rows = installation.cli("beta", &["sql", "trade/main", count])?;
    let is_all = rows.split_whitespace().any(|word| word == written.to_string());
    ensure!(is_all, "{written} were written: {rows}");
    let after = pods(installation)?;
    ensure!(before == after, "nodes were touched:\n{before}\n{after}");
    println!("{written} transactions took effect meanwhile");
    Ok(())
}

/// Writes one row after the other until it is told that this is enough; how many.
fn write(installation: &Installation, done: &AtomicBool) -> Result<u32> {
    let mut written = 0;
    while !done.load(Ordering::Acquire) {
        let id = (written + 1).to_string();
        let insert = ["sql", "trade/main", "INSERT INTO payment VALUES (?, 'more')", "-p", &id];
        let wrote = installation.cli("alpha", &insert);
        wrote.with_context(|| format!("transaction {id} failed"))?;
        written += 1;
    }
    Ok(written)
}

/// The digest of the image that the API runs.
fn running(installation: &Installation) -> Result<String> {
    let image = "jsonpath={.spec.template.spec.containers[0].image}";
    let words =
        ["get", "deployment", "hansa-api", "--namespace", "hansa-system", "--output", image];
    let image = installation.kubectl(&words)?.well()?;
    Ok(image.split_once('@').context("an image by digest")?.1.to_owned())
}

/// Whoever takes the control plane away takes no ledger away.
pub(crate) fn taken_away(installation: &mut Installation) -> Result<()> {
    let before = pods(installation)?;
    installation.uninstall()?;
    let after = pods(installation)?;
    ensure!(before == after, "nodes were touched:\n{before}\n{after}");
    Ok(())
}
