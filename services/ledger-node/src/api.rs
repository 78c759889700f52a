//! The HTTPS interface of a node.

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State as Extracted},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use ledger_state::{QueryError, QueryLimits, Reader};
use ledger_types::{
    Digest, Genesis, LedgerId, Outcome, Policy, RequestLine, RequestToken, Roles, Transaction,
    Value, limits, message::DecidedBlock,
};
use openssl::ssl::{Ssl, SslAcceptor};
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};
use tokio_openssl::SslStream;

use crate::{
    commit::ReceiptAnswer,
    incident::Incident,
    net::{Event, now_ms},
};

/// Bytes of a request's body at most.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Transactions of one submission at most.
const SUBMISSION_MAX: usize = 2_000;
/// Queries that run at the same time.
const QUERIES_MAX: usize = 8;
/// Longest wait for a transaction.
const WAIT_MS_MAX: u64 = 30_000;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What a client waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// The node has taken it.
    #[default]
    None,
    /// Its place in the order is final.
    Committed,
    /// This node has its result.
    Executed,
    /// A certified header covers its result.
    Certified,
}

/// How far a transaction has come.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// Waits to be ordered.
    Accepted,
    /// In a decided block.
    Committed {
        /// The block.
        height: u64,
    },
    /// Has its outcome.
    Executed {
        /// The block.
        height: u64,
        /// What became of it.
        outcome: Outcome,
    },
}

/// Transactions on their way from a client to the replica.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) transactions: Vec<Arc<Transaction>>,
    pub(crate) wait: Wait,
    pub(crate) answer: oneshot::Sender<Result<Vec<Option<oneshot::Receiver<Progress>>>, Refused>>,
}

/// Why a submission is not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A signature does not hold.
    Signature { place: usize },
    /// Too much waits already.
    Busy,
}

/// Questions to the net thread.
pub(crate) enum Request {
    Submit(Submission),
    Status(oneshot::Sender<Status>),
    Block(u64, oneshot::Sender<Option<DecidedBlock>>),
    Receipt(Digest, oneshot::Sender<ReceiptAnswer>),
    Incidents(oneshot::Sender<Vec<Incident>>),
    Patrol(oneshot::Sender<usize>),
}

/// Whether a node trusts its own disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Nothing is known to be wrong.
    Ok,
    /// Something is wrong and is being put right; the node does not vote.
    Repairing,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The ledger.
    pub ledger: LedgerId,
    /// This node's index among the validators.
    pub node: u16,
    /// Last decided height.
    pub height: u64,
    /// Last executed height.
    pub executed_height: u64,
    /// Its execution root.
    pub execution_root: Digest,
    /// Round of the height in progress.
    pub round: u32,
    /// Who leads it.
    pub leader: u16,
    /// How the validators agree.
    pub policy: Policy,
    /// How many there are.
    pub validators: usize,
    /// Whether this node votes.
    pub may_vote: bool,
    /// Whether it has found its own state wrong.
    pub diverged: bool,
    /// Whether it trusts its own disk.
    pub integrity: Integrity,
    /// Transactions that wait here.
    pub waiting: usize,
    /// Whether enough validators are connected to decide anything.
    pub quorum_reachable: bool,
    /// Indices of connected peers.
    pub peers_connected: Vec<u16>,
}

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Shared {
    genesis: Arc<Genesis>,
    state: PathBuf,
    events: mpsc::Sender<Event>,
    queries: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(genesis: Arc<Genesis>, state: PathBuf, events: mpsc::Sender<Event>) -> Self {
        Self { genesis, state, events, queries: Arc::new(Semaphore::new(QUERIES_MAX)) }
    }

    /// Asks the net thread.
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Request) -> Answer<T> {
        let (sender, receiver) = oneshot::channel();
        let stopping =
            || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node stops");
        self.events.send(Event::Request(question(sender))).await.map_err(|_| stopping())?;
        receiver.await.map_err(|_| stopping())
    }
}

/// An error answer (RFC 9457).
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    code: &'static str,
}

type Answer<T> = Result<T, Problem>;

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:hansa:problem:{code}"),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code,
        }
    }

    fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let kind = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = header::HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

