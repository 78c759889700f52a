//! `STATE/dev.json`: what somebody needs to try the control plane.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::cli::Output;

use super::{
    folder::{Folder, write_private},
    tenants::{self, MEMBERS, PLATFORM, Secrets, TENANTS},
};

/// How long the control plane may take to say that it is ready.
const READY_TIME_MAX: Duration = Duration::from_secs(5);

/// The file, mode 0600: it holds credentials.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DevFile {
    /// Address of the API.
    pub(crate) api: String,
    /// Address of the console.
    pub(crate) console: String,
    /// What Prometheus reads: the API and the controller together.
    #[serde(default)]
    pub(crate) metrics: String,
    /// The database, as the role that made it.
    pub(crate) database_url: String,
    /// Who can sign in.
    pub(crate) users: Vec<DevUser>,
    /// By tenant.
    pub(crate) api_keys: BTreeMap<String, String>,
    /// Files of the members' ledger administrator keys.
    pub(crate) keys: BTreeMap<String, PathBuf>,
    /// The walked main job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) demo: Option<Demo>,
}

/// Where a control plane answers on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) api: u16,
    pub(crate) metrics: u16,
}

/// What the walked main job has made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Demo {
    pub(crate) consortium: String,
    pub(crate) ledger: String,
    /// The authority that the nodes' certificates chain to.
    pub(crate) ca: PathBuf,
    pub(crate) nodes: Vec<DemoNode>,
    /// The faults were tried too: they are not tried again.
    pub(crate) walked: bool,
}

/// A node of the demo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DemoNode {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) member: String,
    pub(crate) pid: Option<u64>,
    pub(crate) data_dir: PathBuf,
    pub(crate) http: String,
    pub(crate) metrics: String,
}

/// Somebody who can sign in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DevUser {
    pub(crate) tenant: String,
    pub(crate) email: String,
    pub(crate) password: String,
}

impl DevFile {
    /// What a control plane that has started says; the demo stays as it was walked.
    pub(crate) fn new(
        folder: &Folder,
        ports: Ports,
        database_url: String,
        secrets: &Secrets,
    ) -> Self {
        let Ports { api: port, metrics } = ports;
        let user = |tenant: &&str| DevUser {
            tenant: (*tenant).to_owned(),
            email: tenants::email(tenant),
            password: secrets.passwords.get(*tenant).cloned().unwrap_or_default(),
        };
        let key = |member: &&str| ((*member).to_owned(), tenants::key_path(folder, member));
        Self {
            api: format!("http://127.0.0.1:{port}"),
            // Browsers keep secure cookies for this name without TLS.
            console: format!("http://localhost:{port}"),
            metrics: format!("http://127.0.0.1:{metrics}/metrics"),
            database_url,
            users: TENANTS.iter().chain([&PLATFORM]).map(user).collect(),
            api_keys: secrets.api_keys.clone(),
            keys: MEMBERS.iter().map(key).collect(),
            demo: Self::read(folder).ok().and_then(|before| before.demo),
        }
    }

    pub(crate) fn read(folder: &Folder) -> Result<Self> {
        let path = folder.join("dev.json");
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
    }

    pub(crate) fn write(&self, folder: &Folder) -> Result<()> {
        write_private(&folder.join("dev.json"), &serde_json::to_vec_pretty(self)?)
    }

    /// For people.
    pub(crate) fn summary(&self) -> String {
        let mut text = format!(
            "console  {}\napi      {}\nmetrics  {}\n",
            self.console, self.api, self.metrics
        );
        for DevUser { tenant, email, password } in &self.users {
            text += &format!("sign in  tenant {tenant}, {email}, password {password}\n");
        }
        text
    }
}

/// `hansa dev status`.
pub(crate) async fn print(folder: &Folder, form: Output) -> Result<()> {
    if folder.holder()?.is_none() {
        bail!("nothing runs in {}", folder.path().display());
    }
    let file = DevFile::read(folder)?;
    let client = reqwest::Client::builder().no_proxy().timeout(READY_TIME_MAX).build()?;
    let answer = client.get(format!("{}/readyz", file.api)).send().await;
    ensure!(answer.is_ok_and(|answer| answer.status().is_success()), "it has not started yet");
    match form {
        Output::Json => println!("{}", serde_json::to_string_pretty(&file)?),
        Output::Yaml => print!("{}", serde_norway::to_string(&file)?),
        Output::Table | Output::Name => print!("{}", file.summary()),
    }
    Ok(())
}
