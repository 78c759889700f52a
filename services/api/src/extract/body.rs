//! A JSON body, with the mark of a repeatable request.

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
};
use hansa_control::Repeat;
use hansa_core::{Rule, limits};
use hansa_types::Code;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The body as `T`, and the caller's `Idempotency-Key` on exactly this request.
///
/// An empty body stands for `{}`: actions without parameters need none.
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) repeat: Option<Repeat>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, limits::BODY_BYTES_MAX).await.map_err(|_| {
            ApiError::new(Code::BodyTooLarge, "the body is larger than 256 KiB or was cut off")
        })?;
        if !bytes.is_empty() && !is_json(&parts.headers) {
            return Err(ApiError::new(Code::UnsupportedMediaType, "send application/json"));
        }
        let text = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
        let value = parse(text)?;
        let repeat = match parts.headers.get("idempotency-key") {
            None => None,
            Some(key) => {
                let key = key.to_str().unwrap_or_default();
                Some(Repeat::new(key, parts.method.as_str(), parts.uri.path(), &bytes)?)
            }
        };
        Ok(Self { value, repeat })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
            || essence.eq_ignore_ascii_case("application/merge-patch+json")
    })
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let detail = without_position(&error.inner().to_string());
        let rule = if detail.starts_with("missing field") {
            Rule::Required
        } else if detail.starts_with("unknown field") {
            Rule::Unknown
        } else {
            Rule::Format
        };
        ApiError::invalid(pointer, rule, detail)
    })?;
    json.end().map_err(|_| ApiError::invalid("", Rule::Format, "one JSON value is expected"))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

/// Line and column say nothing to a program.
fn without_position(detail: &str) -> String {
    detail.rsplit_once(" at line ").map_or(detail, |(before, _)| before).to_owned()
}
