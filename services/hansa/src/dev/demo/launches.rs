//! How long a launch takes: from its acceptance to the first block that four nodes agree on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::json;

use super::{Folder, PATIENCE, Walk, founding, until};

/// What was measured.
#[derive(Debug, Serialize)]
pub(in crate::dev) struct Launches {
    launches: usize,
    nodes: usize,
    p50_seconds: f64,
    slowest_seconds: f64,
}

impl Launches {
    /// Of times in ascending order.
    fn new(times: &[Duration]) -> Self {
        let seconds = |place: usize| (times[place].as_secs_f64() * 100.0).round() / 100.0;
        let last = times.len() - 1;
        Self {
            launches: times.len(),
            nodes: 4,
            p50_seconds: seconds(last / 2),
            slowest_seconds: seconds(last),
        }
    }

    /// A row for docs/benchmarks.md.
    pub(in crate::dev) fn row(&self) -> String {
        let Self { launches, nodes, p50_seconds, slowest_seconds } = self;
        format!("| {launches} launches of {nodes} nodes | {p50_seconds} | {slowest_seconds} |")
    }
}

/// Launches `count` consortiums, one after the other, and ends each.
pub(in crate::dev) async fn measure(
    folder: &Folder,
    count: u16,
    runtime: &str,
) -> Result<Launches> {
    ensure!(count > 0, "at least one launch");
    let mut times = Vec::new();
    for number in 1..=count {
        let mut walk = Walk::begin(folder, format!("launch-{number}"), runtime).await?;
        founding::consortium(&mut walk).await?;
        founding::nodes(&mut walk).await?;
        times.push(launch(&mut walk).await?);
        end(&walk).await?;
    }
    times.sort();
    Ok(Launches::new(&times))
}

/// Both members sign as soon as there is something to sign; the clock runs from the answer 202 to a
/// node's word that it has block 1.
async fn launch(walk: &mut Walk) -> Result<Duration> {
    let path = format!("/v1/ledgers/{}", walk.ledger);
    walk.alpha.api.post(&format!("{path}/launch"), &json!({})).await?;
    let accepted = Instant::now();
    for party in walk.parties() {
        founding::approve(party, &path).await?;
    }
    let genesis = until("the genesis", async || {
        walk.alpha.api.get(&format!("{path}/genesis")).await.map(Some)
    });
    walk.genesis = Some(serde_json::from_value(genesis.await?.0).context("the genesis")?);
    walk.look_at_nodes().await?;
    until("the first block", async || {
        let status = walk.node("a1").await?.status().await?;
        Ok((status.height > 0).then_some(()))
    })
    .await?;
    Ok(accepted.elapsed())
}

/// The next launch has the machine for itself.
async fn end(walk: &Walk) -> Result<()> {
    let path = format!("/v1/consortiums/{}", walk.consortium);
    let found = walk.alpha.api.get(&path).await?;
    let operation = walk.alpha.api.delete(&path, &found).await?;
    walk.alpha.api.follow(&operation, PATIENCE).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Launches;

    #[test]
    fn the_middle_launch_is_one_that_was_measured() {
        // An average would hide one that took a minute.
        let times = [1, 2, 3, 60].map(Duration::from_secs);
        let found = Launches::new(&times);
        assert_eq!((found.p50_seconds, found.slowest_seconds), (2.0, 60.0));
    }
}
