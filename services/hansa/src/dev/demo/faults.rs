//! Things that go wrong, and are put right by the ledger itself.

use std::{fs, os::unix::fs::FileExt as _, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use super::{Walk, until};

/// A node ends without a word; its runtime starts it again and it catches up.
pub(super) async fn kill(walk: &mut Walk) -> Result<String> {
    let before = walk.pid("b2")?;
    let pid = i32::try_from(before).ok().and_then(Pid::from_raw).context("a process id")?;
    kill_process(pid, Signal::KILL).context("killing it")?;
    until("the node runs again", async || {
        walk.look_at_nodes().await?;
        Ok(walk.pid("b2").ok().filter(|pid| *pid != before))
    })
    .await?;
    in_agreement(walk, "b2").await?;
    Ok(format!("b2 is back as process {}", walk.pid("b2")?))
}

/// A node is restarted by its member; it comes back with its volume and its keys.
pub(super) async fn restart(walk: &mut Walk) -> Result<String> {
    let node = walk.nodes.iter().find(|node| node.name == "b2").context("such a node")?;
    let path = format!("/v1/nodes/{}/restart", node.id);
    let operation = walk.beta.api.post(&path, &serde_json::json!({})).await?;
    walk.beta.api.follow(&operation, super::PATIENCE).await?;
    walk.look_at_nodes().await?;
    in_agreement(walk, "b2").await?;
    Ok("b2 is back with its volume".to_owned())
}

/// One bit of a stored block changes: the node notices, takes the block from its peers, and keeps
/// the damaged original.
pub(super) async fn block(walk: &mut Walk) -> Result<String> {
    let before = walk.incidents("a2", "block_corrupt").await?;
    let file = first_segment(walk.data("a2")?)?;
    let segment = fs::OpenOptions::new().read(true).write(true).open(&file)?;
    // In the middle of what is written: in some block, whichever.
    let place = segment.metadata()?.len().min(64 * 1024) / 2;
    let mut byte = [0];
    segment.read_exact_at(&mut byte, place)?;
    byte[0] ^= 1;
    segment.write_all_at(&byte, place)?;
    let found = walk.repaired("a2", "block_corrupt", before).await?;
    in_agreement(walk, "a2").await?;
    Ok(found)
}

/// A row is edited behind the node's back: it notices, builds its state again, proves its root, and
/// keeps the edited file.
pub(super) async fn row(walk: &mut Walk) -> Result<String> {
    let before = walk.incidents("b1", "state_corrupt").await?;
    let database = Connection::open(walk.data("b1")?.join("data/state.db"))?;
    database.busy_timeout(std::time::Duration::from_secs(10))?;
    let edited = database.execute("UPDATE payment SET amount = amount + 1 WHERE id = 500", [])?;
    ensure!(edited == 1, "there is no such row");
    drop(database);
    let found = walk.repaired("b1", "state_corrupt", before).await?;
    in_agreement(walk, "b1").await?;
    let sql = "SELECT amount FROM payment WHERE id = 500";
    let (own, other) = (walk.query("b1", sql).await?, walk.query("a1", sql).await?);
    ensure!(own.rows == other.rows, "the edited row is still there");
    Ok(found)
}

impl Walk {
    fn data(&self, name: &str) -> Result<PathBuf> {
        let node = self.nodes.iter().find(|node| node.name == name);
        node.map(|node| node.data_dir.clone()).with_context(|| format!("there is no node {name}"))
    }

    fn pid(&self, name: &str) -> Result<u64> {
        let node = self.nodes.iter().find(|node| node.name == name);
        node.and_then(|node| node.pid).with_context(|| format!("{name} does not run"))
    }

    /// How many incidents of a kind a node has had, as the control plane knows them.
    async fn incidents(&self, node: &str, kind: &str) -> Result<usize> {
        Ok(self.incident_list(node, kind).await?.len())
    }

    async fn incident_list(&self, name: &str, kind: &str) -> Result<Vec<super::api::Answer>> {
        let node = self.nodes.iter().find(|node| node.name == name).context("such a node")?;
        let path = format!("/v1/ledgers/{}/incidents", self.ledger);
        let mut found = self.alpha.api.list(&path).await?;
        found.retain(|incident| {
            incident.text("/kind").is_ok_and(|k| k == kind)
                && incident.text("/node_id").is_ok_and(|id| id == node.id)
        });
        Ok(found)
    }

    /// Waits until the control plane tells of a new incident that was put right.
    async fn repaired(&self, node: &str, kind: &str, before: usize) -> Result<String> {
        let found = until("the incident is told and resolved", async || {
            let now = self.incident_list(node, kind).await?;
            let resolved = now.first().filter(|incident| incident.text("/resolved_at").is_ok());
            Ok(resolved.filter(|_| now.len() > before).cloned())
        });
        Ok(format!("{node}: {}", found.await?.text("/summary")?))
    }
}

/// A node votes again and has executed what another had executed before.
async fn in_agreement(walk: &Walk, name: &str) -> Result<()> {
    let height = walk.node("a1").await?.status().await?.executed_height;
    until("the node is in agreement", async || {
        let status = walk.node(name).await?.status().await?;
        Ok((status.may_vote && status.executed_height >= height).then_some(()))
    })
    .await
}

fn first_segment(data: PathBuf) -> Result<PathBuf> {
    let folder = data.join("data/blocks");
    let mut segments: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| folder.display().to_string())?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    segments.sort();
    segments.into_iter().next().with_context(|| format!("no segment in {}", folder.display()))
}