/// The routes of a node.
pub(crate) fn router(shared: Shared) -> Router {
    let nothing_here = |uri: Uri| async move {
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {uri}"))
    };
    Router::new()
        .route("/v1/transactions", post(submit))
        .route("/v1/transactions/{transaction_id}/receipt", get(receipt))
        .route("/v1/query", post(query))
        .route("/v1/blocks/{height}", get(block))
        .route("/v1/status", get(status))
        .route("/v1/incidents", get(incidents))
        .route("/v1/scrub", post(scrub))
        .route("/v1/genesis", get(genesis))
        .fallback(nothing_here)
        .method_not_allowed_fallback(|method: Method| async move {
            let text = format!("{method} is not offered here");
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// Serves clients until the node ends.
pub(crate) async fn serve(listener: TcpListener, acceptor: SslAcceptor, shared: Shared) {
    let router = router(shared);
    let acceptor = Arc::new(acceptor);
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file descriptors, for example: others may close soon.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            // A small answer must not wait for the next one.
            let _ = socket.set_nodelay(true);
            let Ok(ssl) = Ssl::new(acceptor.context()) else { return };
            let Ok(mut stream) = SslStream::new(ssl, socket) else { return };
            match timeout(HANDSHAKE, Pin::new(&mut stream).accept()).await {
                Ok(Ok(())) => {
                    let service = TowerToHyperService::new(router);
                    let builder = Builder::new(TokioExecutor::new());
                    if let Err(error) =
                        builder.serve_connection(TokioIo::new(stream), service).await
                    {
                        tracing::debug!("client connection: {error}");
                    }
                }
                Ok(Err(error)) => tracing::debug!("client handshake: {error}"),
                Err(_) => tracing::debug!("client handshake: too slow"),
            }
        });
    }
}

/// How to submit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitOptions {
    #[serde(default)]
    wait: Wait,
    /// How long to wait at most.
    #[serde(default = "default_wait_ms")]
    timeout_ms: u64,
}

fn default_wait_ms() -> u64 {
    10_000
}

/// `POST /v1/transactions` in JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitBody {
    /// Signed transactions, hexadecimal.
    transactions: Vec<String>,
}

/// What became of one submitted transaction.
#[derive(Debug, Serialize)]
struct Submitted {
    transaction: Digest,
    #[serde(flatten)]
    progress: Progress,
}

#[derive(Debug, Serialize)]
struct SubmittedAll {
    items: Vec<Submitted>,
}

async fn submit(
    Extracted(shared): Extracted<Shared>,
    options: Result<Query<SubmitOptions>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<SubmittedAll>> {
    let Query(options) =
        options.map_err(|error| Problem::invalid("invalid_query", error.body_text()))?;
    let binary = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/vnd.hansa.transactions");
    let transactions = if binary { read_binary(&body)? } else { read_json(&body)? };
    if transactions.is_empty() || transactions.len() > SUBMISSION_MAX {
        let text = format!("a submission has 1 to {SUBMISSION_MAX} transactions");
        return Err(Problem::invalid("invalid_submission", text));
    }
    check_all(&shared, &transactions)?;
    let ids: Vec<Digest> = transactions.iter().map(|t| t.id()).collect();
    let wait = options.wait;
    let taken = shared
        .ask(|answer| Request::Submit(Submission { transactions, wait, answer }))
        .await?
        .map_err(|refused| match refused {
            Refused::Signature { place } => Problem::invalid(
                "invalid_signature",
                format!("the signature of transaction {place} is not its signer's"),
            ),
            Refused::Busy => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "busy",
                "too many transactions wait; try again",
            ),
        })?;
    let deadline = Duration::from_millis(options.timeout_ms.min(WAIT_MS_MAX));
    let until = tokio::time::Instant::now() + deadline;
    let mut items = Vec::with_capacity(ids.len());
    for (transaction, receiver) in ids.into_iter().zip(taken) {
        let progress = match receiver {
            // Too late is not a failure: the transaction may still come to pass.
            Some(receiver) => match tokio::time::timeout_at(until, receiver).await {
                Ok(Ok(progress)) => progress,
                Ok(Err(_)) | Err(_) => Progress::Accepted,
            },
            None => Progress::Accepted,
        };
        items.push(Submitted { transaction, progress });
    }
    Ok(Json(SubmittedAll { items }))
}

