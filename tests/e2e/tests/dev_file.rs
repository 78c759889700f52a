//! The file that tells testers and tools where everything is.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result, ensure};
use e2e::product::Product;
use ledger_client::read_key_file;
use serde_json::Value;

/// Scripts of others read this file by these names: one that is missing breaks them, and a file
/// that others can read gives everything away.
pub(crate) fn says_what_is_promised(product: &mut Product) -> Result<()> {
    let mode = fs::metadata(product.state.join("dev.json"))?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "dev.json has mode {mode:o}");
    let file = product.file()?;
    let text = |pointer: &str| {
        let found = file.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        found.with_context(|| format!("dev.json has no text {pointer}"))
    };
    for pointer in ["/api", "/console", "/database_url", "/demo/consortium", "/demo/ledger"] {
        text(pointer)?;
    }
    for tenant in ["platform", "alpha", "beta", "gamma"] {
        text(&format!("/api_keys/{tenant}"))?;
    }
    for member in ["alpha", "beta"] {
        read_key_file(text(&format!("/keys/{member}"))?.as_ref())?;
    }
    for user in file["users"].as_array().context("users")? {
        for name in ["tenant", "email", "password"] {
            ensure!(user[name].as_str().is_some_and(|text| !text.is_empty()), "a user's {name}");
        }
    }
    let ca = fs::read_to_string(text("/demo/ca")?)?;
    ensure!(ca.starts_with("-----BEGIN CERTIFICATE-----"), "demo.ca is no certificate");
    let nodes = file["demo"]["nodes"].as_array().context("demo.nodes")?;
    ensure!(nodes.len() == 4, "the demo has four nodes, not {}", nodes.len());
    for node in nodes {
        for name in ["id", "name", "member", "data_dir", "http", "metrics"] {
            ensure!(node[name].as_str().is_some_and(|t| !t.is_empty()), "a node's {name}: {node}");
        }
        let pid = node["pid"].as_i64().context("a node's pid")?;
        ensure!(fs::exists(format!("/proc/{pid}"))?, "process {pid} of {} is gone", node["name"]);
        ensure!(fs::exists(node["data_dir"].as_str().unwrap_or_default())?, "no data: {node}");
    }
    let printed = e2e::command::Said::of(&mut product.dev(&["status", "-o", "json"]))?.json()?;
    ensure!(printed == file, "`hansa dev status -o json` prints another document");
    Ok(())
}
