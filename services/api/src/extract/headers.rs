//! Headers with a meaning of their own.

use axum::{extract::FromRequestParts, http::request::Parts};
use hansa_core::{Revision, Rule};
use hansa_types::Code;
use http::header;

use crate::error::ApiError;

/// The revision that a change is meant for, from `If-Match: "7"`.
pub(crate) struct IfMatch(pub(crate) Revision);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            let detail = "send If-Match with the ETag of what you read";
            return Err(ApiError::new(Code::RevisionRequired, detail));
        };
        let text = value.to_str().unwrap_or_default();
        let digits = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let revision = digits.and_then(|digits| {
            // As it was sent to the client, and in no other spelling of the number.
            digits.parse::<i64>().ok().filter(|number| number.to_string() == digits)
        });
        revision.map(|number| Self(Revision::from(number))).ok_or_else(|| {
            ApiError::invalid("If-Match", Rule::Format, "must be one ETag, for example \"7\"")
        })
    }
}

/// The last event that a stream's reader has seen.
pub(crate) struct LastEventId(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let id = parts.headers.get("last-event-id");
        Ok(Self(id.map(|value| value.to_str().unwrap_or_default().to_owned())))
    }
}
