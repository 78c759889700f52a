//! Ledger nodes, over their public interface.

use std::{collections::BTreeMap, fmt::Debug, sync::Mutex, time::Duration};

use async_trait::async_trait;
use hansa_core::{Error, Result};
use reqwest::{Certificate, Client};
use serde::Deserialize;

use crate::body;

/// How long a node may take.
const TIME_MAX: Duration = Duration::from_secs(3);
/// How long a node may take to say how it does: one that takes longer does not take part either.
const STATUS_TIME_MAX: Duration = Duration::from_secs(2);
/// Bytes of its answers.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Clients kept, one for each ledger's authority.
const CLIENTS_MAX: usize = 256;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NodeStatus {
    /// Last decided height.
    pub height: u64,
    /// Last executed height.
    pub executed_height: u64,
    /// Root over state and results at that height, hexadecimal.
    pub execution_root: String,
    /// Peers that it is connected to.
    pub peers_connected: Vec<u16>,
    /// Whether it takes part in votes.
    pub may_vote: bool,
    /// Whether enough validators are in reach.
    pub quorum_reachable: bool,
}

/// Whether a node trusts its own disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrityState {
    /// Nothing is wrong.
    Ok,
    /// Something is wrong; it does not vote.
    Suspect,
    /// It is being put right.
    Repairing,
    /// It cannot be put right without help.
    Failed,
}

/// Something that a node found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NodeIncident {
    /// Its id on that node.
    pub id: String,
    /// `block_corrupt`, `state_corrupt` or `equivocation`.
    pub kind: String,
    /// In words.
    pub summary: String,
    /// Unix milliseconds.
    pub opened_at_ms: u64,
    /// Unix milliseconds, once it was put right.
    pub resolved_at_ms: Option<u64>,
}

/// Reaches nodes. `address` is `https://host:port`, `authority` the PEM of their ledger's CA.
#[async_trait]
pub trait Nodes: Debug + Send + Sync {
    /// What a node says of itself.
    async fn status(&self, address: &str, authority: &str) -> Result<NodeStatus>;

    /// What a node found wrong, newest first.
    async fn incidents(&self, address: &str, authority: &str) -> Result<Vec<NodeIncident>>;

    /// The answer of a node to a reading request, as it is.
    async fn read(&self, address: &str, authority: &str, path: &str) -> Result<Option<Vec<u8>>>;
}

/// Nodes over HTTPS. A node must show a certificate of its ledger's authority.
#[derive(Debug, Default)]
pub struct HttpNodes {
    clients: Mutex<BTreeMap<String, Client>>,
}

impl HttpNodes {
    fn client(&self, authority: &str) -> Result<Client> {
        let mut clients = self.clients.lock().expect("no holder panics");
        if let Some(client) = clients.get(authority) {
            return Ok(client.clone());
        }
        let certificate = Certificate::from_pem(authority.as_bytes()).map_err(Error::internal)?;
        let client = Client::builder()
            .tls_certs_only([certificate])
            .https_only(true)
            .no_proxy()
            .timeout(TIME_MAX)
            .build()
            .map_err(Error::internal)?;
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(authority.to_owned(), client.clone());
        Ok(client)
    }

    async fn get(&self, address: &str, authority: &str, path: &str) -> Result<reqwest::Response> {
        let request = self.client(authority)?.get(format!("{address}{path}"));
        request.send().await.map_err(Error::unavailable)
    }
}

#[async_trait]
impl Nodes for HttpNodes {
    async fn status(&self, address: &str, authority: &str) -> Result<NodeStatus> {
        let request = self.client(authority)?.get(format!("{address}/v1/status"));
        let answer = request.timeout(STATUS_TIME_MAX).send().await.map_err(Error::unavailable)?;
        body::json(answer.error_for_status().map_err(Error::unavailable)?, ANSWER_BYTES_MAX).await
    }

    async fn incidents(&self, address: &str, authority: &str) -> Result<Vec<NodeIncident>> {
        #[derive(Deserialize)]
        struct List {
            incidents: Vec<NodeIncident>,
        }
        let answer = self.get(address, authority, "/v1/incidents").await?;
        let answer = answer.error_for_status().map_err(Error::unavailable)?;
        let list: List = body::json(answer, ANSWER_BYTES_MAX).await?;
        Ok(list.incidents)
    }

    async fn read(&self, address: &str, authority: &str, path: &str) -> Result<Option<Vec<u8>>> {
        let answer = self.get(address, authority, path).await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.error_for_status().map_err(Error::unavailable)?;
        body::bytes(answer, ANSWER_BYTES_MAX).await.map(Some)
    }
}
