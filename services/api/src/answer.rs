//! The forms of a success.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use hansa_core::Revision;
use hansa_types::{Cluster, Consortium, Invitation, Ledger, Member, Node, Operation, Tenant, User};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::ApiError;

/// What most handlers return.
pub(crate) type Answer<T> = Result<T, ApiError>;

/// Something with a revision, which is its `ETag`.
pub(crate) trait Revised: Serialize {
    fn revision(&self) -> Revision;
}

macro_rules! revised {
    ($($type:ty),+) => {$(
        impl Revised for $type {
            fn revision(&self) -> Revision {
                self.revision
            }
        }
    )+};
}
revised!(Cluster, Consortium, Invitation, Ledger, Member, Node, Operation, Tenant, User);

/// 200 with the resource and its `ETag`.
pub(crate) struct Tagged<T>(pub(crate) T);

impl<T: Revised> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        with_etag(self.0.revision(), Json(self.0).into_response())
    }
}

/// 201 with the new resource, its address and its `ETag`.
pub(crate) struct Created<T> {
    pub(crate) location: String,
    pub(crate) value: T,
}

impl<T: Revised> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let revision = self.value.revision();
        let answer = created(&self.location, &self.value);
        with_etag(revision, answer)
    }
}

/// 201 for something that never changes.
pub(crate) fn created<T: Serialize>(location: &str, value: &T) -> Response {
    with_location(location, (StatusCode::CREATED, Json(value)).into_response())
}

/// 202 with the operation and its address: recorded, not done.
pub(crate) struct Accepted(pub(crate) Operation);

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let location = format!("/v1/operations/{}", self.0.id);
        with_location(&location, (StatusCode::ACCEPTED, Json(self.0)).into_response())
    }
}

fn with_location(location: &str, mut response: Response) -> Response {
    let location = HeaderValue::try_from(location).expect("made of ids and plain text");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn with_etag(revision: Revision, mut response: Response) -> Response {
    let tag = HeaderValue::try_from(format!("\"{revision}\"")).expect("digits in quotes");
    response.headers_mut().insert(header::ETAG, tag);
    response
}
