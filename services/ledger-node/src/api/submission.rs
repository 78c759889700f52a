//! Taking transactions.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, header},
};
use ledger_types::{Digest, Transaction, limits};
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, time::timeout_at};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Answer, Request, Shared,
    body::Body,
    openapi::example,
    problem::{Code, Problem},
    transaction::{Progress, TransactionView, Wait, WaitOptions},
};
use crate::{net::now_ms, shares::OverShare};

/// Submissions between their arrival and the node's word, at most.
pub(super) const SUBMISSIONS_MAX: usize = 256;
/// Transactions of one submission at most.
const SUBMISSION_MAX: usize = 2_000;
const BINARY: &str = "application/vnd.hansa.transactions";

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(transaction_submit))
}

pub(super) const PROBLEMS: [(&str, &[Code]); 1] = [(
    "transaction_submit",
    &[
        Code::InvalidQuery,
        Code::InvalidBody,
        Code::InvalidSubmission,
        Code::InvalidTransaction,
        Code::InvalidSignature,
        Code::WrongLedger,
        Code::Expired,
        Code::NotYetValid,
        Code::BodyTooLarge,
        Code::BodyTooSlow,
        Code::Busy,
        Code::KeyLimit,
        Code::MemberLimit,
    ],
)];

/// Transactions on their way from a client to the replica.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) transactions: Vec<Arc<Transaction>>,
    /// The member of each signer; `None` for keys that the ledger does not know.
    pub(crate) members: Vec<Option<u32>>,
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
    /// Too much of one key or member.
    Share(OverShare),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Signature { place } => Self::new(
                Code::InvalidSignature,
                format!("the signature of transaction {place} is not its signer's"),
            ),
            Refused::Busy => Self::new(Code::Busy, "too many transactions wait; try again"),
            Refused::Share(OverShare::Key { key, limit }) => Self::new(
                Code::KeyLimit,
                format!("key {key} may have {limit} transactions waiting here; try again"),
            ),
            Refused::Share(OverShare::Member { member: Some(member), limit }) => Self::new(
                Code::MemberLimit,
                format!(
                    "the keys of member {member} may have {limit} transactions waiting here; try \
                     again"
                ),
            ),
            Refused::Share(OverShare::Member { member: None, limit }) => Self::new(
                Code::MemberLimit,
                format!("keys that the ledger does not know may have {limit} waiting here"),
            ),
        }
    }
}

/// Signed transactions as JSON.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubmitBody {
    /// Signed transactions, hexadecimal; 1 to 2,000.
    #[schema(min_items = 1, max_items = 2_000)]
    transactions: Vec<String>,
}

/// What became of the submitted transactions.
#[derive(Debug, Serialize, ToSchema)]
struct SubmittedList {
    /// In the order of the submission.
    items: Vec<TransactionView>,
}

/// Submit transactions
///
/// Signed transactions are their own authority: no token is needed. They are taken together or not
/// at all; `wait` says how far each must have come before the answer. One that has not come so far
/// in time is answered with how far it has come: it may still take effect. Repeating a submission
/// is safe, a transaction has one effect. A key may hold a tenth of what may wait on a node, the
/// keys of one member three quarters. `application/vnd.hansa.transactions` is the binary form: the
/// borsh encoding of a list of encoded transactions.
#[utoipa::path(
    post, path = "/v1/transactions", tag = "transactions",
    params(WaitOptions),
    request_body(content(
        (SubmitBody = "application/json",
            example = json!({ "transactions": [example::RAW_TRANSACTION] })),
        (Vec<u8> = "application/vnd.hansa.transactions"),
    )),
    responses((status = 200, description = "How far each has come", body = SubmittedList,
        example = json!({ "items": [example::executed()] }))),
)]
async fn transaction_submit(
    State(shared): State<Shared>,
    options: Result<Query<WaitOptions>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<SubmittedList>> {
    let options = WaitOptions::read(options)?;
    let until = options.until();
    let is_binary = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == BINARY);
    let transactions = if is_binary { read_binary(&body.bytes)? } else { read_json(&body.bytes)? };
    if transactions.is_empty() || transactions.len() > SUBMISSION_MAX {
        let text = format!("a submission has 1 to {SUBMISSION_MAX} transactions");
        return Err(Problem::new(Code::InvalidSubmission, text));
    }
    check_all(&shared, &transactions)?;
    let ids: Vec<Digest> = transactions.iter().map(|t| t.id()).collect();
    let taken = take(&shared, transactions, options.wait).await?;
    drop(body);
    let mut items = Vec::with_capacity(ids.len());
    for (transaction, receiver) in ids.into_iter().zip(taken) {
        let progress = match receiver {
            // Too late is not a failure: the transaction may still come to pass.
            Some(receiver) => match timeout_at(until, receiver).await {
                Ok(Ok(progress)) => progress,
                Ok(Err(_)) | Err(_) => Progress::Accepted,
            },
            None => Progress::Accepted,
        };
        items.push(TransactionView { transaction, progress });
    }
    Ok(Json(SubmittedList { items }))
}

