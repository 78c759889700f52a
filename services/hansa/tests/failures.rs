//! What the program says and how it ends when something is not possible.

use serde_json::json;

use crate::played::{ID, Played, REQUEST, Ran, Said, bare, consortium, page};

/// Without a credential nothing is sent, and it is said how to get one.
#[test]
fn without_a_credential_nobody_is_asked() {
    let played = Played::new([]);
    let mut command = played.hansa(&["consortium", "list"]);
    command.env_remove("HANSA_TOKEN");
    Ran::of(&mut command).code(3).says(["HANSA_TOKEN", "hansa login"]);
    assert!(played.asked().is_empty(), "it asked without a credential");
    let nothing = tempfile::tempdir().expect("a folder");
    Ran::of(&mut bare(&nothing, &["consortium", "list"])).code(2).says(["HANSA_API"]);
}

/// Scripts decide by the exit code, people by title, detail, request and next step.
#[test]
fn a_refusal_has_its_exit_code_and_says_everything() {
    for (status, code, exit) in [
        (400, "invalid_request", 2),
        (401, "unauthenticated", 3),
        (403, "forbidden", 3),
        (404, "not_found", 4),
        (409, "name_taken", 5),
        (412, "revision_stale", 5),
        (422, "signature_invalid", 1),
        (429, "too_many_requests", 7),
        (500, "internal", 7),
        (503, "unavailable", 7),
    ] {
        let said = Said::problem(status, code, "this is the detail")
            .errors(json!([{ "pointer": "/name", "code": "format", "detail": "not like this" }]));
        let played = Played::new([("GET /v1/consortiums", vec![said])]);
        let ran = played.run(&["consortium", "list"]).code(exit);
        let ran = ran.says([code, "this is the detail", "/name: not like this", REQUEST]);
        assert!(ran.out.is_empty(), "words belong to the standard error: {ran:?}");
    }
}

/// A name that does not exist is answered with those that do.
#[test]
fn an_unknown_name_shows_the_known_ones() {
    let played = Played::new([("GET /v1/consortiums", vec![page(json!([consortium()]))])]);
    played.run(&["consortium", "get", "dema"]).code(4).says(["dema", "there are: demo"]);
    played.run(&["node", "get", ID]).code(4).says(["not_found", REQUEST]);
}

/// A service that is away, or something else at its address.
#[test]
fn a_service_that_is_away_is_told_from_a_refusal() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let address = format!("http://{}", free.expect("a port"));
    let nothing = tempfile::tempdir().expect("a folder");
    let mut command = bare(&nothing, &["--api", &address, "whoami"]);
    command.env("HANSA_TOKEN", crate::played::TOKEN);
    Ran::of(&mut command).code(7).says([address.as_str(), "does not answer", "HANSA_API"]);
    let odd = Said::ok(json!({ "hello": "world" }));
    let played = Played::new([("GET /v1/me", vec![odd])]);
    played.run(&["whoami"]).code(1).says(["does not understand"]);
}

/// A busy service says when to come back. The repetition must not do it twice.
#[test]
fn a_busy_service_is_asked_again_with_the_same_key() {
    let busy = Said::problem(503, "unavailable", "busy").with("retry-after", "0");
    let made = Said::ok(json!({
        "id": ID, "name": "robot", "role": "operator", "token": "shown-once", "prefix": "hk",
        "created_at": "2026-01-01T00:00:00Z", "created_by": ID,
    }));
    let played = Played::new([("POST /v1/api-keys", vec![busy, made])]);
    // What is answered is of no interest here, only what is sent.
    let _ = played.run(&["key", "create", "robot"]);
    let asked = played.asked();
    assert_eq!(asked.len(), 2, "once busy, once done: {asked:?}");
    let keys: Vec<_> = asked.iter().map(|one| one.header("idempotency-key")).collect();
    assert!(keys[0].is_some() && keys[0] == keys[1], "each attempt needs the same key: {keys:?}");
    assert_eq!(asked[0].body, asked[1].body);
}
