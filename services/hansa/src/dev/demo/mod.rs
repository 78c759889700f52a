//! The main job, walked over the public interfaces as two organisations would walk it.

mod api;
mod data;
mod faults;
mod founding;
mod launches;
mod proof;

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hansa_core::SystemClock;
use ledger_client::read_key_file;
use ledger_types::SigningKey;

use super::{
    folder::Folder,
    status::{DemoNode, DevFile},
};
use api::Api;
pub(super) use launches::measure as measure_launches;

/// Name of the consortium.
const CONSORTIUM: &str = "demo";
/// Name of its ledger.
const LEDGER: &str = "main";
/// How long anything may take that machines do.
const PATIENCE: Duration = Duration::from_secs(120);

/// One of the two organisations.
pub(super) struct Party {
    name: &'static str,
    id: String,
    api: Api,
    key: SigningKey,
    /// Names of its nodes.
    nodes: [&'static str; 2],
}

/// The two, and what they have made so far.
pub(super) struct Walk {
    folder: Folder,
    /// What the consortium is called.
    name: String,
    /// Where its nodes run.
    runtime: String,
    alpha: Party,
    beta: Party,
    consortium: String,
    ledger: String,
    genesis: Option<ledger_types::Genesis>,
    nodes: Vec<DemoNode>,
    summary: Vec<(&'static str, String, Duration)>,
}

/// Walks the main job from wherever it was left, and writes what it made into `dev.json`.
pub(super) async fn walk(folder: &Folder, runtime: &str) -> Result<()> {
    let walked = DevFile::read(folder)?.demo.is_some_and(|demo| demo.walked);
    let mut walk = Walk::begin(folder, CONSORTIUM.to_owned(), runtime).await?;
    let began = Instant::now();
    step(&mut walk, "alpha founds a consortium and beta joins", founding::consortium).await?;
    step(&mut walk, "each brings two nodes", founding::nodes).await?;
    step(&mut walk, "both sign, the ledger starts", founding::launch).await?;
    walk.save(false)?;
    step(&mut walk, "tables and real data", data::tables).await?;
    step(&mut walk, "1,000 payments", data::payments).await?;
    step(&mut walk, "equal rows on all four nodes", proof::equal_rows).await?;
    step(&mut walk, "a receipt is verified offline", proof::receipt).await?;
    // What is done to a process's files here is done to a pod's volume in tests/pods.
    if !walked && runtime != hansa_types::PROCESS {
        step(&mut walk, "a node that is restarted returns", faults::restart).await?;
    } else if !walked {
        step(&mut walk, "a node killed with -9 returns", faults::kill).await?;
        step(&mut walk, "a changed byte in a block is found and repaired", faults::block).await?;
        step(&mut walk, "an edited row is found and repaired", faults::row).await?;
    }
    walk.save(true)?;
    println!("\nthe main job, {:.1} s:", began.elapsed().as_secs_f64());
    for (name, found, time) in &walk.summary {
        println!("  {name:<48} {:>6.1} s  {found}", time.as_secs_f64());
    }
    Ok(())
}

/// One step: it finds out for itself what is done already, and says what it found.
async fn step(
    walk: &mut Walk,
    name: &'static str,
    run: impl AsyncFnOnce(&mut Walk) -> Result<String>,
) -> Result<()> {
    let began = Instant::now();
    let shown = std::io::stdout().is_terminal();
    if shown {
        print!("{name} …");
        std::io::stdout().flush()?;
    }
    let found = run(walk).await.with_context(|| format!("{name}: not done"))?;
    let time = began.elapsed();
    let line = format!("{name}: {found} ({:.1} s)", time.as_secs_f64());
    if shown {
        println!("\r{line}\x1b[K");
    } else {
        println!("{line}");
    }
    walk.summary.push((name, found, time));
    Ok(())
}

/// Looks until `look` finds something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        let found = look().await;
        match found {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => anyhow::ensure!(began.elapsed() < PATIENCE, "{what}: not in time"),
            Err(error) if began.elapsed() < PATIENCE => tracing::debug!("{what}: {error:#}"),
            Err(error) => return Err(error).with_context(|| format!("{what}: not in time")),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn now_ms() -> u64 {
    let now = hansa_core::Clock::now(&SystemClock).unix_micros() / 1_000;
    u64::try_from(now).unwrap_or_default()
}

impl Walk {
    /// Nothing is made yet; both organisations are known.
    async fn begin(folder: &Folder, name: String, runtime: &str) -> Result<Self> {
        let file = DevFile::read(folder)?;
        let party = async |name: &'static str, nodes| {
            let token = file.api_keys.get(name).with_context(|| format!("no API key of {name}"))?;
            let path = file.keys.get(name).with_context(|| format!("no key of {name}"))?;
            let api = Api::new(&file.api, token)?;
            let id = api.get("/v1/me").await?.text("/tenant_id")?;
            anyhow::Ok(Party { name, id, api, key: read_key_file(path)?, nodes })
        };
        Ok(Self {
            folder: folder.clone(),
            name,
            runtime: runtime.to_owned(),
            alpha: party("alpha", ["a1", "a2"]).await?,
            beta: party("beta", ["b1", "b2"]).await?,
            consortium: String::new(),
            ledger: String::new(),
            genesis: None,
            nodes: Vec::new(),
            summary: Vec::new(),
        })
    }

    fn parties(&self) -> [&Party; 2] {
        [&self.alpha, &self.beta]
    }

    fn genesis(&self) -> Result<&ledger_types::Genesis> {
        self.genesis.as_ref().context("the genesis is not known yet")
    }

    /// The nodes as they are now.
    async fn look_at_nodes(&mut self) -> Result<()> {
        let mut nodes = Vec::new();
        for party in self.parties() {
            let path = format!("/v1/ledgers/{}/nodes", self.ledger);
            for node in party.api.list(&path).await? {
                if node.text("/tenant_id")? == party.id {
                    nodes.push(DemoNode {
                        id: node.text("/id")?,
                        name: node.text("/name")?,
                        member: party.name.to_owned(),
                        pid: node.0.pointer("/private/pid").and_then(serde_json::Value::as_u64),
                        data_dir: node.text("/private/data_dir")?.into(),
                        http: node.text("/http_address")?,
                        metrics: node.text("/private/metrics_address")?,
                    });
                }
            }
        }
        self.nodes = nodes;
        Ok(())
    }

    /// Writes what was made into `dev.json`.
    fn save(&self, walked: bool) -> Result<()> {
        let ca = self.folder.join("demo/ca.pem");
        std::fs::write(&ca, &self.genesis()?.charter.ca_certificate)?;
        let genesis = self.folder.join("demo/genesis.json");
        std::fs::write(genesis, serde_json::to_vec_pretty(self.genesis()?)?)?;
        let mut file = DevFile::read(&self.folder)?;
        file.demo = Some(super::status::Demo {
            consortium: self.consortium.clone(),
            ledger: self.ledger.clone(),
            ca,
            nodes: self.nodes.clone(),
            walked: walked || file.demo.as_ref().is_some_and(|demo| demo.walked),
        });
        file.write(&self.folder)
    }
}
