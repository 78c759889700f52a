//! A tenant outside the consortium.

use anyhow::{Result, ensure};
use e2e::product::Product;

/// A stranger must not learn that a ledger exists, by its name or by its id.
pub(crate) fn gamma_sees_nothing(product: &mut Product) -> Result<()> {
    let (consortium, ledger) = (product.text("/demo/consortium")?, product.text("/demo/ledger")?);
    let node = product.text("/demo/nodes/0/id")?;
    for list in ["consortium", "invitation", "operation"] {
        let said = product.cli("gamma", &[list, "list", "-o", "json"])?.json()?;
        ensure!(said == serde_json::json!([]), "gamma sees in {list} list: {said}");
    }
    let asked: [&[&str]; 7] = [
        &["consortium", "get", &consortium],
        &["ledger", "get", &ledger],
        &["ledger", "genesis", &ledger],
        &["ledger", "incidents", &ledger],
        &["node", "list", &ledger],
        &["node", "get", &node],
        &["ledger", "get", "demo/main"],
    ];
    for words in asked {
        let said = product.cli("gamma", words)?;
        ensure!(said.code == Some(4), "{words:?} must be unknown to gamma (exit 4): {said:?}");
        ensure!(said.out.is_empty(), "{words:?} told gamma: {}", said.out);
    }
    let stopped = product.cli("gamma", &["node", "stop", &node])?;
    ensure!(stopped.code == Some(4), "gamma must not reach alpha's node: {stopped:?}");
    Ok(())
}