/// Has signatures checked and the transactions queued. A bounded number of submissions is on this
/// way at a time; those whose transactions only wait to be ordered are past it.
async fn take(
    shared: &Shared,
    transactions: Vec<Arc<Transaction>>,
    wait: Wait,
) -> Answer<Vec<Option<oneshot::Receiver<Progress>>>> {
    let _permit = shared
        .submissions
        .try_acquire()
        .map_err(|_| Problem::new(Code::Busy, "too many submissions are being checked"))?;
    let keys: Vec<_> = transactions.iter().map(|t| t.body().signer).collect();
    let members = shared.members.of(&keys).await;
    let submission = |answer| Submission { transactions, members, wait, answer };
    Ok(shared.ask(|answer| Request::Submit(submission(answer))).await??)
}

fn read_binary(body: &Bytes) -> Answer<Vec<Arc<Transaction>>> {
    let raw: Vec<Vec<u8>> = ledger_types::decode(body)
        .map_err(|error| Problem::new(Code::InvalidSubmission, error.to_string()))?;
    raw.into_iter().enumerate().map(|(place, raw)| decode(place, raw.into())).collect()
}

fn read_json(body: &Bytes) -> Answer<Vec<Arc<Transaction>>> {
    let body: SubmitBody = serde_json::from_slice(body)
        .map_err(|error| Problem::new(Code::InvalidBody, error.to_string()))?;
    let read = |(place, text): (usize, String)| {
        let raw = hex::decode(&text).map_err(|_| {
            let text = format!("transaction {place} is not hexadecimal");
            Problem::new(Code::InvalidTransaction, text)
        })?;
        decode(place, raw.into())
    };
    body.transactions.into_iter().enumerate().map(read).collect()
}

fn decode(place: usize, raw: Bytes) -> Answer<Arc<Transaction>> {
    Transaction::decode(raw).map(Arc::new).map_err(|error| {
        Problem::new(Code::InvalidTransaction, format!("transaction {place}: {error}"))
    })
}

/// What can be refused before the ledger sees it.
fn check_all(shared: &Shared, transactions: &[Arc<Transaction>]) -> Answer<()> {
    let now = now_ms();
    for (place, transaction) in transactions.iter().enumerate() {
        let body = transaction.body();
        if body.ledger != shared.genesis.ledger() {
            let text = format!("transaction {place} is for ledger {}", body.ledger);
            return Err(Problem::new(Code::WrongLedger, text));
        }
        if body.valid_until_ms <= now {
            let text = format!("transaction {place} was valid until {} ms", body.valid_until_ms);
            return Err(Problem::new(Code::Expired, text));
        }
        if body.valid_from_ms > now + limits::CLOCK_DRIFT_MS_MAX {
            let text = format!("transaction {place} is valid from {} ms", body.valid_from_ms);
            return Err(Problem::new(Code::NotYetValid, text));
        }
    }
    Ok(())
}
