//! Who has signed a request that changes nothing on the ledger.

use axum::http::{HeaderMap, Uri, header};
use ledger_types::{RequestLine, RequestToken};

use super::{
    Shared,
    problem::{Answer, Code, Problem},
};
use crate::net::now_ms;

/// The request token in `Authorization`, checked against this request.
pub(super) fn signer(
    shared: &Shared,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer<RequestToken> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let line = RequestLine { method: "POST", target, body };
    let refused = |detail: String| Problem::new(Code::Unauthenticated, detail);
    let token = token.ok_or_else(|| refused("a signed request token is needed".into()))?;
    RequestToken::check(token, shared.genesis.ledger(), line, now_ms())
        .map_err(|error| refused(error.to_string()))
}
