//! Parameters of the path.

use axum::{
    extract::{FromRequestParts, Path as AxumPath},
    http::request::Parts,
};
use hansa_core::{Error, Kind};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// Parameters of the path. What is no id is the id of nothing: not found.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = AxumPath::<T>::from_request_parts(parts, state).await;
        found.map(|AxumPath(value)| Self(value)).map_err(|_| Error::NotFound(Kind::Route).into())
    }
}
