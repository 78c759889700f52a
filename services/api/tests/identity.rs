//! Credentials: sign-in, cookies and their origin, API keys, access tokens, and their end.

use std::time::Duration;

use hansa_core::limits;
use http::{StatusCode, header};
use serde_json::json;

use crate::fixture::{Installation, ORIGIN, PASSWORD, email};

/// S-26: a wrong tenant, address or password are answered alike.
#[tokio::test]
async fn s26_a_failed_sign_in_says_nothing() {
    let hansa = Installation::new().await;
    hansa.tenant("alpha").await;
    let mut bodies = Vec::new();
    for (tenant, mail, password) in [
        ("nobody", email("alpha"), PASSWORD),
        ("alpha", email("nobody"), PASSWORD),
        ("alpha", email("alpha"), "wrong horse battery staple"),
    ] {
        let body = json!({ "tenant": tenant, "email": mail, "password": password });
        let mut refused = hansa.post("", "/v1/sessions", &body).await;
        refused.expect_problem(401, "unauthenticated");
        refused.body["request_id"] = json!("");
        bodies.push(refused.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:#?}");
    let other_spelling =
        json!({ "tenant": "alpha", "email": " ANA@Alpha.example ", "password": PASSWORD });
    hansa.post("", "/v1/sessions", &other_spelling).await.expect(StatusCode::CREATED);
}

/// S-27: after ten failures in a row an account pauses, however the address is spelled; then the
/// right password works again.
#[tokio::test]
async fn s27_guessing_pauses_an_account() {
    let hansa = Installation::new().await;
    hansa.tenant("alpha").await;
    for number in 0..limits::SIGN_IN_FAILURES_MAX {
        let mail = if number % 2 == 0 { email("alpha") } else { email("alpha").to_uppercase() };
        let body = json!({ "tenant": "alpha", "email": mail, "password": "wrong password wrong" });
        hansa.post("", "/v1/sessions", &body).await.expect_problem(401, "unauthenticated");
    }
    let right = json!({ "tenant": "alpha", "email": email("alpha"), "password": PASSWORD });
    hansa.post("", "/v1/sessions", &right).await.expect_problem(401, "unauthenticated");
    hansa.clock.advance(limits::SIGN_IN_PAUSE + Duration::from_secs(1));
    hansa.post("", "/v1/sessions", &right).await.expect(StatusCode::CREATED);
}

/// S-63: a browser sends the cookie by itself, so a change must come from a page of ours.
#[tokio::test]
async fn s63_a_cookie_changes_nothing_from_another_site() {
    let hansa = Installation::new().await;
    hansa.tenant("alpha").await;
    let cookie = hansa.sign_in("alpha").await;
    let read = hansa.call("", "GET", "/v1/me", &[("cookie", &cookie)], None).await;
    assert_eq!(read.expect(StatusCode::OK).text("/tenant"), "alpha");
    let key = json!({ "name": "ci", "role": "viewer" });
    for origin in [
        None,
        Some("https://evil.example"),
        Some("null"),
        Some("https://hansa.example.evil.example"),
    ] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let refused = hansa.call("", "POST", "/v1/api-keys", &headers, Some(&key)).await;
        refused.expect_problem(403, "origin_refused");
    }
    let headers = [("cookie", cookie.as_str()), ("origin", ORIGIN)];
    hansa.call("", "POST", "/v1/api-keys", &headers, Some(&key)).await.expect(StatusCode::CREATED);
    let body = json!({ "tenant": "alpha", "email": email("alpha"), "password": PASSWORD });
    let evil = [("origin", "https://evil.example")];
    let refused = hansa.call("", "POST", "/v1/sessions", &evil, Some(&body)).await;
    refused.expect_problem(403, "origin_refused");
}

/// The cookie is for this host, over TLS, and not for scripts; signing out ends it everywhere.
#[tokio::test]
async fn a_session_ends_with_its_sign_out() {
    let hansa = Installation::new().await;
    hansa.tenant("alpha").await;
    let body = json!({ "tenant": "alpha", "email": email("alpha"), "password": PASSWORD });
    let answer = hansa.post("", "/v1/sessions", &body).await.expect(StatusCode::CREATED);
    let line = answer.headers[header::SET_COOKIE].to_str().expect("text").to_owned();
    for attribute in ["__Host-hansa_session=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(line.contains(attribute), "{line} lacks {attribute}");
    }
    let cookie = line.split(';').next().expect("a pair").to_owned();
    let with_cookie = [("cookie", cookie.as_str()), ("origin", ORIGIN)];
    let token = hansa.call("", "POST", "/v1/access-tokens", &with_cookie, None).await;
    let token = token.expect(StatusCode::CREATED).text("/access_token");
    hansa.get(&token, "/v1/me").await.expect(StatusCode::OK);

    let out = hansa.call("", "DELETE", "/v1/sessions/current", &with_cookie, None).await;
    out.expect(StatusCode::NO_CONTENT);
    let after = hansa.call("", "GET", "/v1/me", &with_cookie, None).await;
    after.expect_problem(401, "unauthenticated");
    let by_token = hansa.get(&token, "/v1/me").await;
    by_token.expect_problem(401, "unauthenticated");
}

/// S-18: what was disabled, changed or ended is refused at the next request.
#[tokio::test]
async fn s18_an_ended_credential_is_refused_at_once() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let new = json!({
        "email": "bo@alpha.example", "display_name": "Bo", "role": "operator", "password": PASSWORD
    });
    let user = hansa.post(&alpha.token, "/v1/users", &new).await.expect(StatusCode::CREATED);
    let path = format!("/v1/users/{}", user.text("/id"));
    let sign_in = json!({ "tenant": "alpha", "email": "bo@alpha.example", "password": PASSWORD });
    for change in [
        json!({ "phase": "disabled" }),
        json!({ "phase": "active", "role": "viewer" }),
        json!({ "password": "another long enough password" }),
    ] {
        // A disabled user cannot sign in; the next change makes it active again.
        let answer = hansa.post("", "/v1/sessions", &sign_in).await;
        let line = answer.headers.get(header::SET_COOKIE).cloned();
        let tag = hansa.get(&alpha.token, &path).await.headers[header::ETAG].clone();
        let tag = [("if-match", tag.to_str().expect("text"))];
        let changed = hansa.call(&alpha.token, "PATCH", &path, &tag, Some(&change)).await;
        changed.expect(StatusCode::OK);
        if let Some(line) = line {
            let cookie = line.to_str().expect("text").split(';').next().expect("a pair").to_owned();
            let after = hansa.call("", "GET", "/v1/me", &[("cookie", &cookie)], None).await;
            after.expect_problem(401, "unauthenticated");
        } else {
            answer.expect_problem(401, "unauthenticated");
        }
    }

    let key = json!({ "name": "ci", "role": "viewer" });
    let key = hansa.post(&alpha.token, "/v1/api-keys", &key).await.expect(StatusCode::CREATED);
    let (id, token) = (key.text("/id"), key.text("/token"));
    hansa.get(&token, "/v1/me").await.expect(StatusCode::OK);
    let jwt = hansa.call(&token, "POST", "/v1/access-tokens", &[], None).await;
    let jwt = jwt.expect(StatusCode::CREATED).text("/access_token");
    let ended = hansa.call(&alpha.token, "DELETE", &format!("/v1/api-keys/{id}"), &[], None).await;
    ended.expect(StatusCode::NO_CONTENT);
    for credential in [token, jwt] {
        hansa.get(&credential, "/v1/me").await.expect_problem(401, "unauthenticated");
    }
}

