//! One installation of the product, as `hansa dev` makes it.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    command::{Said, programs},
    patience::{DEADLINE, eventually},
};

/// An installation; it ends, with everything that it made, when this is dropped.
#[derive(Debug)]
pub struct Product {
    /// Its state folder.
    pub state: PathBuf,
    /// The port of its API and console.
    pub port: u16,
    programs: PathBuf,
    cluster: Option<Cluster>,
    dev: Option<Child>,
}

/// A cluster for the demo's nodes.
#[derive(Debug)]
pub struct Cluster {
    /// How its administrator reaches it.
    pub kubeconfig: PathBuf,
    /// This machine, seen from its pods.
    pub host: String,
    /// The nodes' image, by its digest.
    pub image: String,
}

/// What `hansa dev` registers a cluster as.
const CLUSTER: &str = "lab";

impl Product {
    /// Starts an installation without a demo in a folder of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(name: &str, port: u16) -> Result<Self> {
        Self::start_with(name, port, None)
    }

    /// Starts one whose demo runs in a cluster.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_in(name: &str, port: u16, cluster: Cluster) -> Result<Self> {
        Self::start_with(name, port, Some(cluster))
    }

    fn start_with(name: &str, port: u16, cluster: Option<Cluster>) -> Result<Self> {
        // PostgreSQL's own user must reach it, and its socket's path must be short.
        let state = env::temp_dir().join(format!("hansa-{name}-{}", std::process::id()));
        let mut product = Self { state, port, programs: programs()?, cluster, dev: None };
        product.run()?;
        Ok(product)
    }

    /// `hansa` of this build, without anything of the user's own.
    #[must_use]
    pub fn hansa(&self) -> Command {
        let mut command = Command::new(self.programs.join("hansa"));
        for variable in ["HANSA_API", "HANSA_TOKEN", "HANSA_KEY", "HANSA_PROFILE", "HANSA_STATE"] {
            command.env_remove(variable);
        }
        command.env("XDG_CONFIG_HOME", self.state.join("no-profiles"));
        command
    }

    /// Where the programs are.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// `hansa dev …` on this state.
    #[must_use]
    pub fn dev(&self, words: &[&str]) -> Command {
        let mut command = self.hansa();
        command.arg("dev").args(words).arg("--state").arg(&self.state);
        command
    }

    /// Starts the control plane on this state and waits until it answers.
    ///
    /// # Errors
    /// When it ends, or does not answer in time.
    pub fn run(&mut self) -> Result<()> {
        fs::create_dir_all(&self.state)?;
        let log = self.log();
        let file = File::options().create(true).append(true).open(&log)?;
        let mut command = self.dev(&["--port", &self.port.to_string()]);
        if let Some(Cluster { kubeconfig, host, image }) = &self.cluster {
            command.arg("--kubeconfig").arg(kubeconfig);
            command.args(["--enrolment-address", host, "--node-image", image]);
            command.args(["--node-address", host]);
        }
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let mut dev = command.spawn().context("starting hansa dev")?;
        let started = eventually("the control plane answers", DEADLINE, || {
            if let Some(ended) = dev.try_wait()? {
                return Ok(Some(Err(ended)));
            }
            Ok((Said::of(&mut self.dev(&["status"]))?.code == Some(0)).then_some(Ok(())))
        })?;
        if let Err(ended) = started {
            let text = fs::read_to_string(&log).unwrap_or_default();
            bail!("hansa dev ended: {ended}\n{text}");
        }
        self.dev = Some(dev);
        Ok(())
    }

    /// The log of `hansa dev`.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.state.with_extension("log")
    }

    /// Walks the main job to its end.
    ///
    /// # Errors
    /// When it is not walked.
    pub fn walk(&self) -> Result<String> {
        let words: &[&str] =
            if self.cluster.is_some() { &["demo", "--runtime", CLUSTER] } else { &["demo"] };
        Said::of(&mut self.dev(words))?.well()
    }

    /// Kills the control plane's process without a word.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let mut dev = self.dev.take().context("the control plane does not run")?;
        dev.kill()?;
        dev.wait()?;
        Ok(())
    }

    /// What `dev.json` says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(&self) -> Result<Value> {
        let path = self.state.join("dev.json");
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// A text of `dev.json`, by its JSON pointer.
    ///
    /// # Errors
    /// When it is not there.
    pub fn text(&self, pointer: &str) -> Result<String> {
        let file = self.file()?;
        let found = file.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).with_context(|| format!("dev.json has no {pointer}"))
    }

    /// `hansa …` as a tenant, to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn cli(&self, tenant: &str, words: &[&str]) -> Result<Said> {
        Said::of(&mut self.command(tenant, words)?)
    }

    /// `hansa …` as a tenant.
    ///
    /// # Errors
    /// When `dev.json` does not know the tenant.
    pub fn command(&self, tenant: &str, words: &[&str]) -> Result<Command> {
        let mut command = self.hansa();
        command
            .args(words)
            .env("HANSA_API", self.text("/api")?)
            .env("HANSA_TOKEN", self.text(&format!("/api_keys/{tenant}"))?);
        if let Ok(key) = self.text(&format!("/keys/{tenant}")) {
            command.env("HANSA_KEY", key);
        }
        Ok(command)
    }

    /// Waits until every node of the demo agrees.
    ///
    /// # Errors
    /// When they do not in time.
    pub fn agree(&self) -> Result<()> {
        eventually("all nodes agree", DEADLINE, || {
            let ledger = self.ledger()?;
            Ok((ledger["health"]["state"] == "agreeing").then_some(()))
        })
    }

    /// The demo's ledger, as the API tells of it to alpha.
    ///
    /// # Errors
    /// When it does not.
    pub fn ledger(&self) -> Result<Value> {
        self.cli("alpha", &["ledger", "get", "demo/main", "-o", "json"])?.json()
    }

    /// A node of the demo, as the API tells of it to its own member.
    ///
    /// # Errors
    /// When it does not.
    pub fn node(&self, name: &str) -> Result<Value> {
        let path = format!("demo/main/{name}");
        self.cli(member(name), &["node", "get", &path, "-o", "json"])?.json()
    }

    /// Process id of a node of the demo.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self, node: &str) -> Result<i32> {
        let found = self.node(node)?;
        let pid = found["private"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        pid.with_context(|| format!("{node} has no process"))
    }

    /// What the API says of each node's health, in order of their names.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn health(&self) -> Result<Vec<(String, String)>> {
        let nodes = self.cli("alpha", &["node", "list", "demo/main", "-o", "json"])?.json()?;
        let nodes = nodes.as_array().context("a list")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> =
            nodes.iter().map(|node| (text(&node["name"]), text(&node["health"]))).collect();
        found.sort();
        Ok(found)
    }
}

/// Whose a node of the demo is.
#[must_use]
pub fn member(node: &str) -> &'static str {
    if node.starts_with('a') { "alpha" } else { "beta" }
}

/// Sends a signal to a process.
///
/// # Errors
/// When there is none.
pub fn signal(pid: i32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(pid).context("a process id")?;
    kill_process(pid, signal).with_context(|| format!("signalling {pid:?}"))
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = Said::of(&mut self.dev(&["stop"]));
        if let Some(mut dev) = self.dev.take() {
            let _ = dev.kill();
            let _ = dev.wait();
        }
        let _ = fs::remove_dir_all(&self.state);
        let _ = fs::remove_file(self.log());
    }
}

/// Processes that hang until this is dropped.
#[derive(Debug)]
pub struct Hung(Vec<i32>);

impl Hung {
    /// Stops them.
    ///
    /// # Errors
    /// When one is not there.
    pub fn new(pids: &[i32]) -> Result<Self> {
        let hung = Self(pids.to_vec());
        pids.iter().try_for_each(|pid| signal(*pid, Signal::STOP))?;
        Ok(hung)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = signal(*pid, Signal::CONT);
        }
    }
}
