//! A ledger of real processes does what a ledger promises.

use std::{fs, process::Command};

use ledger_storage::{Mark, is_trustworthy};
use ledger_types::Policy;
use serde_json::json;

use crate::cluster::{Cluster, eventually};

const NODE: &str = env!("CARGO_BIN_EXE_hansa-node");

/// All nodes give the same answer to a query.
fn assert_same_everywhere(cluster: &Cluster, sql: &str, rows: &serde_json::Value) {
    for node in 0..cluster.configs.len() {
        eventually(&format!("node {node}: {sql}"), || {
            let (status, answer) = cluster.query(node, sql)?;
            // A node that is behind does not know the table yet.
            (status == 200 && answer["rows"] == *rows).then_some(())
        });
    }
}

#[test]
fn four_processes_agree_and_a_receipt_verifies_offline() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)");
    cluster.apply(1, "INSERT INTO account VALUES (1, 100), (2, 50)");
    let pay = cluster.apply(2, "UPDATE account SET balance = balance - 30 WHERE id = 1");
    let rows = json!([[1, 70], [2, 50]]);
    assert_same_everywhere(&cluster, "SELECT id, balance FROM account ORDER BY id", &rows);

    // Any node proves it; the checker has the genesis and nothing else.
    let receipt = cluster.receipt(3, &pay);
    let path = cluster.path("receipt.json");
    let genesis = cluster.path("genesis.json");
    let verify = |receipt: &serde_json::Value| {
        fs::write(&path, receipt.to_string()).unwrap();
        let mut command = Command::new(NODE);
        let output =
            command.arg("verify").arg(&path).arg("--genesis").arg(&genesis).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    let (good, text) = verify(&receipt);
    assert!(good && text.contains("it took effect"), "{text}");
    let mut forged = receipt;
    forged["outcome"]["changes"] = json!([9]);
    let (good, text) = verify(&forged);
    assert!(!good && text.contains("NOT VALID") && text.contains("outcome"), "{text}");
}

#[test]
fn a_killed_node_returns_and_catches_up() {
    let mut cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    cluster.kill(0);
    for id in 1..=5 {
        cluster.apply(1, &format!("INSERT INTO t VALUES ({id})"));
    }
    cluster.run(0);
    assert_same_everywhere(&cluster, "SELECT count(*) FROM t", &json!([[5]]));
    // Its vote counts again: without node 3 it is needed.
    cluster.kill(3);
    cluster.apply(0, "INSERT INTO t VALUES (6)");
}

#[test]
fn two_of_four_down_halt_and_say_so_and_one_more_is_enough() {
    let mut cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    cluster.kill(2);
    cluster.kill(3);
    eventually("the status says that no quorum can be reached", || {
        (cluster.status(0)?["quorum_reachable"] == false).then_some(())
    });
    let insert = cluster.sign("INSERT INTO t VALUES (1)", vec![]);
    let body = cluster.submit(0, "none", std::slice::from_ref(&insert)).unwrap();
    assert_eq!(body.1["items"][0]["progress"], "accepted");
    cluster.run(2);
    assert_eq!(cluster.receipt(0, &insert)["outcome"]["status"], "applied");
}

#[test]
fn a_stopped_process_is_no_reason_to_stop() {
    // SIGSTOP: connections stay up, nothing answers.
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    cluster.signal(3, "-STOP");
    for id in 1..=3 {
        cluster.apply(0, &format!("INSERT INTO t VALUES ({id})"));
    }
    cluster.signal(3, "-CONT");
    assert_same_everywhere(&cluster, "SELECT count(*) FROM t", &json!([[3]]));
}

#[test]
fn everybody_killed_at_once_loses_nothing_acknowledged() {
    let mut cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for id in 1..=10 {
        cluster.apply(0, &format!("INSERT INTO t VALUES ({id})"));
    }
    (0..4).for_each(|node| cluster.kill(node));
    (0..4).for_each(|node| cluster.run(node));
    cluster.apply(1, "INSERT INTO t VALUES (11)");
    assert_same_everywhere(&cluster, "SELECT count(*) FROM t", &json!([[11]]));
}

#[test]
fn three_crash_tolerant_nodes_survive_one() {
    let mut cluster = Cluster::start(3, Policy::Cft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    cluster.kill(0);
    cluster.apply(1, "INSERT INTO t VALUES (1)");
    assert!(cluster.height(1).unwrap() >= 2);
}

#[test]
fn a_node_that_is_told_to_stop_leaves_a_state_that_a_reboot_does_not_spoil() {
    // Without the clean mark the state would be built again from block 1 after every reboot.
    let mut cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let path = cluster.path("node-3/data/mark");
    let mark = || -> Mark { ledger_types::decode(&fs::read(&path).unwrap()).unwrap() };
    assert!(!mark().clean, "while it runs the mark says so");
    cluster.stop(3);
    assert!(is_trustworthy(Some(&mark()), "another boot"));
    cluster.run(3);
    cluster.apply(3, "INSERT INTO t VALUES (1)");
}

#[test]
fn metrics_say_what_the_node_does() {
    // Alerts stand on these names: a metric that is gone or never moves alarms nobody.
    use std::io::{Read as _, Write as _};
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    cluster.apply(0, "INSERT INTO t VALUES (1)");
    let address = cluster.configs[0].metrics.expect("a local ledger has metrics");
    eventually("the metrics have moved", || {
        let mut socket = std::net::TcpStream::connect(address).ok()?;
        let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).ok()?;
        let mut text = String::new();
        socket.read_to_string(&mut text).ok()?;
        let value = |name: &str| -> Option<f64> {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")))?;
            line.rsplit(' ').next()?.parse().ok()
        };
        let moved = value("hansa_node_executed_height")? >= 3.0
            && value("hansa_node_transactions_total{outcome=\"applied\"}")? >= 2.0
            && value("hansa_node_block_seconds_count")? >= 2.0;
        let whole = value("hansa_node_integrity")? == 1.0
            && value("hansa_node_may_vote")? == 1.0
            && value("hansa_node_peers_connected")? == 3.0
            && value("hansa_node_incidents_total{kind=\"state_corrupt\"}")? == 0.0;
        (moved && whole).then_some(())
    });
}
