//! Who has no business with a node gets a precise refusal, or no connection at all.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use ledger_client::Signer;
use ledger_node::localnet;
use ledger_types::{LedgerId, Policy, SigningKey};
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVerifyMode};
use serde_json::json;

use crate::cluster::{Cluster, eventually, now_ms};

#[test]
fn a_stranger_gets_no_further_than_the_handshake() {
    // A certificate of another CA, and one of a key that the genesis does not endorse.
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let other = tempfile::tempdir().unwrap();
    let strangers = localnet::create(&other.path().join("net"), 4, Policy::Bft).unwrap();
    for credentials in [None, Some(&strangers[0])] {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        if let Some(stranger) = credentials {
            connector.set_private_key_file(&stranger.tls_key, SslFiletype::PEM).unwrap();
            connector.set_certificate_chain_file(&stranger.tls_certificate).unwrap();
        }
        let socket = TcpStream::connect(cluster.configs[3].p2p).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let refused = match connector.build().connect("localhost", socket) {
            Err(_) => true,
            Ok(mut stream) => {
                // In TLS 1.3 the server's refusal arrives with the first read.
                let _ = stream.write_all(&[0; 8]);
                let mut byte = [0; 1];
                !matches!(stream.read(&mut byte), Ok(1))
            }
        };
        assert!(refused, "a stranger was let in");
    }
    cluster.apply(1, "INSERT INTO t VALUES (1)");
}

#[test]
fn bad_submissions_and_queries_are_refused_by_name() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let good = cluster.sign("INSERT INTO t VALUES (1)", vec![]);
    let code = |answer: Option<(u16, serde_json::Value)>| {
        let (status, body) = answer.expect("the node answers");
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    let raw = |bytes: &[u8]| {
        let body = json!({ "transactions": [hex::encode(bytes)] }).to_string();
        cluster.request(0, "POST /v1/transactions", &[], body.as_bytes())
    };
    let mut tampered = good.raw().to_vec();
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    let stranger = SigningKey::from_seed(&[77; 32]);
    let elsewhere = Signer::new(LedgerId([1; 16]), SigningKey::from_seed(&[77; 32]));
    let foreign = elsewhere.statement("DELETE FROM t", vec![], now_ms()).unwrap();
    let old = cluster.signer.statement("DELETE FROM t", vec![], now_ms() - 3_600_000).unwrap();
    let future = cluster.signer.statement("DELETE FROM t", vec![], now_ms() + 3_600_000).unwrap();
    for (name, answer, expected) in [
        ("signature", raw(&tampered), (400, "invalid_signature")),
        ("no transaction", raw(b"nonsense"), (400, "invalid_transaction")),
        ("ledger", raw(foreign.raw()), (400, "wrong_ledger")),
        ("expired", raw(old.raw()), (400, "expired")),
        ("future", raw(future.raw()), (400, "not_yet_valid")),
        ("empty", cluster.submit(0, "none", &[]), (400, "invalid_submission")),
        (
            "unknown field",
            cluster.request(0, "POST /v1/transactions", &[], b"{\"x\":1}"),
            (400, "invalid_body"),
        ),
        ("unknown wait", cluster.submit(0, "forever", &[]), (400, "invalid_query")),
        ("no token", cluster.request(0, "POST /v1/query", &[], b"{}"), (401, "unauthenticated")),
        ("write by query", cluster.query(0, "DELETE FROM t"), (403, "read_only")),
        ("bad SQL", cluster.query(0, "SELECT FROM"), (400, "invalid_sql")),
        ("no block", cluster.get(0, "/v1/blocks/999999"), (404, "block_not_found")),
        ("no height", cluster.get(0, "/v1/blocks/x"), (400, "invalid_height")),
        ("no id", cluster.get(0, "/v1/transactions/x/receipt"), (400, "invalid_id")),
        ("no path", cluster.get(0, "/v1/nothing"), (404, "not_found")),
        (
            "no method",
            cluster.request(0, "DELETE /v1/status", &[], &[]),
            (405, "method_not_allowed"),
        ),
    ] {
        let (status, given) = code(answer);
        assert_eq!((status, given.as_str()), expected, "{name}");
    }
    // A key that the ledger does not know may not read.
    let body = json!({ "sql": "SELECT 1" }).to_string();
    let line =
        ledger_types::RequestLine { method: "POST", target: "/v1/query", body: body.as_bytes() };
    let signer = Signer::new(cluster.genesis.ledger(), stranger);
    let token = signer.authorize(line, "", now_ms());
    let headers = [("authorization", token.as_str())];
    let answer = cluster.request(0, "POST /v1/query", &headers, body.as_bytes());
    assert_eq!(code(answer), (403, "forbidden".to_owned()));
}

#[test]
fn a_repeated_transaction_has_one_effect_whoever_takes_it() {
    let cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)");
    cluster.apply(0, "INSERT INTO t VALUES (1, 0)");
    let add = [cluster.sign("UPDATE t SET n = n + 1", vec![])];
    for node in 0..4 {
        let (status, _) = cluster.submit(node, "executed", &add).unwrap();
        assert_eq!(status, 200);
    }
    eventually("one effect", || {
        let (_, answer) = cluster.query(2, "SELECT n FROM t")?;
        (answer["rows"] == json!([[1]])).then_some(())
    });
    assert_eq!(cluster.receipt(1, &add[0])["outcome"]["status"], "applied");
}
