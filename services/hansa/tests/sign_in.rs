//! Signing in, and what is kept of it.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, process::Stdio};

use serde_json::json;

use crate::played::{ID, Played, Ran, Said, page};

/// The password travels by a pipe and is kept nowhere; the session is, for its own address, in a
/// file that nobody else reads.
#[test]
fn a_session_is_kept_for_its_own_address_and_the_password_is_not() {
    let session = Said::ok(json!({
        "user_id": ID, "tenant_id": ID, "expires_at": "2030-01-01T00:00:00Z",
        "id": ID, "created_at": "2026-01-01T00:00:00Z",
    }))
    .with("set-cookie", "__Host-hansa_session=kept; Secure; HttpOnly; Path=/");
    let played = Played::new([
        ("POST /v1/sessions", vec![session]),
        ("GET /v1/consortiums", vec![page(json!([]))]),
    ]);
    let words = ["login", "--tenant", "alpha", "--email", "a@alpha.example", "--password-stdin"];
    let mut login = played.hansa(&words);
    let mut child = login.env_remove("HANSA_TOKEN").stdin(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(b"pass word\n").expect("written");
    let ran = Ran::from(child.wait_with_output().expect("its end")).code(0);
    assert!(ran.out.is_empty() && ran.err.contains("2030"), "words are no data: {ran:?}");
    let sent: serde_json::Value = serde_json::from_slice(&played.asked()[0].body).expect("JSON");
    assert_eq!(sent["password"], "pass word", "the end of the line is not part of it");
    let path = played.folder().join("config/hansa/profiles.toml");
    let kept = fs::read_to_string(&path).expect("the profile");
    assert!(kept.contains("kept") && !kept.contains("pass word"), "{kept}");
    let mode = fs::metadata(&path).expect("the profile").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "a session is a credential");

    let mut list = played.hansa(&["consortium", "list"]);
    Ran::of(list.env_remove("HANSA_TOKEN").env_remove("HANSA_API")).code(0);
    let asked = played.asked();
    let asked = asked.last().expect("it asked");
    assert_eq!(asked.header("cookie"), Some("__Host-hansa_session=kept"));
    let mut elsewhere = played.hansa(&["--api", "http://127.0.0.1:9", "consortium", "list"]);
    Ran::of(elsewhere.env_remove("HANSA_TOKEN")).code(3).says(["127.0.0.1:9"]);
}

/// There is nobody to ask in a script: it must not hang.
#[test]
fn without_a_terminal_the_password_comes_by_a_pipe() {
    let played = Played::new([]);
    let words = ["login", "--tenant", "alpha", "--email", "a@alpha.example"];
    played.run(&words).code(2).says(["--password-stdin"]);
}

/// An operator makes the first tenants from a script too: the password of their administrator is on
/// no command line, and an authority that the system does not know is named once.
#[test]
fn a_tenant_is_made_with_its_administrator() {
    let made = json!({
        "id": ID, "name": "alpha", "display_name": "Alpha Bank", "kind": "customer",
        "phase": "active", "revision": 1, "created_at": "2026-01-01T00:00:00Z",
    });
    let played = Played::new([("POST /v1/tenants", vec![Said::ok(made)])]);
    let words =
        ["tenant", "create", "alpha", "--title", "Alpha Bank", "--email", "a@alpha.example"];
    played.run(&words).code(2).says(["--password-stdin"]);
    let words = [&words[..], &["--password-stdin", "-o", "name"]].concat();
    let mut child = played.hansa(&words).stdin(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(b"pass word\n").expect("written");
    let ran = Ran::from(child.wait_with_output().expect("its end")).code(0);
    assert_eq!(ran.out, "alpha\n");
    let sent: serde_json::Value = serde_json::from_slice(&played.asked()[0].body).expect("JSON");
    assert_eq!(sent["display_name"], "Alpha Bank");
    let administrator = &sent["administrator"];
    assert_eq!(administrator["email"], "a@alpha.example");
    assert_eq!(administrator["display_name"], "a@alpha.example", "people see something");
    assert_eq!(administrator["password"], "pass word");

    let words = ["login", "--tenant", "alpha", "--email", "a@alpha.example", "--password-stdin"];
    let words = [&words[..], &["--ca", "/nowhere/ca.crt"]].concat();
    played.run(&words).code(2).says(["/nowhere/ca.crt"]);
}
