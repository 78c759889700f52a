//! The forms of output.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::played::{ID, Played, Ran, consortium, page};

fn two_pages() -> Played {
    let mut other = consortium();
    other["name"] = json!("other");
    let first = json!({ "items": [consortium()], "next_page_token": "a+/=&" });
    let first = crate::played::Said::ok(first);
    Played::new([("GET /v1/consortiums", vec![first, page(json!([other]))])])
}

/// Programs read JSON and YAML, people a table, other verbs names; all pages of a list are there.
#[test]
fn a_list_is_printed_in_four_forms() {
    let table = two_pages().run(&["consortium", "list"]).code(0).out;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "a title and two rows:\n{table}");
    assert!(lines[0].starts_with("NAME") && lines[2].starts_with("other"), "{table}");

    let played = two_pages();
    let json = played.run(&["consortium", "list", "-o", "json"]).code(0).out;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[1]["name"], "other");
    assert_eq!(json[0]["display_name"], "Demo", "a document is not shortened");
    let second = &played.asked()[1].line;
    assert!(second.contains("page_token=a%2B%2F%3D%26"), "the token arrives as it is: {second}");

    let yaml = two_pages().run(&["consortium", "list", "-o", "yaml"]).code(0).out;
    assert!(yaml.contains("- ") && yaml.contains("name: other"), "{yaml}");

    let names = two_pages().run(&["consortium", "list", "-o", "name"]).code(0).out;
    assert_eq!(names, format!("{ID}\n{ID}\n"), "what other verbs take, one a line");
}

/// `hansa … | head -1` closes the pipe: that is no failure, and no panic.
#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let many: Vec<Value> = (0..2_000).map(|_| consortium()).collect();
    let played = Played::new([("GET /v1/consortiums", vec![page(json!(many))])]);
    let mut command = played.hansa(&["consortium", "list", "-o", "json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().expect("its end"));
    assert!(ran.err.is_empty(), "nothing to complain about: {}", ran.err);
    assert_eq!(ran.code, Some(0));
}
