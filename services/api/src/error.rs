//! Every answer that is not a success is a problem (RFC 9457), also those that the framework makes.

use std::time::Duration;

use axum::{
    Json,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use hansa_core::{Error, Kind, RequestId, Rule, Violation, limits};
use hansa_types::{Code, Problem};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// Why a request was not done. It becomes a problem once the request's address and id are known.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    code: Code,
    detail: String,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    denied: bool,
}

impl ApiError {
    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// Whether the caller asked for what it may not see, or may not know of.
    pub(crate) const fn is_denial(&self) -> bool {
        self.denied
    }

    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            violations: Vec::new(),
            retry_after: None,
            denied: false,
        }
    }

    pub(crate) fn invalid(
        pointer: impl Into<String>,
        rule: Rule,
        detail: impl Into<String>,
    ) -> Self {
        Error::invalid(pointer, rule, detail).into()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let code = Code::of(&error);
        if let Error::Internal(_) | Error::Unavailable { .. } = &error {
            tracing::error!(code = code.as_str(), error = chain(&error), "a request failed");
        }
        let denied = is_denial(&error);
        let (detail, mut violations, mut retry_after) = (error.to_string(), Vec::new(), None);
        match error {
            Error::Invalid(found) => violations = found,
            Error::Busy { retry_after: after } | Error::Unavailable { retry_after: after, .. } => {
                retry_after = Some(after);
            }
            Error::NotFound(_)
            | Error::AlreadyExists(_)
            | Error::Refused(_)
            | Error::Stale
            | Error::Unauthenticated
            | Error::Forbidden
            | Error::QuotaExceeded { .. }
            | Error::Idempotency(_)
            | Error::Internal(_) => {}
        }
        Self { code, detail, violations, retry_after, denied }
    }
}

/// What is not found for a caller may exist for others. Blocks and transactions are asked for on a
/// ledger that the caller sees, and an address that is none is nobody's.
const fn is_denial(error: &Error) -> bool {
    match error {
        Error::Forbidden => true,
        Error::NotFound(kind) => !matches!(kind, Kind::Route | Kind::Block | Kind::Transaction),
        Error::AlreadyExists(_)
        | Error::Invalid(_)
        | Error::Refused(_)
        | Error::Stale
        | Error::Unauthenticated
        | Error::QuotaExceeded { .. }
        | Error::Busy { .. }
        | Error::Idempotency(_)
        | Error::Unavailable { .. }
        | Error::Internal(_) => false,
    }
}

/// An error with its causes, for the log only.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(why) = cause {
        text.push_str(": ");
        text.push_str(&why.to_string());
        cause = why.source();
    }
    text
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).expect("codes have real statuses");
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The outermost layer: gives each request an id, and each failure its problem.
pub(crate) async fn answer_with_problems(mut request: Request, next: Next) -> Response {
    let id = RequestId::new();
    request.extensions_mut().insert(id);
    let instance = request.uri().path().to_owned();
    let too_long = request.uri().to_string().len() > limits::URI_BYTES_MAX;
    let response = if too_long {
        ApiError::invalid("", Rule::Range, "the address is too long").into_response()
    } else {
        next.run(request).await
    };
    let mut response = with_problem(response, instance, id);
    let headers = response.headers_mut();
    let id = HeaderValue::try_from(id.to_string()).expect("a UUID is a header value");
    headers.insert(HeaderName::from_static("x-request-id"), id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn with_problem(mut response: Response, instance: String, id: RequestId) -> Response {
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None => match of_framework(response.status()) {
            Some(error) => error,
            None => return response,
        },
    };
    let ApiError { code, detail, violations, retry_after, denied: _ } = error;
    let problem = if violations.is_empty() {
        Problem::new(code, detail, instance, id)
    } else {
        Problem::of(&Error::Invalid(violations), instance, id)
    };
    let allow = response.headers_mut().remove(header::ALLOW);
    let mut answer = (response.status(), Json(problem)).into_response();
    answer.extensions_mut().insert(code);
    let headers = answer.headers_mut();
    let media_type = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, media_type);
    if let Some(allow) = allow {
        headers.insert(header::ALLOW, allow);
    }
    if let Some(after) = retry_after {
        headers.insert(header::RETRY_AFTER, after.as_secs().max(1).into());
    }
    if code == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// The failures that the framework answers before a handler of ours.
fn of_framework(status: StatusCode) -> Option<ApiError> {
    match status {
        StatusCode::NOT_FOUND => Some(Error::NotFound(Kind::Route).into()),
        StatusCode::METHOD_NOT_ALLOWED => {
            Some(ApiError::new(Code::MethodNotAllowed, "this address does not know this method"))
        }
        status if status.is_client_error() => {
            Some(ApiError::new(Code::InvalidRequest, "the request is not valid"))
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            Some(Error::unavailable("the request was not answered in time").into())
        }
        status if status.is_server_error() => {
            Some(ApiError::new(Code::Internal, "an internal error occurred"))
        }
        _ => None,
    }
}
