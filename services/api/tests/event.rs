//! The event stream over HTTP.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;

use crate::fixture::{Installation, Tenant};

async fn open(hansa: &Installation, tenant: &Tenant, last: Option<&str>) -> Body {
    let mut request = Request::get("/v1/events")
        .header(header::AUTHORIZATION, format!("Bearer {}", tenant.token));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = hansa.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    response.into_body()
}

/// Reads until `wanted` is in what was read.
async fn read_until(body: &mut Body, wanted: &str) -> String {
    let reading = async {
        let mut text = String::new();
        while !text.contains(wanted) {
            let frame = body.frame().await.expect("the stream goes on").expect("a frame");
            let data = frame.into_data().expect("data");
            text.push_str(&String::from_utf8_lossy(&data));
        }
        text
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the event appears")
}

/// An invited tenant hears of it, and goes on after a break where it stopped.
#[tokio::test]
async fn events_reach_those_they_concern_and_resume() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    let consortium = hansa.consortium(&alpha, "demo").await;
    let mut stream = open(&hansa, &beta, None).await;
    assert!(read_until(&mut stream, "\n\n").await.starts_with(": connected"));
    let invitation = hansa.invite(&alpha, &consortium, &beta).await;
    let heard = read_until(&mut stream, &invitation).await;
    assert!(heard.contains("event: invitation"), "{heard}");
    let id = heard.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    drop(stream);

    hansa.accept(&beta, &consortium, &invitation).await;
    let mut stream = open(&hansa, &beta, Some(&id)).await;
    let resumed = read_until(&mut stream, "event: member").await;
    assert!(!resumed.contains(&format!("id: {id}\n")), "an event came twice");

    let bad = hansa.call(&beta.token, "GET", "/v1/events", &[("last-event-id", "x")], None).await;
    bad.expect_problem(400, "invalid_request");
}

/// S-18: a stream does not outlive the credential that opened it.
#[tokio::test]
async fn s18_a_stream_ends_with_its_credential() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let mut stream = open(&hansa, &alpha, None).await;
    read_until(&mut stream, "connected").await;
    let keys = hansa.get(&alpha.token, "/v1/api-keys").await;
    let path = format!("/v1/api-keys/{}", keys.text("/items/0/id"));
    let ended = hansa.call(&alpha.token, "DELETE", &path, &[], None).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    let end = async { while stream.frame().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), end).await.expect("the stream must end in time");
}
