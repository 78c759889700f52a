//! The conventions that hold for every operation.

use axum::body::Body;
use futures::future::join_all;
use http::{Request, StatusCode, header};
use serde_json::json;

use crate::fixture::{Installation, founding};

/// S-05: a field that the caller may not set is refused by name, never ignored.
#[tokio::test]
async fn s05_unknown_fields_are_refused() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    for field in ["tenant_id", "role", "phase", "limits", "owner_tenant_id"] {
        let mut body = founding(&alpha, "demo");
        body[field] = json!("x");
        let refused = hansa.post(&alpha.token, "/v1/consortiums", &body).await;
        refused.expect_problem(400, "invalid_request");
        assert_eq!(refused.text("/errors/0/pointer"), format!("/{field}"));
        assert_eq!(refused.text("/errors/0/code"), "unknown");
    }
    let refused = hansa.get(&alpha.token, "/v1/consortiums?tenant_id=x").await;
    refused.expect_problem(400, "invalid_request");
}

/// A caller learns which part is wrong, and why.
#[tokio::test]
async fn a_malformed_part_is_named() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    for (name, value, pointer, code) in [
        ("name", json!("Not A Name"), "/name", "format"),
        ("administrator_key", json!("zz"), "/administrator_key", "format"),
        ("display_name", json!("a\u{7}"), "/display_name", "format"),
        (
            "voting_policy",
            json!({ "threshold_percentage": 101 }),
            "/voting_policy/threshold_percentage",
            "format",
        ),
    ] {
        let mut body = founding(&alpha, "demo");
        body[name] = value;
        let refused = hansa.post(&alpha.token, "/v1/consortiums", &body).await;
        refused.expect_problem(400, "invalid_request");
        assert_eq!(refused.text("/errors/0/pointer"), pointer);
        assert_eq!(refused.text("/errors/0/code"), code);
    }
}

/// Everything that the framework refuses is a problem, too.
#[tokio::test]
async fn every_failure_is_a_problem() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let token = alpha.token.as_str();
    hansa.get(token, "/v1/nothing").await.expect_problem(404, "not_found");
    hansa.get(token, "/v1/consortiums/7").await.expect_problem(404, "not_found");
    for method in ["PUT", "TRACE", "CONNECT"] {
        let refused = hansa.call(token, method, "/v1/consortiums", &[], None).await;
        refused.expect_problem(405, "method_not_allowed");
    }
    for path in
        ["/v1//consortiums", "/v1/./me", "/v1/x/../me", "/v1/%2e%2e/v1/me", "/v1/me/", "/V1/me"]
    {
        let refused = hansa.get(token, path).await;
        assert!(
            matches!(refused.status.as_u16(), 400 | 404),
            "S-06: {path} was {}",
            refused.status
        );
    }
    let long = format!("/v1/consortiums?page_token={}", "a".repeat(5_000));
    hansa.get(token, &long).await.expect_problem(400, "invalid_request");

    let send = |content_type: &'static str, body: Vec<u8>| {
        let request = Request::post("/v1/consortiums")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, content_type)
            .body(Body::from(body))
            .expect("a request");
        hansa.answer(request)
    };
    send("text/plain", b"{}".to_vec()).await.expect_problem(415, "unsupported_media_type");
    let large = vec![b' '; 257 * 1024];
    send("application/json", large).await.expect_problem(413, "body_too_large");
    for bad in [&b"{"[..], b"[]", b"nul", b"{}{}", &[0xff, 0xfe], &b"[".repeat(10_000)] {
        let refused = send("application/json", bad.to_vec()).await;
        refused.expect_problem(400, "invalid_request");
    }
}

/// S-61 through HTTP: repetition has one effect and one answer; a key names one request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s61_a_repeated_request_has_one_effect() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let body = founding(&alpha, "demo");
    let key = [("idempotency-key", "order-17")];
    let send = |body| hansa.call(&alpha.token, "POST", "/v1/consortiums", &key, Some(body));
    let answers = join_all((0..12).map(|_| send(&body))).await;
    let first = &answers[0];
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::CREATED, "{:#}", answer.body);
        assert_eq!(answer.body, first.body, "one answer");
        assert_eq!(answer.headers[header::ETAG], first.headers[header::ETAG]);
        assert_eq!(answer.headers[header::LOCATION], first.headers[header::LOCATION]);
    }
    let list = hansa.get(&alpha.token, "/v1/consortiums").await;
    assert_eq!(list.body["items"].as_array().map(Vec::len), Some(1), "one effect");
    let other = founding(&alpha, "other");
    send(&other).await.expect_problem(422, "idempotency_key_reused");
    let without = hansa.post(&alpha.token, "/v1/consortiums", &body).await;
    without.expect_problem(409, "name_taken");
    let bad = [("idempotency-key", "a b")];
    let refused = hansa.call(&alpha.token, "POST", "/v1/consortiums", &bad, Some(&body)).await;
    refused.expect_problem(400, "invalid_request");
}

