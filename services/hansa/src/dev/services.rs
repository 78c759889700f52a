//! The services of a control plane in one process, beside its vault and its database.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use axum::Router;
use hansa_clients::{HttpNodes, Vault};
use hansa_control::{ControlPlane, Fleet};
use hansa_core::SystemClock;
use hansa_postgres::{Cluster, ClusterConfig, Installation, Login};
use hansa_runtime_process::{ProcessRuntime, ProcessRuntimeConfig};
use hansa_store::{OWNER_ROLE, Pools, ROLES_SQL, Store, migrate};
use hansa_telemetry::Shutdown;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    folder::{Folder, write_private},
    vault_process::VaultProcess,
};
use crate::assembly::{
    ApiParts, ApiService, ControllerParts, ControllerService, DRAIN_TIME_MAX, KubeClusters,
    Metrics, TlsFiles, serve, serve_tls,
};

const DATABASE: &str = "hansa";
const MIGRATE: Login = Login { role: "hansa_migrate_login", group: OWNER_ROLE };
const API: Login = Login { role: "hansa_api_login", group: "hansa_api" };
const IDENTITY: Login = Login { role: "hansa_identity_login", group: "hansa_identity" };
const CONTROLLER: Login = Login { role: "hansa_controller_login", group: "hansa_controller" };
const VAULT: Login = Login { role: "hansa_vault_login", group: "hansa_vault" };

/// How long the process may take to end.
const END_TIME_MAX: Duration = Duration::from_secs(20);
/// Ports of one installation's nodes: below the range of outgoing connections, and apart from the
/// ones of an installation on the next port.
const NODE_PORTS: u16 = 200;

/// What runs.
pub(crate) struct Running {
    pub(crate) control: Arc<ControlPlane>,
    pub(crate) database_url: String,
    router: Router,
    metrics: Metrics,
    shutdown: Shutdown,
    stores: Vec<Store>,
    tasks: Vec<JoinHandle<()>>,
}

/// What differs from one development control plane to another.
pub(crate) struct Parts {
    /// Of the API.
    pub(crate) port: u16,
    /// Where nodes enrol that do not run on this machine.
    pub(crate) enrolment: Option<Enrolment>,
    pub(crate) node_program: Option<PathBuf>,
    /// How peers in other places reach this machine.
    pub(crate) node_address: Option<IpAddr>,
    pub(crate) console: Option<PathBuf>,
}

/// An address that nodes in a cluster reach.
pub(crate) struct Enrolment {
    pub(crate) url: String,
    /// What its certificate chains to, PEM.
    pub(crate) authority: String,
}

/// Starts everything but the HTTP server.
pub(crate) async fn start(folder: &Folder, parts: Parts, shutdown: Shutdown) -> Result<Running> {
    let Parts { port, enrolment, node_program, node_address, console } = parts;
    let cluster = database(folder).await?;
    let vault = vault(folder, &cluster, &shutdown).await?;
    let runtime_config = ProcessRuntimeConfig {
        program: node_program.map_or_else(beside_us, Ok)?,
        folder: folder.join("runtime"),
        ports: node_ports(port),
        host: node_address.map(|address| address.to_string()),
        clock: Arc::new(SystemClock),
    };
    let (runtime, supervised) =
        ProcessRuntime::open(runtime_config).context("opening the folder of the nodes")?;
    let nodes = Arc::new(HttpNodes::default());
    let (cluster_url, enrolment_authority) =
        enrolment.map(|enrolment| (enrolment.url, enrolment.authority)).unzip();
    let clusters = KubeClusters { enrolment_url: cluster_url.clone(), enrolment_authority };
    let fleet = Fleet::new(Some(runtime), Arc::new(clusters));
    let login = |login| cluster.login(login, DATABASE);
    let metrics = Metrics::new()?;
    let origin = |host| format!("http://{host}:{port}");
    let parts = ApiParts {
        database: Pools { tenant: login(API), system: login(IDENTITY) },
        credential_key: folder.secret("credential.key")?,
        page_key: folder.secret("page.key")?,
        vault: vault.clone(),
        nodes: nodes.clone(),
        public_url: origin("127.0.0.1"),
        origins: ["localhost", "127.0.0.1"].map(origin).to_vec(),
        console,
    };
    let api = ApiService::assemble(parts, &metrics)?;
    let parts = ControllerParts {
        database: Pools { tenant: login(API), system: login(CONTROLLER) },
        credential_key: folder.secret("credential.key")?,
        vault,
        nodes,
        fleet,
        enrolment_url: origin("127.0.0.1"),
        cluster_enrolment_url: cluster_url,
    };
    let ControllerService { controller, store } = ControllerService::assemble(parts, &metrics)?;
    let tasks = vec![
        tokio::spawn(api.follower),
        tokio::spawn(supervised),
        tokio::spawn(async move { controller.run().await }),
    ];
    Ok(Running {
        router: api.router,
        control: api.control,
        database_url: url(&cluster.superuser(DATABASE)),
        metrics,
        shutdown,
        stores: vec![api.store, store],
        tasks,
    })
}

