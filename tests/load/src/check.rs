//! After everything was killed: is all that was acknowledged there, and does it add up?

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use ledger_client::answer::ReceiptState;
use ledger_types::Value;

use crate::{
    network::Network,
    transfers::{BALANCE, Bank, Run, now_ms},
};

/// Rows of one answer.
const PAGE: i64 = 5_000;
/// Receipts that are verified by the node's own program.
const RECEIPTS: usize = 20;

pub(crate) async fn promises(network: &Network, bank: &Bank, run: &Run) -> Result<()> {
    let signer = network.administrator()?;
    for node in &network.nodes {
        let sql = "SELECT sum(balance), count(*) FROM account";
        let answer = node.query(&signer, sql, &[], now_ms()).await?;
        let accounts = bank.accounts as i64;
        let expected = [Value::Integer(accounts * BALANCE), Value::Integer(accounts)];
        ensure!(answer.rows == [expected.to_vec()], "money was made or lost: {:?}", answer.rows);
    }
    let node = &network.nodes[network.nodes.len() - 1];
    let mut found = BTreeSet::new();
    let mut after = -1;
    loop {
        let sql = "SELECT id FROM transfer WHERE id > ?1 ORDER BY id LIMIT ?2";
        let parameters = [Value::Integer(after), Value::Integer(PAGE)];
        let page = node.query(&signer, sql, &parameters, now_ms()).await?;
        let ids = page.rows.iter().filter_map(|row| match row.first() {
            Some(Value::Integer(id)) => Some(*id),
            _ => None,
        });
        let before = found.len();
        found.extend(ids);
        if found.len() == before {
            break;
        }
        after = found.last().copied().unwrap_or(after);
    }
    let lost: Vec<u64> = run
        .applied
        .iter()
        .map(|(number, _)| *number)
        .filter(|number| !found.contains(&(*number as i64)))
        .collect();
    ensure!(lost.is_empty(), "{} acknowledged transfers are lost: {:?}", lost.len(), &lost[..1]);
    let stride = (run.applied.len() / RECEIPTS).max(1);
    for (number, id) in run.applied.iter().step_by(stride) {
        match node.receipt(*id).await? {
            ReceiptState::Certified(receipt) => {
                receipt.verify(&network.genesis).context("a receipt")?;
                network.verify(&serde_json::to_vec(&receipt)?)?;
            }
            other => bail!("transfer {number} has no receipt: {other:?}"),
        }
    }
    Ok(())
}
