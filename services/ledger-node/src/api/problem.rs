//! Why a request was not done (RFC 9457), with a closed list of codes.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// What handlers return.
pub(super) type Answer<T> = Result<T, Problem>;

macro_rules! codes {
    ($($name:ident = $status:ident $text:literal: $meaning:literal;)+) => {
        /// What went wrong, for programs: codes never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Code {
            $(#[doc = $meaning] $name,)+
        }

        impl Code {
            pub(super) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            pub(super) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What the code says, in words.
            pub(super) const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }
        }
    };
}

codes! {
    InvalidQuery = BAD_REQUEST "invalid_query": "the address' parameters are not understood";
    InvalidBody = BAD_REQUEST "invalid_body": "the body is not of the described form";
    InvalidSubmission = BAD_REQUEST "invalid_submission": "no transactions, too many, or no list";
    InvalidTransaction = BAD_REQUEST "invalid_transaction": "a transaction does not decode";
    InvalidSignature = BAD_REQUEST "invalid_signature": "a signature is not its signer's";
    WrongLedger = BAD_REQUEST "wrong_ledger": "a transaction is for another ledger";
    Expired = BAD_REQUEST "expired": "a transaction's validity is over";
    NotYetValid = BAD_REQUEST "not_yet_valid": "a transaction's validity has not begun";
    InvalidId = BAD_REQUEST "invalid_id": "a transaction's id is 64 hexadecimal digits";
    InvalidHeight = BAD_REQUEST "invalid_height": "a height is a number";
    InvalidEventId = BAD_REQUEST "invalid_event_id": "`Last-Event-ID` is a height";
    InvalidSql = BAD_REQUEST "invalid_sql": "the statement is wrong";
    QueryTooLong = BAD_REQUEST "query_too_long": "the query takes too many steps or too long";
    Unauthenticated = UNAUTHORIZED "unauthenticated": "no request token, or one that does not hold";
    Forbidden = FORBIDDEN "forbidden": "the key lacks a role";
    ReadOnly = FORBIDDEN "read_only": "a query reads the ledger's tables and nothing else";
    NotFound = NOT_FOUND "not_found": "there is nothing at this address";
    BlockNotFound = NOT_FOUND "block_not_found": "no block of this height";
    TransactionNotFound = NOT_FOUND "transaction_not_found": "neither waiting here nor in a block";
    HeightNotReached = NOT_FOUND "height_not_reached": "the height is not executed here yet";
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed": "the address knows other methods";
    BodyTooSlow = REQUEST_TIMEOUT "body_too_slow": "the body did not arrive in time";
    NotCertified = CONFLICT "not_certified": "the result is not certified yet";
    HeightNotKept = GONE "height_not_kept": "the height is before the kept range, which is named";
    EventsGone = GONE "events_gone": "too many blocks since the last event: read anew";
    BodyTooLarge = PAYLOAD_TOO_LARGE "body_too_large": "the body has too many bytes";
    StateTooLarge = UNPROCESSABLE_ENTITY "state_too_large": "too much data for a view of the past";
    Busy = TOO_MANY_REQUESTS "busy": "too much waits here already";
    KeyLimit = TOO_MANY_REQUESTS "key_limit": "too many transactions of one key wait here";
    MemberLimit = TOO_MANY_REQUESTS "member_limit": "too many transactions of one member wait here";
    TooManyStreams = TOO_MANY_REQUESTS "too_many_streams": "too many event streams are open";
    Internal = INTERNAL_SERVER_ERROR "internal": "a fault of the node";
    Stopping = SERVICE_UNAVAILABLE "stopping": "the node stops";
    TooSlow = SERVICE_UNAVAILABLE "too_slow": "the request was not answered in time";
}

/// An error answer (RFC 9457, `application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:hansa:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:hansa:problem:block_not_found")]
    kind: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What went wrong, for people.
    #[schema(example = "no block at height 900")]
    detail: String,
    code: Code,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:hansa:problem:{}", code.as_str()),
            title: code.status().canonical_reason().unwrap_or_default().to_owned(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code,
        }
    }

    pub(super) fn stopping() -> Self {
        Self::new(Code::Stopping, "the node stops")
    }

    /// A fault of the node: what it is goes to the log only.
    pub(super) fn internal(what: &str, error: &dyn std::fmt::Display) -> Self {
        tracing::error!("{what}: {error}");
        Self::new(Code::Internal, format!("{what} could not be done; the node's log says why"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
