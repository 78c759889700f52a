//! `hansa dev`: a whole control plane on this machine, with three tenants to try it.

pub(crate) mod authority;
mod cluster;
mod demo;
pub(crate) mod folder;
mod services;
mod status;
mod tenants;
mod vault_process;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use anyhow::Result;
use clap::{Args, Subcommand};
use hansa_telemetry::Shutdown;
use tokio::net::TcpListener;

use crate::{assembly::bind, cli::Output};
use folder::{Folder, default_state};
use status::{DevFile, Ports};

/// How far the metrics are above the API.
const METRICS_ABOVE: u16 = 20_000;
/// Port of the API and the console unless asked otherwise.
const PORT: u16 = 8_080;

/// A whole control plane on this machine, with three tenants to try it.
///
/// Starts a private PostgreSQL, the vault, the API with the console, and the controller; adopts
/// what runs already in the same state folder. Ledger nodes outlive it. Ends at SIGTERM or Ctrl-C.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Everything that is kept: database, keys, nodes. [default: ~/.local/state/hansa, or
    /// /var/lib/hansa for root]
    #[arg(long, value_name = "DIR", global = true, env = "HANSA_STATE")]
    state: Option<PathBuf>,
    /// Port of the API and the console on this machine.
    #[arg(long, value_name = "N", default_value_t = PORT)]
    port: u16,
    /// Port of the metrics on this machine. [default: 20000 above --port, or any free one]
    #[arg(long, value_name = "N")]
    metrics_port: Option<u16>,
    /// The program of ledger nodes. [default: hansa-node beside this program]
    #[arg(long, value_name = "FILE")]
    node_program: Option<PathBuf>,
    /// An address of this machine that peers in other places reach nodes by, which run as processes here.
    #[arg(long, value_name = "IP")]
    node_address: Option<IpAddr>,
    /// Another address of this machine that nodes enrol at, over TLS: one that pods reach.
    #[arg(long, value_name = "IP", requires = "kubeconfig")]
    enrolment_address: Option<IpAddr>,
    /// Registers the cluster of this kubeconfig as `lab`, for nodes of the demo.
    #[arg(long, value_name = "FILE", requires_all = ["enrolment_address", "node_image"])]
    kubeconfig: Option<PathBuf>,
    /// The nodes' image in that cluster, by digest.
    #[arg(long, value_name = "IMAGE", requires = "kubeconfig")]
    node_image: Option<String>,
    /// Folder of the built console. Without it there is the API only.
    #[arg(long, value_name = "DIR")]
    console: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print addresses, credentials and keys (they are in STATE/dev.json).
    Status,
    /// Walk the main job on a control plane that runs: two members, four nodes, signed SQL, faults.
    ///
    /// Walking it again goes on where it was left.
    Demo {
        /// Where its nodes run: `process`, or a registered cluster's name.
        #[arg(long, value_name = "NAME", default_value = hansa_types::PROCESS)]
        runtime: String,
    },
    /// Measure launches on a control plane that runs.
    #[command(hide = true)]
    MeasureLaunches {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 10)]
        count: u16,
        /// Where the nodes run.
        #[arg(long, value_name = "NAME", default_value = hansa_types::PROCESS)]
        runtime: String,
    },
    /// End the control plane, its nodes and its database; everything is kept.
    Stop,
}

impl Dev {
    pub(crate) async fn run(self, output: Output) -> Result<()> {
        let state = self.state.clone().map_or_else(default_state, Ok)?;
        match &self.verb {
            Some(Verb::Status) => status::print(&Folder::open(&state)?, output).await,
            Some(Verb::Demo { runtime }) => demo::walk(&Folder::open(&state)?, runtime).await,
            Some(Verb::MeasureLaunches { count, runtime }) => {
                let found = demo::measure_launches(&Folder::open(&state)?, *count, runtime).await?;
                match output {
                    Output::Json => println!("{}", serde_json::to_string(&found)?),
                    Output::Table | Output::Yaml | Output::Name => println!("{}", found.row()),
                }
                Ok(())
            }
            Some(Verb::Stop) => services::stop(&Folder::open(&state)?).await,
            None => {
                hansa_telemetry::init();
                self.start(Folder::create(&state)?).await
            }
        }
    }

    async fn start(self, folder: Folder) -> Result<()> {
        let _lock = folder.lock()?;
        let (measured, metrics_port) = match self.metrics_port {
            Some(port) => (bind(local(port), "--metrics-port").await?, port),
            None => metrics_beside(self.port).await?,
        };
        let listener = bind(local(self.port), "--port").await?;
        let (ender, shutdown) = Shutdown::new();
        let mut enrolling = None;
        if let Some(address) = self.enrolment_address {
            let listener = bind(SocketAddr::new(address, self.port), "--port").await?;
            enrolling = Some((listener, authority::issue(&folder, address)?));
        }
        let parts = services::Parts {
            port: self.port,
            enrolment: enrolling.as_ref().map(|(_, issued)| services::Enrolment {
                url: format!("https://{}:{}", issued.address, self.port),
                authority: issued.authority.clone(),
            }),
            node_program: self.node_program,
            node_address: self.node_address,
            console: self.console,
        };
        let mut running = services::start(&folder, parts, shutdown).await?;
        let secrets = tenants::ensure(&folder, &running.control).await?;
        let ports = Ports { api: self.port, metrics: metrics_port };
        let file = DevFile::new(&folder, ports, running.database_url.clone(), &secrets);
        file.write(&folder)?;
        let cluster = (self.enrolment_address, &self.kubeconfig, &self.node_image);
        if let (Some(address), Some(kubeconfig), Some(image)) = cluster {
            let registered = cluster::Registered { kubeconfig, image, address };
            cluster::ensure(&running.control, &secrets, &registered).await?;
        }
        let served = tokio::spawn(running.serve(listener, measured));
        if let Some((listener, issued)) = enrolling {
            running.serve_enrolment(listener, issued.files)?;
        }
        println!("{}", file.summary());
        hansa_telemetry::terminated().await?;
        ender.end();
        served.await?;
        running.end().await;
        Ok(())
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A port far from where people put the API of a second installation; any free one where somebody
/// has it. `dev.json` says which it became.
async fn metrics_beside(port: u16) -> Result<(TcpListener, u16)> {
    let above = port.checked_add(METRICS_ABOVE).unwrap_or_default();
    let beside = bind(local(above), "--metrics-port").await;
    let listener = match beside {
        Ok(listener) => listener,
        Err(_) => bind(local(0), "--metrics-port").await?,
    };
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}
