//! Parameters of the query.

use axum::{extract::FromRequestParts, http::request::Parts};
use hansa_control::PageQuery;
use hansa_core::{PageSize, Rule};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::error::ApiError;

/// Parameters of the query; unknown ones are refused.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        serde_urlencoded::from_str(text)
            .map(Self)
            .map_err(|error| ApiError::invalid("query", Rule::Format, error.to_string()))
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many items, 1 to 200; 50 unless given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, example = 50)]
    page_size: Option<PageSize>,
    /// `next_page_token` of the page before; leave it out for the first page.
    page_token: Option<String>,
}

impl From<PageParams> for PageQuery {
    fn from(params: PageParams) -> Self {
        Self { size: params.page_size.unwrap_or_default(), token: params.page_token }
    }
}
