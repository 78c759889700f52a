//! The event stream: nothing is missed, nothing comes twice, and nobody holds the node up.

use std::{fs, time::Duration};

use ledger_client::{NodeClient, NodeError, events::NodeEvent};
use ledger_types::Policy;
use tokio::{runtime::Runtime, time::timeout};

use crate::cluster::{Cluster, DEADLINE};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn client(cluster: &Cluster, node: usize) -> NodeClient {
    let ca = fs::read_to_string(cluster.path("ca.pem")).unwrap();
    let address = format!("https://{}", cluster.configs[node].http);
    NodeClient::connect(&address, &ca, None).await.expect("the node is there")
}

async fn next(events: &mut ledger_client::events::Events) -> NodeEvent {
    let event = timeout(DEADLINE, events.next()).await.expect("an event comes in time");
    event.expect("the stream is sound").expect("the stream goes on")
}

/// Every block once and in order, live and after a break, with the roots that the status states.
#[test]
fn blocks_follow_each_other_also_after_a_break() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    runtime().block_on(async {
        let client = client(&cluster, 1).await;
        let mut events = client.events(None).await.unwrap();
        let NodeEvent::Standing(standing) = next(&mut events).await else {
            panic!("the first event says how the node stands");
        };
        assert_eq!((standing.integrity.as_str(), standing.open_incidents.len()), ("ok", 0));
        let first = standing.executed_height;
        cluster.apply(0, "INSERT INTO t VALUES (1)");
        let mut last = first;
        let mut transactions = 0;
        while transactions == 0 {
            let NodeEvent::Block(block) = next(&mut events).await else { continue };
            assert_eq!(block.height, last + 1, "a block is missing or came twice");
            last = block.height;
            transactions += block.transactions;
        }
        assert_eq!(events.last_id(), Some(last));
        drop(events);
        for id in 2..=4 {
            cluster.apply(0, &format!("INSERT INTO t VALUES ({id})"));
        }
        // From the very beginning: over the log, into what is live.
        let head = client.status().await.unwrap().executed_height;
        let mut events = client.events(Some(0)).await.unwrap();
        assert!(matches!(next(&mut events).await, NodeEvent::Standing(_)));
        for height in 1..=head {
            let NodeEvent::Block(block) = next(&mut events).await else { panic!("only blocks") };
            assert_eq!(block.height, height);
            let stored = client.block(height).await.unwrap();
            assert_eq!(block.digest, stored.digest);
            assert_eq!(block.transactions as usize, stored.transactions.len());
            if height < head {
                let covering = client.block(height + 1).await.unwrap();
                assert_eq!(covering.header.executed.root, block.execution_root, "at {height}");
            }
        }
        let insert = "INSERT INTO t VALUES (5)";
        cluster.apply(0, insert);
        let NodeEvent::Block(block) = next(&mut events).await else { panic!("a block") };
        assert_eq!(block.height, head + 1, "the stream goes over from the log to what is live");
    });
}

/// Whoever watches hears of an edit behind the node's back, and of its repair.
#[test]
fn incidents_are_told() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)");
    cluster.apply(0, "INSERT INTO t VALUES (1, 100)");
    runtime().block_on(async {
        let client = client(&cluster, 2).await;
        let mut events = client.events(None).await.unwrap();
        let file = rusqlite::Connection::open(cluster.path("node-2/data/state.db")).unwrap();
        crate::cluster::eventually("the row is there", || {
            file.execute("UPDATE t SET n = 1000000", []).ok().filter(|changed| *changed == 1)
        });
        drop(file);
        // The node notices at the next block at the latest.
        cluster.apply(0, "INSERT INTO t VALUES (2, 5)");
        let (mut told, mut id) = (Vec::new(), 0);
        while !told.ends_with(&["integrity ok"]) {
            match next(&mut events).await {
                NodeEvent::IncidentOpened(incident) => {
                    assert_eq!(incident.kind, "state_corrupt");
                    told.push("opened");
                }
                NodeEvent::IncidentResolved(_) => told.push("resolved"),
                NodeEvent::Integrity(word) if word == "ok" => told.push("integrity ok"),
                NodeEvent::Integrity(_) => told.push("integrity repairing"),
                _ => {}
            }
            let now = events.last_id().unwrap_or_default();
            assert!(now >= id, "ids never fall: {id}, then {now}");
            id = now;
        }
        assert_eq!(told, ["opened", "integrity repairing", "resolved", "integrity ok"]);
    });
}

/// Streams are held open by strangers too: their number is bounded, and a place comes free again.
#[test]
fn open_streams_are_bounded() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    runtime().block_on(async {
        let client = client(&cluster, 0).await;
        let mut open = Vec::new();
        for _ in 0..64 {
            open.push(client.events(None).await.expect("there is a place"));
        }
        let refused = client.events(None).await.expect_err("no place is left");
        let NodeError::Problem(problem) = refused else { panic!("{refused}") };
        assert_eq!((problem.status, problem.code.as_str()), (429, "too_many_streams"));
        cluster.apply(1, "INSERT INTO t VALUES (1)");
        open.clear();
        let again = async {
            while client.events(None).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, again).await.expect("a place comes free when a reader goes");
    });
}