fn read_binary(body: &Bytes) -> Answer<Vec<Arc<Transaction>>> {
    let raw: Vec<Vec<u8>> = ledger_types::decode(body)
        .map_err(|error| Problem::invalid("invalid_submission", error.to_string()))?;
    raw.into_iter().enumerate().map(|(place, raw)| decode(place, raw.into())).collect()
}

fn read_json(body: &Bytes) -> Answer<Vec<Arc<Transaction>>> {
    let body: SubmitBody = serde_json::from_slice(body)
        .map_err(|error| Problem::invalid("invalid_body", error.to_string()))?;
    let read = |(place, text): (usize, String)| {
        let raw = hex::decode(&text).map_err(|_| {
            let text = format!("transaction {place} is not hexadecimal");
            Problem::invalid("invalid_transaction", text)
        })?;
        decode(place, raw.into())
    };
    body.transactions.into_iter().enumerate().map(read).collect()
}

fn decode(place: usize, raw: Bytes) -> Answer<Arc<Transaction>> {
    Transaction::decode(raw).map(Arc::new).map_err(|error| {
        Problem::invalid("invalid_transaction", format!("transaction {place}: {error}"))
    })
}

/// What can be refused before the ledger sees it.
fn check_all(shared: &Shared, transactions: &[Arc<Transaction>]) -> Answer<()> {
    let now = now_ms();
    for (place, transaction) in transactions.iter().enumerate() {
        let body = transaction.body();
        if body.ledger != shared.genesis.ledger() {
            let text = format!("transaction {place} is for ledger {}", body.ledger);
            return Err(Problem::invalid("wrong_ledger", text));
        }
        if body.valid_until_ms <= now {
            let text = format!("transaction {place} was valid until {} ms", body.valid_until_ms);
            return Err(Problem::invalid("expired", text));
        }
        if body.valid_from_ms > now + limits::CLOCK_DRIFT_MS_MAX {
            let text = format!("transaction {place} is valid from {} ms", body.valid_from_ms);
            return Err(Problem::invalid("not_yet_valid", text));
        }
    }
    Ok(())
}

async fn receipt(
    Extracted(shared): Extracted<Shared>,
    Path(transaction): Path<String>,
) -> Answer<Response> {
    let id: Digest = transaction.parse().map_err(|_| {
        Problem::invalid("invalid_id", "a transaction's id is 64 hexadecimal digits")
    })?;
    match shared.ask(|answer| Request::Receipt(id, answer)).await? {
        ReceiptAnswer::Receipt(receipt) => Ok(Json(receipt).into_response()),
        ReceiptAnswer::NotCertified { height } => Err(Problem::new(
            StatusCode::CONFLICT,
            "not_certified",
            format!("the results of height {height} are not certified yet"),
        )),
        ReceiptAnswer::Unknown => {
            let text = format!("no block here holds transaction {id}");
            Err(Problem::new(StatusCode::NOT_FOUND, "transaction_not_found", text))
        }
    }
}

/// `GET /v1/blocks/{height}`.
#[derive(Debug, Serialize)]
struct BlockView {
    header: ledger_types::BlockHeader,
    digest: Digest,
    transactions: Vec<Digest>,
    certificate: ledger_types::Certificate,
}

async fn block(
    Extracted(shared): Extracted<Shared>,
    height: Result<Path<u64>, axum::extract::rejection::PathRejection>,
) -> Answer<Json<BlockView>> {
    let Path(height) =
        height.map_err(|_| Problem::invalid("invalid_height", "a height is a number"))?;
    let found = shared.ask(|answer| Request::Block(height, answer)).await?;
    let DecidedBlock { block, certificate } = found.ok_or_else(|| {
        let text = format!("no block at height {height}");
        Problem::new(StatusCode::NOT_FOUND, "block_not_found", text)
    })?;
    Ok(Json(BlockView {
        digest: block.header.digest(shared.genesis.ledger()),
        header: block.header.clone(),
        transactions: block.transactions.iter().map(|t| t.id()).collect(),
        certificate,
    }))
}

