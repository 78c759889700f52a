//! Node processes in a temporary folder, and a client that speaks HTTP over TLS to them.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ledger_client::{Signer, read_key_file};
use ledger_node::{NodeConfig, localnet};
use ledger_types::{
    AccessChange, Genesis, Payload, Policy, PublicKey, RequestLine, Roles, Transaction, Value,
};
use openssl::ssl::{SslConnector, SslMethod};
use serde_json::json;

/// How long anything may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// Polls a condition of the real world until it holds.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::yield_now();
        // Asking again at once would take the processor from the nodes that are asked.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

pub(crate) struct Cluster {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) configs: Vec<NodeConfig>,
    pub(crate) genesis: Genesis,
    pub(crate) signer: Signer,
    children: Vec<Option<Child>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for node in 0..self.configs.len() {
                let log = fs::read_to_string(self.log(node)).unwrap_or_default();
                eprintln!("node {node}:\n{log}");
            }
        }
    }
}

impl Cluster {
    pub(crate) fn start(nodes: u16, policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("net");
        let configs = localnet::create(&home, nodes, policy).unwrap();
        let text = fs::read_to_string(home.join("genesis.json")).unwrap();
        let genesis: Genesis = serde_json::from_str(&text).unwrap();
        let key = read_key_file(&home.join("admin.key")).unwrap();
        let signer = Signer::new(genesis.ledger(), key);
        let children = configs.iter().map(|_| None).collect();
        let mut cluster = Self { folder, configs, genesis, signer, children };
        (0..usize::from(nodes)).for_each(|node| cluster.run(node));
        cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("net").join(name)
    }

    fn log(&self, node: usize) -> PathBuf {
        self.path(&format!("node-{node}/log"))
    }

    pub(crate) fn run(&mut self, node: usize) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log(node)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_hansa-node"))
            .args(["run", "--config"])
            .arg(self.path(&format!("node-{node}/node.toml")))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children[node] = Some(child);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, node: usize) {
        let mut child = self.children[node].take().expect("the node runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends a signal that the standard library has no name for.
    pub(crate) fn signal(&self, node: usize, name: &str) {
        let pid = self.children[node].as_ref().expect("the node runs").id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(&mut self, node: usize) {
        self.signal(node, "-TERM");
        let mut child = self.children[node].take().expect("the node runs");
        let status = eventually("the node ends", || child.try_wait().unwrap());
        assert!(status.success(), "a node that is told to stop ends well: {status}");
    }

    /// One request; `None` when the node does not answer.
    pub(crate) fn request(
        &self,
        node: usize,
        head: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<(u16, serde_json::Value)> {
        request(self.configs[node].http, &self.path("ca.pem"), head, headers, body)
    }

    pub(crate) fn get(&self, node: usize, path: &str) -> Option<(u16, serde_json::Value)> {
        self.request(node, &format!("GET {path}"), &[], &[])
    }

    pub(crate) fn status(&self, node: usize) -> Option<serde_json::Value> {
        self.get(node, "/v1/status").map(|(_, body)| body)
    }

    pub(crate) fn height(&self, node: usize) -> Option<u64> {
        self.status(node)?["executed_height"].as_u64()
    }

    pub(crate) fn sign(&self, sql: &str, parameters: Vec<Value>) -> Transaction {
        self.signer.statement(sql, parameters, now_ms()).unwrap()
    }

    pub(crate) fn submit(
        &self,
        node: usize,
        wait: &str,
        transactions: &[Transaction],
    ) -> Option<(u16, serde_json::Value)> {
        let hex: Vec<String> = transactions.iter().map(|t| hex::encode(t.raw())).collect();
        let body = json!({ "transactions": hex }).to_string();
        let target = format!("POST /v1/transactions?wait={wait}");
        self.request(node, &target, &[("content-type", "application/json")], body.as_bytes())
    }

    /// Submits and insists that it takes effect; tries again while the ledger is not up.
    pub(crate) fn apply(&self, node: usize, sql: &str) -> Transaction {
        let transaction = self.sign(sql, vec![]);
        eventually(sql, || {
            let one = std::slice::from_ref(&transaction);
            let (status, answer) = self.submit(node, "executed", one)?;
            assert_eq!(status, 200, "{sql}: {answer}");
            let item = &answer["items"][0];
            match item["outcome"]["status"].as_str() {
                Some("applied") => Some(()),
                // The answer to the first attempt was lost; its effect was not.
                Some(_) if item["outcome"]["reason"] == "duplicate" => Some(()),
                Some(_) => panic!("{sql}: {answer}"),
                None => None,
            }
        });
        transaction
    }

    pub(crate) fn query(&self, node: usize, sql: &str) -> Option<(u16, serde_json::Value)> {
        self.query_by(&self.signer, node, &json!({ "sql": sql }))
    }

    pub(crate) fn query_by(
        &self,
        signer: &Signer,
        node: usize,
        body: &serde_json::Value,
    ) -> Option<(u16, serde_json::Value)> {
        let body = body.to_string();
        let line = RequestLine { method: "POST", target: "/v1/query", body: body.as_bytes() };
        let token = signer.authorize(line, "test", now_ms());
        self.request(node, "POST /v1/query", &[("authorization", &token)], body.as_bytes())
    }

    /// Gives `key` roles, as the administrator.
    pub(crate) fn grant(&self, key: PublicKey, roles: Roles) {
        let payload = Payload::Access(vec![AccessChange { key, roles }]);
        let transaction = self.signer.transaction(payload, now_ms()).unwrap();
        eventually("the roles are granted", || {
            let one = std::slice::from_ref(&transaction);
            let (_, answer) = self.submit(0, "executed", one)?;
            (answer["items"][0]["progress"] == "executed").then_some(())
        });
    }

    /// The receipt, once the results are certified.
    pub(crate) fn receipt(&self, node: usize, transaction: &Transaction) -> serde_json::Value {
        let path = format!("/v1/transactions/{}/receipt", transaction.id());
        eventually("a certified receipt", || match self.get(node, &path)? {
            (200, receipt) => Some(receipt),
            (409 | 404, _) => None,
            other => panic!("{other:?}"),
        })
    }
}

pub(crate) fn request(
    address: SocketAddr,
    ca: &Path,
    head: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<(u16, serde_json::Value)> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_ca_file(ca).unwrap();
    let socket = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut stream = connector.build().connect("localhost", socket).ok()?;
    let mut text = format!("{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(text.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    // The other side may close without a TLS goodbye.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(serde_json::Value::Null)))
}
