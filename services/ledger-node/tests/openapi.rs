//! The document: checked in, complete, and what the node serves.

use std::{collections::BTreeSet, fs};

use ledger_client::answer::{BlockView, NodeStatus, Rows, Submitted};
use ledger_types::{Genesis, Policy, Receipt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::{Cluster, eventually};

// Relative to the package, where tests run: a build may be shared between checkouts.
const CHECKED_IN: &str = "../../openapi/node.json";

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            operations.push((format!("{method} {path}"), operation));
        }
    }
    operations
}

/// Programs are written against the checked-in file: a change of the interface is a change of it.
#[test]
fn the_checked_in_document_is_what_the_code_says() {
    let text = format!("{:#}\n", ledger_node::api::document());
    if std::env::var("HANSA_GOLDEN").is_ok_and(|v| v == "write") {
        fs::write(CHECKED_IN, &text).expect("the document is writable");
    }
    let checked_in = fs::read_to_string(CHECKED_IN).unwrap_or_default();
    assert!(text == checked_in, "the interface changed: run `cargo xtask openapi`");
}

/// A node describes itself.
#[test]
fn the_node_serves_the_document() {
    let cluster = Cluster::start(4, Policy::Bft);
    let served = eventually("the node answers", || cluster.get(0, "/v1/openapi.json"));
    assert_eq!(served, (200, ledger_node::api::document()));
}

/// Every operation says what it does, what it answers, what can go wrong, and shows an example.
#[test]
fn every_operation_is_described() {
    let document = ledger_node::api::document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (what, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name.to_owned()), "{what}: {name} is another operation's name");
        assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{what}: summary");
        let responses = operation["responses"].as_object().expect("responses");
        for status in ["200", "500", "503"] {
            assert!(responses.contains_key(status), "{what}: {status}");
        }
        for (status, response) in responses {
            let described = response["description"].as_str().is_some_and(|d| !d.is_empty());
            assert!(described, "{what}: describe {status}, or the document is not valid");
            for media in response["content"].as_object().into_iter().flat_map(|c| c.values()) {
                let shown = !media["example"].is_null() || media["examples"].is_object();
                assert!(shown, "{what}: {status} has no example");
            }
        }
        if let Some(content) = operation.pointer("/requestBody/content/application~1json") {
            assert!(content["example"].is_object(), "{what}: the body has no example");
        }
    }
    assert!(names.len() >= 10, "operations are missing: {names:?}");
}

/// Examples that programs cannot read would teach the wrong form.
#[test]
fn examples_are_what_programs_read() {
    fn read<T: DeserializeOwned>(document: &Value, operation: &str, at: &str) {
        let path =
            format!("/paths/{operation}/responses/200/content/application~1json/example{at}");
        let example = document.pointer(&path).unwrap_or_else(|| panic!("{path} leads nowhere"));
        let read = serde_json::from_value::<T>(example.clone());
        assert!(read.is_ok(), "{operation}: {:?}", read.err());
    }
    let document = ledger_node::api::document();
    read::<Submitted>(&document, "~1v1~1transactions/post", "/items/0");
    read::<Submitted>(&document, "~1v1~1transactions~1{transaction_id}/get", "");
    read::<Receipt>(&document, "~1v1~1transactions~1{transaction_id}~1receipt/get", "");
    read::<Rows>(&document, "~1v1~1query/post", "");
    read::<BlockView>(&document, "~1v1~1blocks~1{height}/get", "");
    read::<NodeStatus>(&document, "~1v1~1status/get", "");
    read::<Genesis>(&document, "~1v1~1genesis/get", "");
}

/// A method on an address that two routers share is lost silently: the count would not agree.
#[test]
fn no_operation_was_lost() {
    let mut described = 0;
    for entry in fs::read_dir("src/api").expect("our own sources") {
        let path = entry.expect("readable").path();
        if path.is_file() {
            let text = fs::read_to_string(path).expect("our own source");
            described += text.matches("#[utoipa::path(").count();
        }
    }
    let document = ledger_node::api::document();
    assert_eq!(operations(&document).len(), described, "an operation is not routed");
}

/// A reference to nothing breaks the clients that are made from the document.
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
    let document = ledger_node::api::document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}