async fn status(Extracted(shared): Extracted<Shared>) -> Answer<Json<Status>> {
    Ok(Json(shared.ask(Request::Status).await?))
}

/// `GET /v1/incidents`, newest first.
#[derive(Debug, Serialize)]
struct IncidentsView {
    incidents: Vec<Incident>,
}

async fn incidents(Extracted(shared): Extracted<Shared>) -> Answer<Json<IncidentsView>> {
    Ok(Json(IncidentsView { incidents: shared.ask(Request::Incidents).await? }))
}

/// `POST /v1/scrub`: how much is wrong that was not known before.
#[derive(Debug, Serialize)]
struct ScrubView {
    found: usize,
}

/// Reads everything on disk once. It takes the disk's time, so it needs a key with a role.
async fn scrub(
    Extracted(shared): Extracted<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<ScrubView>> {
    let key = signer(&shared, &uri, &headers, &body)?.key;
    let _permit =
        shared.queries.acquire().await.map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node stops")
        })?;
    let path = shared.state.clone();
    let roles = tokio::task::spawn_blocking(move || Reader::open(&path)?.roles(&key));
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "not readable");
    let roles = roles.await.map_err(|_| failed(()))?.map_err(|_| failed(()))?;
    if !roles.is_some_and(|(_, roles)| roles.contains(Roles::ADMIN)) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "the key lacks the role admin",
        ));
    }
    Ok(Json(ScrubView { found: shared.ask(Request::Patrol).await? }))
}

async fn genesis(Extracted(shared): Extracted<Shared>) -> Json<Genesis> {
    Json((*shared.genesis).clone())
}

/// `POST /v1/query`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryBody {
    sql: String,
    #[serde(default)]
    parameters: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct QueryAnswer {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
    height: u64,
    truncated: bool,
}

/// Who has signed a request that changes nothing on the ledger.
fn signer(shared: &Shared, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Answer<RequestToken> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let line = RequestLine { method: "POST", target, body };
    let refused =
        |detail: String| Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail);
    let token = token.ok_or_else(|| refused("a signed request token is needed".into()))?;
    RequestToken::check(token, shared.genesis.ledger(), line, now_ms())
        .map_err(|error| refused(error.to_string()))
}

async fn query(
    Extracted(shared): Extracted<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<QueryAnswer>> {
    let token = signer(&shared, &uri, &headers, &body)?;
    let asked: QueryBody = serde_json::from_slice(&body)
        .map_err(|error| Problem::invalid("invalid_body", error.to_string()))?;
    let _permit =
        shared.queries.acquire().await.map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node stops")
        })?;
    let path = shared.state.clone();
    let answered = tokio::task::spawn_blocking(move || {
        let mut reader = Reader::open(&path)?;
        let roles = reader.roles(&token.key)?.map_or(Roles::NONE, |(_, roles)| roles);
        if !roles.contains(Roles::READ) {
            return Ok(None);
        }
        reader.query(&asked.sql, &asked.parameters, QueryLimits::default()).map(Some)
    });
    let failed = |detail: String| {
        tracing::error!("query: {detail}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the query could not be run")
    };
    match answered.await.map_err(|error| failed(error.to_string()))? {
        Ok(Some(rows)) => Ok(Json(QueryAnswer {
            columns: rows.columns,
            rows: rows.rows,
            height: rows.height,
            truncated: rows.truncated,
        })),
        Ok(None) => {
            Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "the key lacks the role read"))
        }
        Err(QueryError::Query(text)) => Err(Problem::invalid("invalid_sql", text)),
        Err(QueryError::NotPermitted(text)) => {
            Err(Problem::new(StatusCode::FORBIDDEN, "read_only", text))
        }
        Err(error @ QueryError::TooLong(_)) => {
            Err(Problem::invalid("query_too_long", error.to_string()))
        }
        Err(QueryError::State(error)) => Err(failed(error.to_string())),
    }
}
