//! Whoever reaches a volume can change what is in it. The node notices, and its peers mend it.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::patience::{DEADLINE, eventually};
use pods::Pods;
use rusqlite::Connection;

/// Waits until a new incident is told, and told to be put right.
fn repaired(pods: &Pods, node: &str, kind: &str, before: usize) -> Result<()> {
    eventually("the incident is told and resolved", DEADLINE, || {
        let found = pods.incidents(node, kind)?;
        let resolved = found.first().is_some_and(|newest| newest["resolved_at"].is_string());
        Ok((found.len() > before && resolved).then_some(()))
    })?;
    pods.product.agree()
}

/// A bit of a stored block changes.
pub(crate) fn block(pods: &mut Pods) -> Result<()> {
    let before = pods.incidents("a2", "block_corrupt")?.len();
    let file = first_segment(&pods.volume("a2")?)?;
    let segment = fs::OpenOptions::new().read(true).write(true).open(&file)?;
    // In the middle of what is written: in some block, whichever.
    let place = segment.metadata()?.len().min(64 * 1024) / 2;
    let mut byte = [0];
    segment.read_exact_at(&mut byte, place)?;
    byte[0] ^= 1;
    segment.write_all_at(&byte, place)?;
    repaired(pods, "a2", "block_corrupt", before)
}

/// A row is edited behind the node's back.
pub(crate) fn row(pods: &mut Pods) -> Result<()> {
    let before = pods.incidents("b1", "state_corrupt")?.len();
    let database = Connection::open(found_below(&pods.volume("b1")?, "state.db")?)?;
    database.busy_timeout(Duration::from_secs(10))?;
    let edited = database.execute("UPDATE payment SET amount = amount + 1 WHERE id = 500", [])?;
    ensure!(edited == 1, "there is no such row");
    drop(database);
    repaired(pods, "b1", "state_corrupt", before)?;
    let amount = |node: &str| {
        let sql = "SELECT amount FROM payment WHERE id = 500";
        pods.product.cli("alpha", &["sql", "demo/main", sql, "--node", node, "-o", "json"])?.json()
    };
    ensure!(amount("b1")? == amount("a1")?, "the edited row is still there");
    Ok(())
}

fn first_segment(volume: &Path) -> Result<PathBuf> {
    let folder = found_below(volume, "blocks")?;
    let files = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let segments = files.filter(|path| path.extension().is_some_and(|e| e == "log"));
    segments.min().with_context(|| format!("no segment in {}", folder.display()))
}

/// What has a name in a volume, at most a few folders down.
fn found_below(volume: &Path, name: &str) -> Result<PathBuf> {
    let mut folders = vec![volume.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)?.flatten() {
            if entry.file_name() == name {
                return Ok(entry.path());
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    anyhow::bail!("no {name} in {}", volume.display())
}
