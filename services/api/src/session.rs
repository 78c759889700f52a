//! Console sessions.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use hansa_control::SignedIn;
use hansa_core::limits;
use hansa_types::{Session, SessionCreate};
use http::{HeaderValue, StatusCode, header};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Answer,
    extract::{Anonymous, Body, Caller, SESSION_COOKIE},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(session_create)).routes(routes!(session_delete))
}

/// Sign in
///
/// The session's secret is set as a cookie that scripts cannot read. A wrong tenant, address or
/// password are answered alike.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "sessions", security(()),
    request_body = SessionCreate,
    responses((status = 201, description = "The session, with its cookie", body = Session)),
)]
async fn session_create(
    State(api): State<Api>,
    Anonymous(context): Anonymous,
    body: Body<SessionCreate>,
) -> Answer<Response> {
    let SignedIn { session, cookie } = api.control.session_create(&context, &body.value).await?;
    let secret = cookie.expose_text().expect("made as text");
    let set = cookie_line(secret, limits::SESSION_LIFE.as_secs());
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, set)], Json(session)).into_response())
}

/// Sign out
///
/// Ends the session that the request stands on, at once and everywhere.
#[utoipa::path(
    delete, path = "/v1/sessions/current", tag = "sessions",
    responses((status = 204, description = "Ended; the cookie is removed")),
)]
async fn session_delete(State(api): State<Api>, caller: Caller) -> Answer<Response> {
    api.control.session_delete(&caller.context, caller.credential).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie_line("", 0))]).into_response())
}

fn cookie_line(value: &str, max_age_s: u64) -> HeaderValue {
    let line = format!(
        "{SESSION_COOKIE}={value}; Path=/; Max-Age={max_age_s}; Secure; HttpOnly; SameSite=Lax"
    );
    let mut line = HeaderValue::try_from(line).expect("made of an id and hexadecimal text");
    line.set_sensitive(true);
    line
}
