//! Who is calling.

use axum::{extract::FromRequestParts, http::request::Parts};
use hansa_control::{Authenticated, Credential, CredentialId, OpContext};
use hansa_core::{Error, RequestId, Secret};
use hansa_types::{Code, Me};
use http::{HeaderMap, Method, header};

use crate::{denial::Asking, error::ApiError, server::Api};

/// Only sent back over TLS, to this host, to no other path, and never shown to scripts.
pub(crate) const SESSION_COOKIE: &str = "__Host-hansa_session";

/// A caller whose credential was checked. This is the one place where credentials are read.
pub(crate) struct Caller {
    pub(crate) context: OpContext,
    pub(crate) me: Me,
    pub(crate) credential: CredentialId,
}

/// A caller before any credential was checked.
pub(crate) struct Anonymous(pub(crate) OpContext);

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let credential = credential(&parts.headers).ok_or(Error::Unauthenticated)?;
        let found = api.control.authenticate(request_id(parts), &credential).await?;
        let Authenticated { context, me, credential, from_cookie } = found;
        if from_cookie && !is_safe(&parts.method) {
            check_origin(&parts.headers, api, Missing::Refused)?;
        }
        if let Some(asking) = parts.extensions.get::<Asking>() {
            asking.is(&context);
        }
        Ok(Self { context, me, credential })
    }
}

impl FromRequestParts<Api> for Anonymous {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        // A page of another site must not sign its visitors in; programs send no origin.
        check_origin(&parts.headers, api, Missing::Accepted)?;
        Ok(Self(OpContext::anonymous(request_id(parts))))
    }
}

/// What a request without an origin means.
enum Missing {
    /// A program sent it.
    Accepted,
    /// A browser always sends one when it changes something.
    Refused,
}

fn check_origin(headers: &HeaderMap, api: &Api, missing: Missing) -> Result<(), ApiError> {
    let ours = match (headers.get(header::ORIGIN), missing) {
        (Some(origin), _) => api.origins.contains(origin),
        (None, Missing::Accepted) => true,
        (None, Missing::Refused) => false,
    };
    if ours {
        Ok(())
    } else {
        let detail = "a request with a session cookie must come from a page of this service";
        Err(ApiError::new(Code::OriginRefused, detail))
    }
}

fn is_safe(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn request_id(parts: &Parts) -> RequestId {
    *parts.extensions.get::<RequestId>().expect("the outermost layer gives each request an id")
}

/// `Authorization: Bearer …`, or else the session cookie.
fn credential(headers: &HeaderMap) -> Option<Credential> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        return bearer.then(|| Credential::Bearer(Secret::from(token.trim().to_owned())));
    }
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|p| p.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == SESSION_COOKIE)?;
    Some(Credential::Cookie(Secret::from(value.trim().to_owned())))
}