/// Keys and sessions end by themselves, and no part of a key can be exchanged.
#[tokio::test]
async fn credentials_end_in_time_and_are_whole() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let (other, zeros) = (hansa.tenant("beta").await.token, "0".repeat(64));
    let (prefix, secret) = alpha.token.rsplit_once('_').expect("three parts");
    let (_, others_secret) = other.rsplit_once('_').expect("three parts");
    for bad in [
        format!("{prefix}_{zeros}"),
        format!("{prefix}_{others_secret}"),
        format!("{prefix}_{}", &secret[..63]),
        format!("{prefix}_{}", secret.to_uppercase()),
        prefix.to_owned(),
        "hansa_".to_owned(),
        "x".repeat(10_000),
    ] {
        hansa.get(&bad, "/v1/me").await.expect_problem(401, "unauthenticated");
    }
    let basic = [("authorization", "Basic YTpi")];
    let refused = hansa.call("", "GET", "/v1/me", &basic, None).await;
    refused.expect_problem(401, "unauthenticated");

    let cookie = hansa.sign_in("alpha").await;
    hansa.clock.advance(limits::SESSION_LIFE);
    let late = hansa.call("", "GET", "/v1/me", &[("cookie", &cookie)], None).await;
    late.expect_problem(401, "unauthenticated");
    hansa.get(&alpha.token, "/v1/me").await.expect(StatusCode::OK);
    hansa.clock.advance(limits::API_KEY_LIFE_DEFAULT);
    hansa.get(&alpha.token, "/v1/me").await.expect_problem(401, "unauthenticated");
}

