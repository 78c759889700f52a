//! Node processes on this machine.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use ledger_client::{NodeClient, Signer, read_key_file};
use ledger_types::Genesis;
use tempfile::TempDir;

/// How long nodes may take to agree after a start.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// A ledger of real processes; they end with this value.
pub(crate) struct Network {
    folder: TempDir,
    program: PathBuf,
    count: u16,
    processes: Vec<Child>,
    pub(crate) genesis: Genesis,
    pub(crate) nodes: Vec<NodeClient>,
}

impl Network {
    /// Makes a ledger and starts its nodes.
    pub(crate) async fn start(program: &Path, count: u16) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let made = Command::new(program)
            .args(["localnet", "--nodes", &count.to_string(), "--dir"])
            .arg(folder.path().join("net"))
            .stdout(Stdio::null())
            .status()
            .with_context(|| format!("starting {}", program.display()))?;
        ensure!(made.success(), "the ledger could not be made");
        let text = fs::read(folder.path().join("net/genesis.json"))?;
        let genesis = serde_json::from_slice(&text)?;
        let program = program.to_owned();
        let (processes, nodes) = (Vec::new(), Vec::new());
        let mut network = Self { folder, program, count, processes, genesis, nodes };
        network.restart().await?;
        Ok(network)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("net").join(name)
    }

    /// Signs with the administrator's key.
    pub(crate) fn administrator(&self) -> Result<Signer> {
        Ok(Signer::new(self.genesis.ledger(), read_key_file(&self.path("admin.key"))?))
    }

    /// Checks a receipt with the node's own program.
    pub(crate) fn verify(&self, receipt: &[u8]) -> Result<()> {
        let path = self.path("receipt.json");
        fs::write(&path, receipt)?;
        let verified = Command::new(&self.program)
            .arg("verify")
            .arg(&path)
            .arg("--genesis")
            .arg(self.path("genesis.json"))
            .stdout(Stdio::null())
            .status()?;
        ensure!(verified.success(), "`hansa-node verify` refuses a receipt");
        Ok(())
    }

    /// Starts the processes and waits until all take part.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.nodes.clear();
        for n in 0..self.count {
            let log = File::options()
                .append(true)
                .create(true)
                .open(self.path(&format!("node-{n}.log")))?;
            let child = Command::new(&self.program)
                .arg("run")
                .arg("--config")
                .arg(self.path(&format!("node-{n}/node.toml")))
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()?;
            self.processes.push(child);
        }
        let began = Instant::now();
        let ca = &self.genesis.charter.ca_certificate;
        for n in 0..self.count {
            let config = fs::read_to_string(self.path(&format!("node-{n}/node.toml")))?;
            let address = config.lines().find_map(|line| line.strip_prefix("http = "));
            let address = address.context("a node has an address")?.trim_matches('"');
            let node = loop {
                match NodeClient::connect(&format!("https://{address}"), ca, None).await {
                    Ok(node) => {
                        let status = node.status().await?;
                        if status.may_vote && status.quorum_reachable && status.height > 0 {
                            break node;
                        }
                    }
                    Err(error) => {
                        ensure!(
                            began.elapsed() < START_TIME_MAX,
                            "node {n} does not start: {error}"
                        );
                    }
                }
                ensure!(began.elapsed() < START_TIME_MAX, "node {n} does not take part");
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            self.nodes.push(node);
        }
        Ok(())
    }

    /// Processor time of all nodes so far, seconds (proc(5), `stat`, fields 14 and 15).
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut ticks = 0;
        for process in &self.processes {
            let stat = fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
            let (_, fields) = stat.rsplit_once(") ").context("proc(5)")?;
            let fields: Vec<&str> = fields.split(' ').collect();
            ticks += fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        }
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Ends all nodes at once, as a crash of the machine's processes would.
    pub(crate) fn kill_all(&mut self) -> Result<()> {
        for process in &mut self.processes {
            process.kill()?;
        }
        for mut process in self.processes.drain(..) {
            process.wait()?;
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // They may have ended; nothing can be done about one that does not.
        let _ = self.kill_all();
    }
}
