//! A node's HTTPS interface.
//!
//! The client trusts one certificate authority, the ledger's, and where the caller names it, one
//! endorsed TLS key: a certificate of another node of the same ledger is refused. The key is seen
//! with the first answer, so the first request of a client is always the harmless `/v1/status`, and
//! every later answer is checked again.

use std::time::Duration;

use ledger_types::{Digest, Genesis, Receipt, RequestLine, Transaction, Value};
use openssl::x509::X509;
use reqwest::{Certificate, Client, Method, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    answer::{
        BlockView, NodeProblem, NodeStatus, Progress, ReceiptState, Rows, Submitted, SubmittedAll,
        Wait,
    },
    events::Events,
    signer::Signer,
};

/// How long a node may take to answer, beside what a submission waits for.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer: a query's rows have at most 8 MiB of values.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Why a request is made, for the node's audit.
const PURPOSE: &str = "client";

/// Why a node gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The address, the authority's certificate or the system's TLS cannot be used.
    #[error("a client for node {address} cannot be made: {reason}")]
    Setup {
        /// The node's address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The node could not be reached, or the connection broke. What was sent may have arrived.
    #[error("node {address} does not answer: {reason}")]
    Unreachable {
        /// The node's address.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// Whoever answers is not the node that the ledger's genesis endorses.
    #[error(
        "whoever answers at {address} does not hold the endorsed TLS key {endorsed}: do not use it"
    )]
    NotEndorsed {
        /// The address.
        address: String,
        /// SHA-256 over the endorsed key's DER.
        endorsed: Digest,
    },
    /// The answer is not of the interface's form.
    #[error("node {address} answers what this program does not understand: {reason}")]
    Malformed {
        /// The node's address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node says no.
    #[error("{0}")]
    Problem(Box<NodeProblem>),
}

impl NodeError {
    /// Whether the same request may succeed later: the node was away or busy.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => matches!(problem.status, 429 | 503),
            Self::Setup { .. } | Self::NotEndorsed { .. } | Self::Malformed { .. } => false,
        }
    }

    /// The node's problem, if it gave one.
    #[must_use]
    pub fn problem(&self) -> Option<&NodeProblem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::Setup { .. }
            | Self::Unreachable { .. }
            | Self::NotEndorsed { .. }
            | Self::Malformed { .. } => None,
        }
    }
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeClient {
    http: Client,
    address: String,
    endorsed: Option<Digest>,
}

