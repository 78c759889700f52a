//! What one client may hold or drag out, so that the others are served.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use ledger_client::Signer;
use ledger_types::{Policy, Roles, SigningKey, Transaction};
use openssl::ssl::{SslConnector, SslMethod, SslStream};

use crate::cluster::{Cluster, now_ms};

fn connect(cluster: &Cluster) -> SslStream<TcpStream> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_ca_file(cluster.path("ca.pem")).unwrap();
    let socket = crate::cluster::eventually("the node listens", || {
        TcpStream::connect(cluster.configs[0].http).ok()
    });
    socket.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    connector.build().connect("localhost", socket).unwrap()
}

/// One key that floods is refused by name; another key of the same member still gets in.
#[test]
fn a_key_that_floods_keeps_nobody_out() {
    let mut cluster = Cluster::start(4, Policy::Bft);
    cluster.apply(0, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let ledger = cluster.genesis.ledger();
    let signer = |seed| Signer::new(ledger, SigningKey::from_seed(&[seed; 32]));
    let (flooding, honest) = (signer(5), signer(6));
    cluster.grant(flooding.public_key(), Roles::WRITE);
    cluster.grant(honest.public_key(), Roles::WRITE);
    // Without a quorum everything waits.
    cluster.kill(2);
    cluster.kill(3);
    let insert = |signer: &Signer| signer.statement("DELETE FROM t", vec![], now_ms()).unwrap();
    let flood: Vec<Transaction> = (0..2_000).map(|_| insert(&flooding)).collect();
    let (status, answer) = cluster.submit(0, "none", &flood).unwrap();
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = cluster.submit(0, "none", &[insert(&flooding)]).unwrap();
    assert_eq!((status, &answer["code"]), (429, &"key_limit".into()), "{answer}");
    let (status, answer) = cluster.submit(0, "none", &flood[..1]).unwrap();
    assert_eq!(status, 200, "a repetition takes no more room: {answer}");
    let (status, answer) = cluster.submit(0, "none", &[insert(&honest)]).unwrap();
    assert_eq!(status, 200, "{answer}");
    // Keys that the ledger does not know share little.
    let strangers: Vec<Transaction> = (0..1_001).map(|_| insert(&signer(77))).collect();
    let (status, answer) = cluster.submit(0, "none", &strangers).unwrap();
    assert_eq!((status, &answer["code"]), (429, &"member_limit".into()), "{answer}");
}

/// A head that comes byte by byte, or an idle connection, must not hold a place for ever.
#[test]
fn a_slow_head_is_cut_off() {
    let cluster = Cluster::start(4, Policy::Bft);
    let mut slow = connect(&cluster);
    slow.write_all(b"GET /v1/status HTTP/1.1\r\nhost: localhost\r\nx-slow: ").unwrap();
    let begun = Instant::now();
    let mut answer = Vec::new();
    // The end of the connection, or a refusal and then the end: but an end.
    let ended = slow.read_to_end(&mut answer);
    let stuck = matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!stuck, "the node waits for ever for the rest of a head");
    assert!(begun.elapsed() < Duration::from_secs(35), "{:?}", begun.elapsed());
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "half a head is no request");
}

/// A head without end must not fill the node's memory, and a body too large is refused by name.
#[test]
fn large_heads_and_bodies_are_refused() {
    let cluster = Cluster::start(4, Policy::Bft);
    let mut stream = connect(&cluster);
    let head = format!(
        "GET /v1/status HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "a".repeat(128 * 1024)
    );
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{answer:?}");
    let large = vec![b' '; 4 * 1024 * 1024 + 1];
    if let Some((status, answer)) = cluster.request(0, "POST /v1/transactions", &[], &large) {
        assert_eq!((status, &answer["code"]), (413, &"body_too_large".into()));
    }
}

/// HTTP/2 allows a client many requests at once and long heads: the node names its bounds.
#[test]
fn http2_is_bounded_from_the_first_frame() {
    let cluster = Cluster::start(4, Policy::Bft);
    let mut stream = connect(&cluster);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    // An empty SETTINGS frame: length 0, type 4, no flags, stream 0.
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[3], 4, "the server begins with its settings");
    let length = usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut settings = vec![0; length];
    stream.read_exact(&mut settings).unwrap();
    let value = |id: u16| {
        let mut entries = settings.chunks_exact(6);
        let found = entries.find(|entry| entry[..2] == id.to_be_bytes())?;
        Some(u32::from_be_bytes(found[2..].try_into().unwrap()))
    };
    assert_eq!(value(3), Some(64), "SETTINGS_MAX_CONCURRENT_STREAMS");
    assert_eq!(value(6), Some(16 * 1024), "SETTINGS_MAX_HEADER_LIST_SIZE");
}
