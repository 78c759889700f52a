//! How far a transaction has come is told truly, and waited for.

use ledger_types::{Digest, Policy};

use crate::cluster::{Cluster, eventually};

/// `certified` must mean that the proof exists: the receipt is there at once, on the node that said
/// so, and never only a little later.
#[test]
fn certified_is_said_when_the_receipt_is_there() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for id in 1..=5 {
        let insert = [cluster.sign(&format!("INSERT INTO t VALUES ({id})"), vec![])];
        let (status, answer) = cluster.submit(1, "certified", &insert).unwrap();
        assert_eq!(
            (status, &answer["items"][0]["progress"]),
            (200, &"executed".into()),
            "{answer}"
        );
        let receipt = format!("/v1/transactions/{}/receipt", insert[0].id());
        let (status, receipt) = cluster.get(1, &receipt).unwrap();
        assert_eq!(status, 200, "it was said to be certified: {receipt}");
    }
}

/// A node tells the progress of what it holds, of what came by another node, and of nothing else.
#[test]
fn progress_is_told_by_every_node() {
    let mut cluster = Cluster::start(4, Policy::Bft);
    let create = cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let path = |id: Digest, wait: &str| format!("/v1/transactions/{id}?wait={wait}");
    let (status, told) = cluster.get(2, &path(create.id(), "certified")).unwrap();
    assert_eq!((status, &told["progress"]), (200, &"executed".into()), "{told}");
    assert_eq!(told["outcome"]["status"], "applied");
    assert_eq!(told["transaction"], create.id().to_string());
    let (status, told) = cluster.get(2, &path(Digest([7; 32]), "none")).unwrap();
    assert_eq!((status, &told["code"]), (404, &"transaction_not_found".into()));
    let (status, told) = cluster.get(2, "/v1/transactions/x").unwrap();
    assert_eq!((status, &told["code"]), (400, &"invalid_id".into()));
    // Without a quorum it waits, and says so, also to whoever waits for more in vain.
    cluster.kill(2);
    cluster.kill(3);
    let insert = [cluster.sign("INSERT INTO t VALUES (1)", vec![])];
    assert_eq!(cluster.submit(0, "none", &insert).unwrap().0, 200);
    let waiting = path(insert[0].id(), "committed") + "&timeout_ms=200";
    let (status, told) = cluster.get(0, &waiting).unwrap();
    assert_eq!((status, &told["progress"]), (200, &"accepted".into()), "{told}");
    cluster.run(2);
    eventually("it takes effect", || {
        let path = path(insert[0].id(), "executed") + "&timeout_ms=5000";
        let (_, told) = cluster.get(0, &path)?;
        (told["progress"] == "executed").then_some(())
    });
}
