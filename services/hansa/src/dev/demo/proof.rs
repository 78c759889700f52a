//! What the members can check for themselves.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use ledger_client::answer::ReceiptState;
use ledger_types::{Payload, Statement};

use super::{Walk, data::submit, until};

/// Every table has the same rows on every node, at one height.
pub(super) async fn equal_rows(walk: &mut Walk) -> Result<String> {
    let names: Vec<String> = walk.nodes.iter().map(|node| node.name.clone()).collect();
    let height = walk.node(&names[0]).await?.status().await?.executed_height;
    let mut rows = 0;
    for table in ["currency", "country", "payment"] {
        let sql = format!("SELECT * FROM {table} ORDER BY 1");
        let first = walk.query(&names[0], &sql).await?;
        ensure!(!first.truncated, "the answer is not whole");
        rows += first.rows.len();
        for name in &names[1..] {
            let other = until("the node has caught up", async || {
                let found = walk.query(name, &sql).await?;
                Ok((found.height >= height).then_some(found))
            });
            ensure!(other.await?.rows == first.rows, "{name} has other rows in {table}");
        }
    }
    Ok(format!("{rows} rows on {}", names.join(", ")))
}

/// A transaction's receipt is checked with nothing but the genesis.
pub(super) async fn receipt(walk: &mut Walk) -> Result<String> {
    let sql = "UPDATE payment SET memo = 'invoice 1, paid' WHERE id = 1".to_owned();
    let statement = Statement { sql, parameters: vec![] };
    let sent = submit(walk, vec![Payload::Sql(vec![statement])]).await?;
    let id = sent.first().context("one transaction was sent")?.id();
    let node = walk.node("b1").await?;
    let receipt = until("the receipt is certified", async || match node.receipt(id).await? {
        ReceiptState::Certified(receipt) => Ok(Some(receipt)),
        ReceiptState::Unknown | ReceiptState::NotCertified => Ok(None),
    })
    .await?;
    receipt.verify(walk.genesis()?).context("the receipt")?;
    let path = walk.folder.join("demo/receipt.json");
    fs::write(&path, serde_json::to_vec_pretty(&receipt)?)?;
    Ok(format!("block {} by {} signatures", receipt.height, receipt.certificate.signatures.len()))
}
