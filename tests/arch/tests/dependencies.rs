//! Dependencies point one way.

use std::collections::BTreeSet;

use crate::project::{linked, metadata, packages};

/// Each crate and what it may depend on of ours: the table of docs/architecture.md.
const MAY_DEPEND_ON: [(&str, &[&str]); 30] = [
    ("hansa-core", &[]),
    ("hansa-types", &["hansa-core"]),
    ("hansa-authz", &["hansa-core", "hansa-types"]),
    ("hansa-postgres", &["hansa-core"]),
    ("hansa-store", &["hansa-authz", "hansa-core", "hansa-postgres", "hansa-types"]),
    ("hansa-runtime", &["hansa-core"]),
    ("hansa-runtime-kube", &["hansa-core", "hansa-runtime", "hansa-types"]),
    ("hansa-runtime-process", &["hansa-core", "hansa-runtime"]),
    ("hansa-clients", &["hansa-core", "hansa-types", "ledger-types"]),
    ("hansa-vault", &["hansa-core", "hansa-types"]),
    ("hansa-telemetry", &[]),
    (
        "hansa-control",
        &[
            "hansa-authz",
            "hansa-clients",
            "hansa-core",
            "hansa-runtime",
            "hansa-store",
            "hansa-types",
            "ledger-types",
        ],
    ),
    ("hansa-api", &["hansa-authz", "hansa-control", "hansa-core", "hansa-types"]),
    (
        "hansa",
        &[
            "hansa-api",
            "hansa-clients",
            "hansa-control",
            "hansa-core",
            "hansa-postgres",
            "hansa-runtime",
            "hansa-runtime-kube",
            "hansa-runtime-process",
            "hansa-store",
            "hansa-telemetry",
            "hansa-types",
            "hansa-vault",
            "ledger-client",
            "ledger-types",
        ],
    ),
    ("ledger-types", &[]),
    ("ledger-consensus", &["ledger-types"]),
    ("ledger-storage", &["ledger-types"]),
    ("ledger-state", &["ledger-types"]),
    ("ledger-client", &["ledger-types"]),
    ("ledger-sim", &["ledger-consensus", "ledger-state", "ledger-storage", "ledger-types"]),
    (
        "ledger-node",
        &["ledger-client", "ledger-consensus", "ledger-state", "ledger-storage", "ledger-types"],
    ),
    ("chart-tests", &["e2e", "hansa-postgres", "kube-lab"]),
    ("load", &["ledger-client", "ledger-types"]),
    ("e2e", &["ledger-client", "ledger-types"]),
    ("pods", &["e2e", "kube-lab"]),
    ("go-programs", &[]),
    ("image", &[]),
    ("kube-lab", &["go-programs", "image"]),
    ("xtask", &["go-programs", "image", "kube-lab"]),
    ("arch", &[]),
];

/// What a crate must not use directly, and why.
const MUST_NOT_USE: [(&str, &[&str], &str); 6] = [
    ("ledger-types", &["tokio", "rusqlite", "axum"], "it is vocabulary: no async, no IO"),
    ("ledger-consensus", &["tokio", "rusqlite", "openssl", "getrandom"], "it is sans-IO"),
    ("ledger-storage", &["tokio", "rusqlite", "openssl"], "it knows files only"),
    ("ledger-state", &["tokio", "openssl", "axum"], "block time is its only clock"),
    ("hansa-control", &["axum", "sqlx", "kube"], "HTTP and SQL have homes of their own"),
    ("hansa-api", &["sqlx", "kube"], "handlers reach the database through control only"),
];

/// Crates that must not be linked at all: a second TLS stack, or minutes of build.
const BANNED: [&str; 6] = ["rustls", "ring", "aws-lc-rs", "openssl-src", "rocksdb", "wasmtime"];

#[test]
fn our_crates_depend_on_each_other_only_as_the_table_says() {
    // An edge that nobody decided is how a layer learns what it must not know.
    let packages = packages(&metadata());
    let ours: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    let table: BTreeSet<&str> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, table, "a crate came or went: change the table and docs/architecture.md");
    for (name, allowed) in MAY_DEPEND_ON {
        for dependency in packages[name].iter().filter(|d| ours.contains(d.as_str())) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} depends on {dependency}, which the table does not allow"
            );
        }
    }
}

#[test]
fn nobody_uses_what_its_layer_must_not_know() {
    let packages = packages(&metadata());
    for (name, banned, why) in MUST_NOT_USE {
        for dependency in banned {
            assert!(!packages[name].contains(*dependency), "{name} uses {dependency}: {why}");
        }
    }
}

#[test]
fn there_is_one_tls_stack_and_no_heavy_crate() {
    let linked = linked(&metadata());
    assert!(linked.contains("openssl"), "the graph was not read: OpenSSL must be in it");
    for banned in BANNED {
        assert!(!linked.contains(banned), "{banned} is linked: see docs/decisions");
    }
}
