//! Decided blocks.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use ledger_types::{BlockHeader, Certificate, Digest, message::DecidedBlock};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Answer, Request, Shared,
    openapi::example,
    problem::{Code, Problem},
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(block_get))
}

pub(super) const PROBLEMS: [(&str, &[Code]); 1] =
    [("block_get", &[Code::InvalidHeight, Code::BlockNotFound])];

/// A block without its transactions' bytes.
#[derive(Debug, Serialize, ToSchema)]
struct BlockView {
    /// What the validators signed.
    header: BlockHeader,
    /// Its digest.
    digest: Digest,
    /// The transactions' ids in order.
    transactions: Vec<Digest>,
    /// The decision.
    certificate: Certificate,
}

/// Read a block
///
/// Its header, the ids of its transactions and the validators' certificate.
#[utoipa::path(
    get, path = "/v1/blocks/{height}", tag = "blocks",
    params(("height" = u64, Path, description = "The height, from 1", example = 5)),
    responses((status = 200, description = "The block", body = BlockView,
        example = json!(example::block()))),
)]
async fn block_get(
    State(shared): State<Shared>,
    height: Result<Path<u64>, PathRejection>,
) -> Answer<Json<BlockView>> {
    let Path(height) =
        height.map_err(|_| Problem::new(Code::InvalidHeight, "a height is a number"))?;
    let found = shared.look_up(|answer| Request::Block(height, answer)).await?;
    let DecidedBlock { block, certificate } = found
        .ok_or_else(|| Problem::new(Code::BlockNotFound, format!("no block at height {height}")))?;
    Ok(Json(BlockView {
        digest: block.header.digest(shared.genesis.ledger()),
        header: block.header.clone(),
        transactions: block.transactions.iter().map(|t| t.id()).collect(),
        certificate,
    }))
}
