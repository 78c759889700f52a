//! `hansa controller`.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hansa_clients::{HttpNodes, HttpVault};
use hansa_control::Fleet;
use hansa_core::SystemClock;
use hansa_runtime::Runtime;
use hansa_runtime_process::{ProcessRuntime, ProcessRuntimeConfig};
use hansa_telemetry::Shutdown;
use hansa_types::Host;
use serde::Deserialize;

use super::config::{self, DatabaseConfig, VaultConfig, key, public_url};
use crate::assembly::{
    ControllerParts, ControllerService, DRAIN_TIME_MAX, KubeClusters, Metrics, bind,
};

/// Ports that one node listens on.
const PORTS_PER_NODE: u16 = 3;

/// Make nodes, ledgers and operations as they should be.
#[derive(Debug, Args)]
pub(crate) struct Controller {
    /// Its file; docs/howto/run-in-production.md explains it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// `controller.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControllerConfig {
    /// Where Prometheus is answered.
    #[serde(default = "default_metrics")]
    metrics: SocketAddr,
    /// Where nodes enrol: an address of the API that they reach.
    enrolment_url: String,
    /// Authorities that the certificate of that address chains to, for nodes in clusters; none when
    /// they are public ones.
    enrolment_authority: Option<PathBuf>,
    database: DatabaseConfig,
    #[serde(default)]
    vault: VaultConfig,
    secrets: Secrets,
    #[serde(default)]
    runtime: RuntimeConfig,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    /// The same as the API's: tokens are made here and checked there.
    credential_key: PathBuf,
}

/// Where nodes run besides the clusters that are registered.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuntimeConfig {
    /// None where nodes run in clusters only.
    process: Option<ProcessConfig>,
}

/// Nodes as processes of this machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProcessConfig {
    /// Everything of the nodes, their volumes too.
    folder: PathBuf,
    /// The program of nodes; by default `hansa-node` beside this one.
    program: Option<PathBuf>,
    /// A name or an address that peers and clients elsewhere reach this machine by; nodes are reached on
    /// this machine only without it.
    host: Option<Host>,
    /// The first port of nodes. Keep them below the range of outgoing connections.
    first_port: u16,
    /// How many: three a node.
    ports: u16,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        let folder = "/var/lib/hansa/runtime".into();
        Self { folder, program: None, host: None, first_port: 10_000, ports: 600 }
    }
}

impl ProcessConfig {
    fn range(&self) -> Result<Range<u16>> {
        let end = self.first_port.checked_add(self.ports).filter(|_| self.first_port >= 1_024);
        let end = end.context(
            "runtime.process.first_port and runtime.process.ports leave the range of ports",
        )?;
        ensure!(
            self.ports >= PORTS_PER_NODE,
            "runtime.process.ports: a node needs {PORTS_PER_NODE}"
        );
        Ok(self.first_port..end)
    }

    fn program(&self) -> Result<PathBuf> {
        let beside = || Ok(std::env::current_exe()?.with_file_name("hansa-node"));
        let program = self.program.clone().map_or_else(beside, Ok::<_, std::io::Error>)?;
        let found = program.is_file();
        ensure!(found, "{} is not there: name it with runtime.process.program", program.display());
        Ok(program)
    }

    /// One controller for one folder: two would start every node twice.
    fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.folder).with_context(|| self.folder.display().to_string())?;
        let path = self.folder.join("lock");
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.with_context(|| path.display().to_string())?;
        ensure!(file.try_lock().is_ok(), "another controller uses {}", self.folder.display());
        Ok(file)
    }
}

const fn default_metrics() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8_082)
}

impl ControllerConfig {
    pub(super) fn read(path: &Path) -> Result<Self> {
        config::read(path)
    }

    /// Reads everything that the file names, and starts nothing.
    pub(super) fn check(self) -> Result<()> {
        if let Some(process) = &self.runtime.process {
            process.range()?;
            process.program()?;
        }
        self.authority()?;
        self.shared().map(drop)
    }

    /// The authorities of the enrolment's address.
    fn authority(&self) -> Result<Option<String>> {
        let read =
            |path: &PathBuf| fs::read_to_string(path).with_context(|| path.display().to_string());
        self.enrolment_authority.as_ref().map(read).transpose()
    }

    /// What does not depend on the runtime.
    fn shared(&self) -> Result<Shared> {
        let Self {
            metrics: _,
            enrolment_url,
            enrolment_authority: _,
            database,
            vault,
            secrets,
            runtime: _,
        } = self;
        Ok(Shared {
            database: database.pools("hansa_api_login", "hansa_controller_login")?,
            credential_key: key(&secrets.credential_key)?,
            vault: Arc::new(HttpVault::new(&vault.socket).context("vault.socket")?),
            enrolment_url: public_url("enrolment_url", enrolment_url)?,
        })
    }
}

struct Shared {
    database: hansa_store::Pools,
    credential_key: hansa_core::Secret,
    vault: Arc<HttpVault>,
    enrolment_url: String,
}

impl Controller {
    pub(crate) async fn run(self) -> Result<()> {
        let config = ControllerConfig::read(&self.config)?;
        let measured = bind(config.metrics, "metrics").await?;
        let Shared { database, credential_key, vault, enrolment_url } = config.shared()?;
        let mut process = None;
        let mut supervised = None;
        let mut _lock = None;
        if let Some(configured) = &config.runtime.process {
            _lock = Some(configured.lock()?);
            let (runtime, supervising) = ProcessRuntime::open(ProcessRuntimeConfig {
                program: configured.program()?,
                folder: configured.folder.clone(),
                ports: configured.range()?,
                host: configured.host.as_ref().map(|host| host.as_str().to_owned()),
                clock: Arc::new(SystemClock),
            })
            .context("opening the folder of the nodes")?;
            process = Some(runtime as Arc<dyn Runtime>);
            supervised = Some(tokio::spawn(supervising));
        }
        let clusters = KubeClusters {
            enrolment_url: Some(enrolment_url.clone()),
            enrolment_authority: config.authority()?,
        };
        let fleet = Fleet::new(process, Arc::new(clusters));
        let metrics = Metrics::new()?;
        let nodes = Arc::new(HttpNodes::default());
        let parts = ControllerParts {
            database,
            credential_key,
            vault,
            nodes,
            fleet,
            enrolment_url,
            cluster_enrolment_url: None,
        };
        let ControllerService { controller, store } = ControllerService::assemble(parts, &metrics)?;
        let (ender, shutdown) = Shutdown::new();
        let metrics = tokio::spawn(metrics.serve(measured, shutdown));
        tracing::info!("the controller looks");
        tokio::select! {
            () = controller.run() => {}
            terminated = hansa_telemetry::terminated() => terminated?,
        }
        // What was under way is dropped: every step may be cut anywhere, and the next controller
        // goes on. Nodes outlive this one.
        ender.end();
        if let Some(supervised) = supervised {
            supervised.abort();
        }
        metrics.abort();
        let _ = tokio::time::timeout(DRAIN_TIME_MAX, store.close()).await;
        Ok(())
    }
}