impl NodeClient {
    /// A client of the node at `address` (`https://host:port`), which must show a certificate of
    /// the authority `ca_certificate` (PEM) for the key whose digest is `endorsed`, where given.
    /// Nothing is sent but a request for the node's status, which checks who is there.
    ///
    /// # Errors
    /// When the certificate is none, or whoever answers is not that node.
    pub async fn connect(
        address: &str,
        ca_certificate: &str,
        endorsed: Option<Digest>,
    ) -> Result<Self, NodeError> {
        let setup = |error: reqwest::Error| NodeError::Setup {
            address: address.to_owned(),
            reason: chain(&error),
        };
        let authority = Certificate::from_pem(ca_certificate.as_bytes()).map_err(setup)?;
        let http = Client::builder()
            .tls_certs_only([authority])
            .tls_info(true)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIME_MAX)
            .build()
            .map_err(setup)?;
        let client = Self { http, address: address.trim_end_matches('/').to_owned(), endorsed };
        client.status().await?;
        Ok(client)
    }

    /// Where the node is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How the node stands.
    ///
    /// # Errors
    /// When it does not answer properly.
    pub async fn status(&self) -> Result<NodeStatus, NodeError> {
        self.get("/v1/status").await
    }

    /// The genesis that the node runs on. The caller checks it and whether it is the one it trusts.
    ///
    /// # Errors
    /// When the node does not answer properly.
    pub async fn genesis(&self) -> Result<Genesis, NodeError> {
        self.get("/v1/genesis").await
    }

    /// A block's header, ids and certificate.
    ///
    /// # Errors
    /// When the node does not have it or does not answer properly.
    pub async fn block(&self, height: u64) -> Result<BlockView, NodeError> {
        self.get(&format!("/v1/blocks/{height}")).await
    }

    /// Submits transactions and waits for each to come as far as `wait`, at most `timeout`. One
    /// that has not come so far by then is answered with how far it has come: it may still take
    /// effect.
    ///
    /// # Errors
    /// When the node refuses the submission as a whole or does not answer properly; then nothing is
    /// known about its transactions.
    pub async fn submit(
        &self,
        transactions: &[Transaction],
        wait: Wait,
        timeout: Duration,
    ) -> Result<Vec<Submitted>, NodeError> {
        let raw: Vec<&[u8]> = transactions.iter().map(|t| t.raw().as_ref()).collect();
        let target =
            format!("/v1/transactions?wait={}&timeout_ms={}", wait.as_str(), timeout.as_millis());
        let request = self
            .http
            .post(format!("{}{target}", self.address))
            .header(header::CONTENT_TYPE, "application/vnd.hansa.transactions")
            .timeout(ANSWER_TIME_MAX + timeout)
            .body(ledger_types::encode(&raw));
        let all: SubmittedAll = self.answer(request).await?;
        let asked = transactions.iter().map(Transaction::id);
        if !all.items.iter().map(|item| item.transaction).eq(asked) {
            return Err(self.malformed("it answers for other transactions than were sent"));
        }
        Ok(all.items)
    }

    /// How far a transaction has come; `None` when the node has not heard of it. The node answers
    /// when it has come as far as `wait`, or after `timeout`.
    ///
    /// # Errors
    /// When the node does not answer properly.
    pub async fn transaction(
        &self,
        transaction: Digest,
        wait: Wait,
        timeout: Duration,
    ) -> Result<Option<Progress>, NodeError> {
        let target = format!(
            "/v1/transactions/{transaction}?wait={}&timeout_ms={}",
            wait.as_str(),
            timeout.as_millis()
        );
        let request = self.http.get(format!("{}{target}", self.address));
        let found: Result<Submitted, _> =
            self.answer(request.timeout(ANSWER_TIME_MAX + timeout)).await;
        match found {
            Ok(found) if found.transaction == transaction => Ok(Some(found.progress)),
            Ok(_) => Err(self.malformed("it answers for another transaction")),
            Err(NodeError::Problem(problem)) if problem.code == "transaction_not_found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Follows what happens on the node: first how it stands, then each block and incident. After a
    /// break, `last` is [`Events::last_id`] of the stream before.
    ///
    /// # Errors
    /// When the node does not answer properly, or `last` is too far back (`events_gone`).
    pub async fn events(&self, last: Option<u64>) -> Result<Events, NodeError> {
        let mut request = self.http.get(format!("{}/v1/events", self.address));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        self.check_key(&answer)?;
        if answer.status() == StatusCode::OK {
            return Ok(Events::new(self.clone(), answer));
        }
        let status = answer.status();
        let body = self.read(answer).await?;
        Err(self.refusal(status, &body))
    }

    /// Runs one read-only statement at the node's executed height.
    ///
    /// # Errors
    /// When the statement is wrong, the key may not read, or the node does not answer properly.
    pub async fn query(
        &self,
        signer: &Signer,
        sql: &str,
        parameters: &[Value],
        now_ms: u64,
    ) -> Result<Rows, NodeError> {
        self.query_at(signer, None, sql, parameters, now_ms).await
    }

    /// Runs one read-only statement as of `height`, or of the node's executed height without one.
    ///
    /// # Errors
    /// As [`NodeClient::query`], and when the height is not reached or not kept any more.
    pub async fn query_at(
        &self,
        signer: &Signer,
        height: Option<u64>,
        sql: &str,
        parameters: &[Value],
        now_ms: u64,
    ) -> Result<Rows, NodeError> {
        let (method, target) = (Method::POST, "/v1/query");
        let mut body = json!({ "sql": sql, "parameters": parameters });
        if let Some(height) = height {
            body["height"] = height.into();
        }
        let body = body.to_string();
        let line = RequestLine { method: method.as_str(), target, body: body.as_bytes() };
        let token = signer.authorize(line, PURPOSE, now_ms);
        let request = self
            .http
            .request(method, format!("{}{target}", self.address))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, token)
            .timeout(ANSWER_TIME_MAX)
            .body(body);
        let rows: Rows = self.answer(request).await?;
        if height.is_some_and(|height| height != rows.height) {
            return Err(self.malformed("the rows are of another height than was asked for"));
        }
        Ok(rows)
    }

    /// What the node knows of a transaction. The caller verifies a receipt against the genesis.
    ///
    /// # Errors
    /// When the node does not answer properly.
    pub async fn receipt(&self, transaction: Digest) -> Result<ReceiptState, NodeError> {
        let found: Result<Receipt, _> =
            self.get(&format!("/v1/transactions/{transaction}/receipt")).await;
        match found {
            Ok(receipt) if receipt.transaction == transaction => {
                Ok(ReceiptState::Certified(Box::new(receipt)))
            }
            Ok(_) => Err(self.malformed("the receipt is for another transaction")),
            Err(NodeError::Problem(problem)) if problem.code == "transaction_not_found" => {
                Ok(ReceiptState::Unknown)
            }
            Err(NodeError::Problem(problem)) if problem.code == "not_certified" => {
                Ok(ReceiptState::NotCertified)
            }
            Err(error) => Err(error),
        }
    }

    async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, NodeError> {
        let request = self.http.get(format!("{}{target}", self.address));
        self.answer(request.timeout(ANSWER_TIME_MAX)).await
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, NodeError> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        self.check_key(&answer)?;
        let status = answer.status();
        let body = self.read(answer).await?;
        if status != StatusCode::OK {
            return Err(self.refusal(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| self.malformed(error.to_string()))
    }

    /// An answer's body, bounded.
    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, NodeError> {
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(self.malformed(format!("more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> NodeError {
        match serde_json::from_slice(body) {
            Ok(problem) => NodeError::Problem(problem),
            Err(_) => self.malformed(format!("status {status} without a reason")),
        }
    }

    fn check_key(&self, answer: &Response) -> Result<(), NodeError> {
        let Some(endorsed) = self.endorsed else { return Ok(()) };
        let shown = answer
            .extensions()
            .get::<reqwest::tls::TlsInfo>()
            .and_then(reqwest::tls::TlsInfo::peer_certificate)
            .and_then(|der| X509::from_der(der).ok())
            .and_then(|certificate| certificate.public_key().ok())
            .and_then(|key| key.public_key_to_der().ok())
            .map(|der| Digest::of(&der));
        if shown == Some(endorsed) {
            Ok(())
        } else {
            Err(NodeError::NotEndorsed { address: self.address.clone(), endorsed })
        }
    }

    pub(crate) fn malformed(&self, reason: impl Into<String>) -> NodeError {
        NodeError::Malformed { address: self.address.clone(), reason: reason.into() }
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> NodeError {
        NodeError::Unreachable { address: self.address.clone(), reason: chain(error) }
    }

    pub(crate) fn silent(&self) -> NodeError {
        let reason = "its event stream is silent".to_owned();
        NodeError::Unreachable { address: self.address.clone(), reason }
    }
}

/// An error with its causes: the outermost alone says only "error sending request".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
