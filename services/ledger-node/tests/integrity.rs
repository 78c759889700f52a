//! A node notices what was changed behind its back, mends it with its peers, and votes again.

use std::{fs, os::unix::fs::FileExt as _, path::PathBuf};

use ledger_types::Policy;
use rusqlite::Connection;
use serde_json::Value;

use crate::cluster::{Cluster, eventually};

/// A ledger of four with a table and enough blocks to damage one in the middle.
fn ledger() -> Cluster {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT NOT NULL)");
    for id in 1..=8 {
        cluster.apply(0, &format!("INSERT INTO t VALUES ({id}, 'word {id}')"));
    }
    cluster
}

fn segment(cluster: &Cluster, node: usize) -> PathBuf {
    cluster.configs[node].data.join("blocks/blocks-00000000000000000001.log")
}

/// Flips one bit in the middle of what is written.
fn flip(cluster: &Cluster, node: usize) {
    let file = fs::File::options().read(true).write(true).open(segment(cluster, node)).unwrap();
    let place = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 1], place).unwrap();
}

fn edit(cluster: &Cluster, node: usize) {
    let database = Connection::open(cluster.configs[node].data.join("state.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    let edited = database.execute("UPDATE t SET word = 'forged' WHERE id = 3", []).unwrap();
    assert_eq!(edited, 1, "the row to edit is there");
}

/// Digests of all blocks that a node can read. Certificates are left out: a peer's copy of a block
/// may be certified by other validators.
fn blocks(cluster: &Cluster, node: usize) -> Vec<Value> {
    let height = cluster.height(node).expect("the node tells its height");
    let read = |height| {
        let (status, body) = cluster.get(node, &format!("/v1/blocks/{height}"))?;
        (status == 200).then(|| body["digest"].clone())
    };
    (1..=height).map(|h| read(h).unwrap_or_else(|| panic!("block {h} is not served"))).collect()
}

/// The newest incident of a kind once it was put right.
fn resolved(cluster: &Cluster, node: usize, kind: &str) -> Value {
    eventually(&format!("node {node} tells of {kind} and that it was put right"), || {
        let (_, body) = cluster.get(node, "/v1/incidents")?;
        let found = body["incidents"].as_array()?.iter().find(|i| i["kind"] == kind)?.clone();
        found["resolved_at_ms"].is_u64().then_some(found)
    })
}

/// All nodes agree at one height, this node's vote included: with another one down it is needed.
fn takes_part(cluster: &mut Cluster, node: usize) {
    eventually(&format!("node {node} votes"), || {
        let status = cluster.status(node)?;
        (status["may_vote"] == true && status["integrity"] == "ok").then_some(())
    });
    let other = (node + 1) % 4;
    cluster.kill(other);
    cluster.apply(node, "INSERT INTO t VALUES (100, 'after')");
    cluster.run(other);
    let height = cluster.height(node).unwrap();
    eventually("all have the same root", || {
        let roots: Vec<_> = (0..4)
            .map(|n| cluster.status(n).map(|s| s["execution_root"].clone()))
            .collect::<Option<_>>()?;
        let all_there = (0..4).all(|n| cluster.height(n).is_some_and(|h| h >= height));
        (all_there && roots.iter().all(|root| *root == roots[0])).then_some(())
    });
}

#[test]
fn a_bit_that_flips_in_a_stored_block_is_found_and_mended_while_the_node_runs() {
    // Somebody edits history on one machine: the ledger must not lose it, and must say so.
    let mut cluster = ledger();
    let before = blocks(&cluster, 1);
    flip(&cluster, 1);
    let incident = resolved(&cluster, 1, "block_corrupt");
    let kept = incident["kept_original"].as_str().expect("the corrupt original is kept");
    assert!(cluster.configs[1].data.join(kept).exists(), "{kept} is not there");
    let after = blocks(&cluster, 1);
    assert_eq!(after[..before.len()], before[..], "the blocks are not what they were");
    takes_part(&mut cluster, 1);
}

#[test]
fn a_bit_that_flips_while_the_node_is_down_is_mended_at_its_start() {
    // A node must not refuse to start, nor vote on what it cannot read.
    let mut cluster = ledger();
    cluster.stop(2);
    flip(&cluster, 2);
    cluster.run(2);
    resolved(&cluster, 2, "block_corrupt");
    takes_part(&mut cluster, 2);
}

#[test]
fn an_edited_row_is_found_and_the_state_built_again() {
    // Balances changed behind the ledger's back must neither be served nor voted on.
    let mut cluster = ledger();
    edit(&cluster, 3);
    let incident = resolved(&cluster, 3, "state_corrupt");
    let kept = incident["kept_original"].as_str().expect("the edited file is kept");
    assert!(cluster.configs[3].data.join(kept).exists(), "{kept} is not there");
    eventually("the row is what it was", || {
        let (status, answer) = cluster.query(3, "SELECT word FROM t WHERE id = 3")?;
        (status == 200 && answer["rows"] == serde_json::json!([["word 3"]])).then_some(())
    });
    takes_part(&mut cluster, 3);
}

#[test]
fn a_row_that_was_edited_while_the_node_was_down_is_found_too() {
    // The edit happens where nobody watches.
    let mut cluster = ledger();
    cluster.stop(0);
    edit(&cluster, 0);
    cluster.run(0);
    resolved(&cluster, 0, "state_corrupt");
    takes_part(&mut cluster, 0);
}

#[test]
fn two_repaired_nodes_do_not_stop_an_idle_ledger() {
    // Each was silent for a while; nobody may have to wait for a block that needs them both.
    let mut cluster = ledger();
    flip(&cluster, 1);
    edit(&cluster, 2);
    resolved(&cluster, 1, "block_corrupt");
    resolved(&cluster, 2, "state_corrupt");
    takes_part(&mut cluster, 1);
}

#[test]
fn a_node_that_is_killed_during_its_repair_goes_on_with_it() {
    // The record of an incident outlives the process, and does not stay open for ever.
    let mut cluster = ledger();
    edit(&cluster, 1);
    eventually("it was found", || {
        let (_, body) = cluster.get(1, "/v1/incidents")?;
        body["incidents"].as_array()?.first().map(|_| ())
    });
    cluster.kill(1);
    cluster.run(1);
    resolved(&cluster, 1, "state_corrupt");
    takes_part(&mut cluster, 1);
}

#[test]
fn an_edited_outcome_is_not_told_as_the_truth() {
    // Outcomes are under the root that the next block certifies: a forged one must neither be served
    // nor end the node, but be found and put right.
    let mut cluster = ledger();
    let paid = cluster.apply(1, "INSERT INTO t VALUES (50, 'paid')");
    let height = cluster.receipt(1, &paid)["height"].as_u64().expect("it is in a block");
    cluster.stop(1);
    let database = Connection::open(cluster.configs[1].data.join("state.db")).unwrap();
    let edit = "UPDATE hansa_block SET outcomes = x'00000000' WHERE height = ?1";
    assert_eq!(database.execute(edit, [i64::try_from(height).unwrap()]).unwrap(), 1);
    drop(database);
    cluster.run(1);
    let path = format!("/v1/transactions/{}", paid.id());
    eventually("the node tells the outcome that was certified", || {
        let (status, body) = cluster.get(1, &path)?;
        assert!(status != 500, "{body}");
        (body["progress"] == "executed").then_some(())
    });
    resolved(&cluster, 1, "state_corrupt");
    takes_part(&mut cluster, 1);
}