/// The secret of an API key is shown once: a repetition answers without it, and it is not kept.
#[tokio::test]
async fn a_repeated_request_does_not_show_a_secret_again() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let key = [("idempotency-key", "k")];
    let body = json!({ "name": "ci", "role": "operator" });
    let first = hansa.call(&alpha.token, "POST", "/v1/api-keys", &key, Some(&body)).await;
    let token = first.expect(StatusCode::CREATED).text("/token");
    let again = hansa.call(&alpha.token, "POST", "/v1/api-keys", &key, Some(&body)).await;
    let again = again.expect(StatusCode::CREATED);
    assert!(again.body.get("token").is_none(), "the secret must be shown once");
    hansa.get(&token, "/v1/me").await.expect(StatusCode::OK);
}

/// A change says which revision it is meant for; a stale one changes nothing.
#[tokio::test]
async fn a_change_names_its_revision() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let path = format!("/v1/consortiums/{}", hansa.consortium(&alpha, "demo").await);
    let read = hansa.get(&alpha.token, &path).await;
    let tag = read.headers[header::ETAG].to_str().expect("text").to_owned();
    let body = json!({ "display_name": "Demo" });
    let change = async |headers: &[(&str, &str)]| {
        hansa.call(&alpha.token, "PATCH", &path, headers, Some(&body)).await
    };
    change(&[]).await.expect_problem(428, "revision_required");
    for bad in ["*", "W/\"1\"", "1", "\"x\"", "\"1\", \"2\"", "\"+1\"", "\"01\""] {
        change(&[("if-match", bad)]).await.expect_problem(400, "invalid_request");
    }
    let changed = change(&[("if-match", &tag)]).await.expect(StatusCode::OK);
    assert_ne!(changed.headers[header::ETAG].to_str().ok(), Some(tag.as_str()));
    change(&[("if-match", &tag)]).await.expect_problem(412, "revision_stale");
}

/// S-03, S-08: pages are bounded, complete and without repetition; a token is one list's.
#[tokio::test]
async fn s03_pages_are_complete_and_their_tokens_are_one_lists() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    for number in 0..5 {
        hansa.consortium(&alpha, &format!("demo-{number}")).await;
        if number < 3 {
            hansa.consortium(&beta, &format!("demo-{number}")).await;
        }
    }
    let (mut names, mut token, mut foreign) = (Vec::new(), String::new(), None);
    loop {
        let path = format!("/v1/consortiums?page_size=2{token}");
        let page = hansa.get(&alpha.token, &path).await.expect(StatusCode::OK);
        for item in page.body["items"].as_array().expect("items") {
            names.push(item["name"].as_str().expect("a name").to_owned());
        }
        let Some(next) = page.body["next_page_token"].as_str() else { break };
        token = format!("&page_token={next}");
        foreign = Some(token.clone());
    }
    assert_eq!(names, ["demo-4", "demo-3", "demo-2", "demo-1", "demo-0"]);
    let token = foreign.expect("there was a second page");
    for (caller, path) in [(&beta, "/v1/consortiums"), (&alpha, "/v1/invitations")] {
        let refused = hansa.get(&caller.token, &format!("{path}?page_size=2{token}")).await;
        refused.expect_problem(400, "invalid_request");
    }
    for size in ["0", "-1", "201", "1000000000", "x", ""] {
        let refused = hansa.get(&alpha.token, &format!("/v1/consortiums?page_size={size}")).await;
        refused.expect_problem(400, "invalid_request");
    }
    // A wait has its bound as a page has.
    for seconds in ["61", "-1", "x"] {
        let path = format!("/v1/operations/01900000-0000-7000-8000-000000000000?wait={seconds}");
        hansa.get(&alpha.token, &path).await.expect_problem(400, "invalid_request");
    }
}

/// when the database is gone, callers are told when to come back, and nothing of ours leaks.
#[tokio::test]
async fn r10_without_a_database_callers_are_told_to_come_back() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let healthy = Request::get("/readyz").body(Body::empty()).expect("a request");
    assert_eq!(hansa.answer(healthy).await.status, StatusCode::OK);
    hansa.database.lose().await;
    let unready = Request::get("/readyz").body(Body::empty()).expect("a request");
    let (gone, unready) =
        tokio::join!(hansa.get(&alpha.token, "/v1/consortiums"), hansa.answer(unready));
    gone.expect_problem(503, "unavailable");
    assert!(gone.headers.contains_key(header::RETRY_AFTER));
    let alive = Request::get("/healthz").body(Body::empty()).expect("a request");
    assert_eq!(hansa.answer(alive).await.status, StatusCode::OK, "the process itself is well");
    assert_eq!(unready.status, StatusCode::SERVICE_UNAVAILABLE);
}
