//! What cargo and the folder say of the project.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // Tests run in their package; a build may be shared between checkouts.
    std::env::current_dir().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// `cargo metadata`, resolved as the lock file says.
pub(crate) fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The workspace's packages with their direct dependencies outside tests.
pub(crate) fn packages(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let members: BTreeSet<&str> = metadata["workspace_members"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| members.contains(text(package, "id")))
        .map(|package| {
            let direct = package["dependencies"].as_array().unwrap().iter();
            let normal = direct.filter(|d| d["kind"].is_null()).map(|d| text(d, "name").to_owned());
            (text(package, "name").to_owned(), normal.collect())
        })
        .collect()
}

/// Every package that is linked into something of ours, by name.
pub(crate) fn linked(metadata: &Value) -> BTreeSet<String> {
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let members = metadata["workspace_members"].as_array().unwrap();
    let mut open: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            let here = |kind: &Value| {
                let target = kind["target"].as_str().unwrap_or_default();
                kind["kind"] != "dev"
                    && !["windows", "macos", "wasm"].iter().any(|t| target.contains(t))
            };
            if kinds.iter().any(here) {
                open.push(text(dependency, "pkg"));
            }
        }
    }
    seen.into_iter().map(|id| names[id].to_owned()).collect()
}

/// The folders of all packages, by name.
pub(crate) fn folders(metadata: &Value) -> BTreeMap<String, PathBuf> {
    let ours = packages(metadata);
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| package["source"].is_null() && ours.contains_key(text(package, "name")))
        .map(|package| {
            let manifest = Path::new(text(package, "manifest_path"));
            (text(package, "name").to_owned(), manifest.parent().unwrap().to_owned())
        })
        .collect()
}
