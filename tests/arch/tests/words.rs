//! What files say of themselves, and how they are named.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::project::{folders, metadata, root};

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_crate_says_what_it_owns_and_what_it_must_not_know() {
    // The reader's first question, answered in the first lines.
    for (name, folder) in folders(&metadata()) {
        let lib = folder.join("src/lib.rs");
        let main = folder.join("src/main.rs");
        let path = if lib.exists() { lib } else { main };
        let text = fs::read_to_string(&path).unwrap();
        let words: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let words = words.join(" ").to_lowercase();
        for needed in ["owns", "must not"] {
            assert!(
                words.contains(needed),
                "{name}: the comment that begins {} lacks the word {needed:?}",
                path.display()
            );
        }
    }
}

#[test]
fn every_crate_takes_the_workspaces_lints() {
    // ledger-state writes them out, because one of its modules may allow unsafe code.
    for (name, folder) in folders(&metadata()) {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let own = manifest.contains("[lints]\nworkspace = true");
        let exception = name == "ledger-state" && manifest.contains("unsafe_code = \"deny\"");
        assert!(own || exception, "{name}: [lints] workspace = true is missing");
    }
}

#[test]
fn no_module_is_named_after_nothing() {
    // "utils" is where ideas without a name go to be forgotten.
    for folder in ["services", "infra", "tests"] {
        for path in sources(&root().join(folder)) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                !["util", "utils", "helper", "helpers", "common", "misc"].contains(&stem),
                "{}: name the idea",
                path.display()
            );
        }
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    let allows =
        |path: &PathBuf| fs::read_to_string(path).unwrap().contains("#![allow(unsafe_code)]");
    let found: Vec<PathBuf> =
        sources(&root().join("services")).into_iter().filter(allows).collect();
    assert_eq!(found, [root().join("services/ledger-state/src/preupdate.rs")]);
}

#[test]
fn migrations_are_numbered_without_gaps() {
    // Two branches that add the same number must meet here, not in a customer's database.
    let mut numbers: Vec<u32> = fs::read_dir(root().join("migrations"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".sql")?.split('_').next()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let expected: Vec<u32> = (1..=u32::try_from(numbers.len()).unwrap()).collect();
    assert!(!numbers.is_empty(), "the migrations were not found");
    assert_eq!(numbers, expected);
}