/// S-17: a token outlives neither its time nor its key.
#[tokio::test]
async fn s17_an_access_token_ends_with_its_time_and_its_key() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let make = async || {
        let made = hansa.call(&alpha.token, "POST", "/v1/access-tokens", &[], None).await;
        made.expect(StatusCode::CREATED).text("/access_token")
    };
    let token = make().await;
    let me = hansa.get(&token, "/v1/me").await.expect(StatusCode::OK);
    assert_eq!(me.text("/tenant"), "alpha");
    hansa.clock.advance(limits::ACCESS_TOKEN_LIFE + limits::CLOCK_LEEWAY);
    hansa.get(&token, "/v1/me").await.expect_problem(401, "unauthenticated");

    let token = make().await;
    hansa.get(&token, "/v1/me").await.expect(StatusCode::OK);
    hansa.keys.rotate();
    hansa.clock.advance(limits::JWT_KEYS_KEPT);
    hansa.get(&token, "/v1/me").await.expect_problem(401, "unauthenticated");
    hansa.get(&make().await, "/v1/me").await.expect(StatusCode::OK);
}

/// A tenant keeps an administrator, and its roles are its own.
#[tokio::test]
async fn a_tenant_keeps_an_administrator() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let users = hansa.get(&alpha.token, "/v1/users").await.expect(StatusCode::OK);
    let path = format!("/v1/users/{}", users.text("/items/0/id"));
    let first = [("if-match", "\"1\"")];
    for change in [json!({ "role": "viewer" }), json!({ "phase": "disabled" })] {
        let refused = hansa.call(&alpha.token, "PATCH", &path, &first, Some(&change)).await;
        refused.expect_problem(409, "last_administrator");
    }
    let escalate = json!({ "role": "platform_operator" });
    let refused = hansa.call(&alpha.token, "PATCH", &path, &first, Some(&escalate)).await;
    refused.expect_problem(400, "invalid_request");
    let key = json!({ "name": "evil", "role": "platform_operator" });
    let refused = hansa.post(&alpha.token, "/v1/api-keys", &key).await;
    refused.expect_problem(400, "invalid_request");
}

/// S-29: a password is long, or it is refused before anything is made.
#[tokio::test]
async fn s29_short_passwords_are_refused() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    for bad in ["short", "aaaaaaaaaaaaaaaaaaaa"] {
        let new = json!({ "email": "bo@alpha.example", "display_name": "Bo", "password": bad });
        let refused = hansa.post(&alpha.token, "/v1/users", &new).await;
        refused.expect_problem(400, "invalid_request");
        assert_eq!(refused.text("/errors/0/pointer"), "/password");
        assert!(!refused.body.to_string().contains(bad), "a password must not be repeated");
    }
}

/// S-59: hashing passwords is bounded: of 200 sign-ins at once some are told to come back, and
/// whoever asks for something else is answered meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s59_a_flood_of_sign_ins_is_bounded() {
    let hansa = Installation::new().await;
    hansa.tenant("alpha").await;
    let body = json!({ "tenant": "nobody", "email": email("alpha"), "password": PASSWORD });
    let flood = futures::future::join_all((0..200).map(|_| hansa.post("", "/v1/sessions", &body)));
    let health = async {
        let began = std::time::Instant::now();
        hansa.get("", "/healthz").await.expect(StatusCode::OK);
        began.elapsed()
    };
    let (answers, health) = tokio::join!(flood, health);
    let busy = answers.iter().filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
    let busy: Vec<_> = busy.collect();
    assert!(!busy.is_empty(), "nobody was told to come back");
    assert!(busy.iter().all(|answer| answer.headers.contains_key(header::RETRY_AFTER)));
    let refused = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(busy.len() + refused, 200, "every sign-in has one of two answers");
    assert!(health < Duration::from_secs(1), "health took {health:?} behind the flood");
}
