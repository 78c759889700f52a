//! Queries at a past height, over the interface.

use ledger_client::Signer;
use ledger_types::{Policy, Roles, SigningKey};
use serde_json::json;

use crate::cluster::{Cluster, eventually};

/// Rows as they were, on a node that did not take the change; outside the range a named refusal.
#[test]
fn rows_are_answered_as_they_were() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)");
    let insert = cluster.apply(0, "INSERT INTO t VALUES (1, 10)");
    let update = cluster.apply(0, "UPDATE t SET n = 20");
    let height_of = |id| {
        let path = format!("/v1/transactions/{id}?wait=executed");
        cluster.get(2, &path).unwrap().1["height"].as_u64().expect("it is executed")
    };
    let (inserted, updated) = (height_of(insert.id()), height_of(update.id()));
    let ask = |height: u64| {
        let body = json!({ "sql": "SELECT n FROM t", "height": height });
        cluster.query_by(&cluster.signer, 2, &body).unwrap()
    };
    for (height, n) in [(inserted, 10), (updated, 20), (inserted, 10)] {
        let (status, answer) = ask(height);
        assert_eq!((status, &answer["rows"]), (200, &json!([[n]])), "height {height}: {answer}");
        assert_eq!(answer["height"], height);
    }
    let kept = cluster.status(2).unwrap()["kept_heights"].clone();
    let from = kept["from"].as_u64().expect("the range is in the status");
    let (status, answer) = ask(from - 1);
    assert_eq!((status, &answer["code"]), (410, &"height_not_kept".into()));
    let range = format!("heights {from} to ");
    assert!(answer["detail"].as_str().unwrap().contains(&range), "name the range: {answer}");
    let (status, answer) = ask(1_000_000);
    assert_eq!((status, &answer["code"]), (404, &"height_not_reached".into()));
}

/// Roles are those of now: a key that lost the right to read does not keep the past.
#[test]
fn a_revoked_key_reads_no_past() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let key = SigningKey::from_seed(&[5; 32]);
    let reader = Signer::new(cluster.genesis.ledger(), SigningKey::from_seed(&[5; 32]));
    cluster.grant(key.public_key(), Roles::READ);
    let height = cluster.height(0).unwrap();
    cluster.apply(0, "INSERT INTO t VALUES (1)");
    let body = json!({ "sql": "SELECT count(*) FROM t", "height": height });
    let (status, answer) = cluster.query_by(&reader, 0, &body).unwrap();
    assert_eq!((status, &answer["rows"]), (200, &json!([[0]])), "{answer}");
    cluster.grant(key.public_key(), Roles::NONE);
    eventually("the role is gone", || {
        let (status, answer) = cluster.query_by(&reader, 0, &body)?;
        (status == 403 && answer["code"] == "forbidden").then_some(())
    });
}
