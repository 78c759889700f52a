//! A control plane that is killed.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    command::Said,
    patience::{DEADLINE, eventually},
    product::Product,
};
use ledger_client::{
    NodeClient, Signer,
    answer::{Progress, ReceiptState, Wait},
    read_key_file,
};
use ledger_types::{Genesis, Outcome, Payload, Statement};

/// The control plane is never in the way of data: without it clients that know a node and the
/// genesis go on. The next control plane takes over the very same processes.
pub(crate) fn adopted(product: &mut Product) -> Result<()> {
    let names = ["a1", "a2", "b1", "b2"];
    let pids = |product: &Product| names.map(|name| product.pid(name).ok());
    let before = pids(product);
    product.kill()?;
    ensure!(product.cli("alpha", &["ledger", "list", "demo"])?.code == Some(7), "it is away");
    let runtime = tokio::runtime::Runtime::new()?;
    let height = runtime.block_on(pay(product)).context("while the control plane is dead")?;
    for pid in before.iter().flatten() {
        ensure!(fs::exists(format!("/proc/{pid}"))?, "node process {pid} ended with it");
    }
    product.run()?;
    eventually("the nodes are known again", DEADLINE, || {
        Ok(pids(product).iter().all(Option::is_some).then_some(()))
    })?;
    ensure!(pids(product) == before, "{:?} became {:?}", before, pids(product));
    product.agree()?;
    let told = product.ledger()?["health"]["height"].as_u64();
    ensure!(told >= Some(height), "it tells of height {told:?}, the ledger is at {height}");
    Ok(())
}

/// Signs, submits to two nodes, and verifies the receipt; its height.
async fn pay(product: &Product) -> Result<u64> {
    let folder = product.state.join("demo");
    let genesis: Genesis = serde_json::from_slice(&fs::read(folder.join("genesis.json"))?)?;
    genesis.check()?;
    let ca = fs::read_to_string(product.text("/demo/ca")?)?;
    let key = read_key_file(product.text("/keys/beta")?.as_ref())?;
    let signer = Signer::new(genesis.ledger(), key);
    let mut height = 0;
    for node in 0..2 {
        let address = product.text(&format!("/demo/nodes/{node}/http"))?;
        let client = NodeClient::connect(&address, &ca, None).await?;
        let sql =
            format!("UPDATE payment SET memo = 'without a control plane {node}' WHERE id = 4");
        let payload = Payload::Sql(vec![Statement { sql, parameters: vec![] }]);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let transaction = signer.transaction(payload, u64::try_from(now.as_millis())?)?;
        let id = transaction.id();
        let done = client.submit(&[transaction], Wait::Certified, Duration::from_secs(30)).await?;
        let progress = done.into_iter().next().map(|one| one.progress);
        let applied =
            matches!(progress, Some(Progress::Executed { outcome: Outcome::Applied { .. }, .. }));
        ensure!(applied, "it was not applied: {progress:?}");
        let ReceiptState::Certified(receipt) = client.receipt(id).await? else {
            anyhow::bail!("no receipt of {id}")
        };
        receipt.verify(&genesis)?;
        height = receipt.height;
    }
    let path = folder.join("receipt.json");
    let genesis = folder.join("genesis.json");
    let mut verify = std::process::Command::new(product.programs().join("hansa-node"));
    verify.arg("verify").arg(path).arg("--genesis").arg(genesis);
    Said::of(&mut verify)?.well()?;
    Ok(height)
}
