//! Receipts: proofs of what became of transactions.

use axum::{
    Json,
    extract::{Path, State},
};
use ledger_types::Receipt;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Answer, Request, Shared,
    openapi::example,
    problem::{Code, Problem},
    transaction::transaction_id,
};
use crate::commit::ReceiptAnswer;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(receipt_get))
}

pub(super) const PROBLEMS: [(&str, &[Code]); 1] =
    [("receipt_get", &[Code::InvalidId, Code::TransactionNotFound, Code::NotCertified])];

/// Read a transaction's receipt
///
/// The outcome with the proof that the validators certified it. Verify it against the genesis that
/// you trust: `hansa-node verify receipt.json --genesis genesis.json` needs no node.
#[utoipa::path(
    get, path = "/v1/transactions/{transaction_id}/receipt", tag = "transactions",
    params(("transaction_id" = String, Path, description = "64 hexadecimal digits")),
    responses((status = 200, description = "The receipt", body = Receipt,
        example = json!(example::receipt()))),
)]
async fn receipt_get(
    State(shared): State<Shared>,
    Path(transaction): Path<String>,
) -> Answer<Json<Receipt>> {
    let id = transaction_id(&transaction)?;
    match shared.look_up(|answer| Request::Receipt(id, answer)).await? {
        ReceiptAnswer::Receipt(receipt) => Ok(Json(*receipt)),
        ReceiptAnswer::NotCertified { height } => Err(Problem::new(
            Code::NotCertified,
            format!("the results of height {height} are not certified yet"),
        )),
        ReceiptAnswer::Unknown => Err(Problem::new(
            Code::TransactionNotFound,
            format!("no block here holds transaction {id}"),
        )),
    }
}
