//! Denied reads reach the audit trail. Denied changes do so where they are made.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use hansa_control::OpContext;
use hansa_core::Uuid;
use http::Method;

use crate::{error::ApiError, openapi::operation_of, server::Api};

/// Who asks, once that is known: it is found inside of the handler and needed after it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking(Arc<OnceLock<OpContext>>);

impl Asking {
    pub(crate) fn is(&self, context: &OpContext) {
        // A handler has one caller; a second extraction finds the same.
        let _ = self.0.set(context.clone());
    }
}

/// Records a read that was refused to a known caller.
pub(crate) async fn record_denied_reads(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Response {
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    let Some(operation) = operation_of(&request).filter(|_| reads) else {
        return next.run(request).await;
    };
    let asking = Asking::default();
    request.extensions_mut().insert(asking.clone());
    let subject = subject(request.uri().path());
    let response = next.run(request).await;
    let refused = response.extensions().get::<ApiError>().filter(|error| error.is_denial());
    if let (Some(context), Some(error)) = (asking.0.get(), refused) {
        api.control.read_denied(context, operation, subject, error.code()).await;
    }
    response
}

/// What the path is about: the last id in it.
fn subject(path: &str) -> Option<Uuid> {
    path.rsplit('/').find_map(|part| part.parse().ok())
}