impl Running {
    /// Answers until the shutdown, and then for as long as open requests may take.
    pub(crate) fn serve(
        &mut self,
        listener: TcpListener,
        measured: TcpListener,
    ) -> impl Future<Output = ()> + use<> {
        let metrics = self.metrics.clone().serve(measured, self.shutdown.clone());
        self.tasks.push(tokio::spawn(metrics));
        serve(self.router.clone(), listener, self.shutdown.clone())
    }

    /// Answers nodes that enrol from a cluster.
    pub(crate) fn serve_enrolment(&mut self, listener: TcpListener, files: TlsFiles) -> Result<()> {
        let served = serve_tls(self.router.clone(), listener, files, self.shutdown.clone())?;
        self.tasks.push(tokio::spawn(served));
        Ok(())
    }

    /// Ends what is left.
    pub(crate) async fn end(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
        for store in &self.stores {
            // Connections that do not close in time end with the process.
            let _ = tokio::time::timeout(DRAIN_TIME_MAX, store.close()).await;
        }
    }
}

async fn database(folder: &Folder) -> Result<Cluster> {
    let (cluster, _) = Cluster::ensure(ClusterConfig::debian(folder.join("postgres"))).await?;
    let logins = [MIGRATE, API, IDENTITY, CONTROLLER, VAULT];
    let installation =
        Installation { roles: ROLES_SQL, logins: &logins, database: DATABASE, owner: OWNER_ROLE };
    cluster.install(&installation).await?;
    migrate(cluster.login(MIGRATE, DATABASE)).await?;
    Ok(cluster)
}

async fn vault(folder: &Folder, cluster: &Cluster, shutdown: &Shutdown) -> Result<Arc<dyn Vault>> {
    let process = VaultProcess {
        database: folder.join("vault/database"),
        root_key: folder.join("vault/root.key"),
        socket: folder.join("vault/socket"),
    };
    write_private(&process.database, url(&cluster.login(VAULT, DATABASE)).as_bytes())?;
    Ok(Arc::new(process.start(shutdown.clone()).await?))
}

fn url(options: &PgConnectOptions) -> String {
    options.to_url_lossy().to_string()
}

fn beside_us() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("hansa-node"))
}

fn node_ports(port: u16) -> std::ops::Range<u16> {
    let first = 10_000 + port % 100 * NODE_PORTS;
    first..first + NODE_PORTS
}

/// Ends a control plane from outside: its process, its nodes, its database.
pub(crate) async fn stop(folder: &Folder) -> Result<()> {
    if let Some(pid) = folder.holder()?.and_then(Pid::from_raw) {
        kill_process(pid, Signal::TERM).context("ending the control plane")?;
        let gone = async {
            while folder.holder().is_ok_and(|holder| holder.is_some()) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(END_TIME_MAX, gone).await.context("it does not end")?;
    }
    let nodes = hansa_runtime_process::end_all(&folder.join("runtime")).await?;
    if folder.join("postgres/data").exists() {
        let config = ClusterConfig::debian(folder.join("postgres"));
        let (cluster, _) = Cluster::ensure(config).await?;
        cluster.stop().await?;
    }
    println!("ended: the control plane, {nodes} nodes, the database; all state is kept");
    Ok(())
}
