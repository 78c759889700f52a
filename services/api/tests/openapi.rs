//! The document: checked in, complete, and what the router serves.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::Value;

use crate::fixture::Installation;

// Relative to the package, where tests run: a build may be shared between checkouts.
const CHECKED_IN: &str = "../../openapi/hansa.json";

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            operations.push((format!("{method} {path}"), operation));
        }
    }
    operations
}

/// Clients are made from the checked-in file: a change of the API is a change of that file.
#[tokio::test]
async fn the_checked_in_document_is_what_is_served() {
    let document = hansa_api::document();
    let text = serde_json::to_string_pretty(&document).expect("JSON") + "\n";
    if std::env::var("HANSA_GOLDEN").is_ok_and(|v| v == "write") {
        std::fs::write(CHECKED_IN, &text).expect("the document is writable");
    }
    let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
    assert!(
        text == checked_in,
        "the API changed: HANSA_GOLDEN=write cargo test -p hansa-api openapi"
    );
    let served = Installation::new().await.get("", "/v1/openapi.json").await;
    assert_eq!(served.expect(StatusCode::OK).body, document);
}

/// The reference works without the internet: nothing in the page is loaded from elsewhere.
#[tokio::test]
async fn the_reference_is_served_from_here() {
    let hansa = Installation::new().await;
    hansa.get("", "/docs/").await.expect(StatusCode::OK);
    let answers = hansa.answers.lock().expect("no test panics while holding it");
    let page = answers.last().expect("the page");
    assert!(page.contains("swagger-ui"), "{page}");
    assert!(!page.contains("https://") && !page.contains("http://"), "{page}");
}

/// Every operation says what it does, what it answers, what can go wrong, and shows an example.
#[test]
fn every_operation_is_described() {
    let document = hansa_api::document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (what, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name.to_owned()), "{what}: {name} is another operation's name");
        assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{what}: summary");
        let responses = operation["responses"].as_object().expect("responses");
        for range in ["4XX", "5XX"] {
            assert!(responses.contains_key(range), "{what}: {range}");
        }
        for (status, response) in responses {
            let described = response["description"].as_str().is_some_and(|d| !d.is_empty());
            assert!(described, "{what}: describe {status}, or the document is not valid");
            for media in response["content"].as_object().into_iter().flat_map(|c| c.values()) {
                assert!(!media["example"].is_null(), "{what}: {status} has no example");
            }
        }
        if let Some(content) = operation.pointer("/requestBody/content") {
            let example = &content["application/json"]["example"];
            assert!(example.is_object(), "{what}: the body has no example");
        }
    }
}

/// What two people change at once must not be lost, and what a client repeats must not happen twice:
/// each operation that is left out is named with its reason.
#[test]
fn every_change_names_its_revision_and_every_post_can_be_repeated() {
    const WITHOUT_REVISION: [&str; 3] = [
        "delete /v1/api-keys/{api_key_id}",       // a key never changes
        "delete /v1/invitations/{invitation_id}", // only an open one, which has one revision
        "delete /v1/sessions/current",            // the caller's own
    ];
    const WITHOUT_REPETITION: [&str; 2] = [
        "post /v1/access-tokens", // stores nothing
        "post /v1/sessions",      // each is a credential of its own, shown once
    ];
    let document = hansa_api::document();
    for (what, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array();
        let has = |name| parameters.is_some_and(|p| p.iter().any(|p| p["name"] == name));
        let what = what.as_str();
        let changes = what.starts_with("patch ") || what.starts_with("delete ");
        assert_eq!(has("If-Match"), changes && !WITHOUT_REVISION.contains(&what), "{what}");
        let posts = what.starts_with("post ");
        let repeats = posts && !WITHOUT_REPETITION.contains(&what);
        assert_eq!(has("Idempotency-Key"), repeats, "{what}");
    }
}

/// A method on an address that two routers share is lost silently: the count would not agree.
#[test]
fn no_operation_was_lost() {
    let sources = "src";
    let mut described = 0;
    for entry in std::fs::read_dir(sources).expect("our own sources") {
        let path = entry.expect("readable").path();
        if path.is_file() {
            let text = std::fs::read_to_string(path).expect("our own source");
            described += text.matches("#[utoipa::path(").count();
        }
    }
    assert_eq!(operations(&hansa_api::document()).len(), described, "an operation is not routed");
}

/// Two types of one name would overwrite each other, and a reference to nothing breaks clients.
#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    found.insert(reference.clone());
                }
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = hansa_api::document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}
