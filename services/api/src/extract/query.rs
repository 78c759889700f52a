//! Parameters of the query.

use std::time::Duration;

use axum::{extract::FromRequestParts, http::request::Parts};
use hansa_control::PageQuery;
use hansa_core::{PageSize, Rule, limits};
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

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wait {
    /// Hold the answer back until what is waited for has come, for at most this many seconds, 0 to 60.
    #[param(value_type = Option<u16>, minimum = 0, maximum = 60, example = 30)]
    wait: Option<WaitSeconds>,
}

impl Wait {
    /// The time, where one is given.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.wait.as_ref().map(|WaitSeconds(time)| *time)
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "u64")]
struct WaitSeconds(Duration);

impl TryFrom<u64> for WaitSeconds {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, String> {
        let (time, most) = (Duration::from_secs(seconds), limits::WAIT_MAX);
        if time <= most {
            Ok(Self(time))
        } else {
            Err(format!("one may wait for 0 to {} seconds", most.as_secs()))
        }
    }
}
