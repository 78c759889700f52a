//! PostgreSQL on this machine, as the pods of a cluster reach one: over the network, with TLS.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
};

use anyhow::{Context as _, Result};
use hansa_postgres::{Cluster, ClusterConfig, Installation, Login};
use tokio::runtime::Runtime;

use crate::authority::Authority;

/// Its name.
const DATABASE: &str = "hansa";
/// The group that owns it.
const OWNER: &str = "hansa_owner";
/// Whom the documentation has made, without the endings of their names.
const LOGINS: [Login; 5] = [
    Login { role: "hansa_migrate_login", group: OWNER },
    Login { role: "hansa_api_login", group: "hansa_api" },
    Login { role: "hansa_identity_login", group: "hansa_identity" },
    Login { role: "hansa_controller_login", group: "hansa_controller" },
    Login { role: "hansa_vault_login", group: "hansa_vault" },
];

/// A server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Database {
    cluster: Cluster,
    address: String,
    runtime: Runtime,
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.cluster.stop());
    }
}

impl Database {
    /// Starts one in `folder` that listens at `address`, with a certificate of the authority.
    pub(crate) fn start(folder: &Path, address: &str, authority: &Authority) -> Result<Self> {
        let runtime = Runtime::new()?;
        let config = ClusterConfig::debian(folder);
        let (cluster, _) = runtime.block_on(Cluster::ensure(config))?;
        let database = Self { cluster, address: address.to_owned(), runtime };
        let data = folder.join("data");
        let (certificate, key) = authority.issue("database", &[format!("IP:{address}")])?;
        let owner = fs::metadata(&data)?;
        for (file, name) in [(certificate, "server.crt"), (key, "server.key")] {
            let own = data.join(name);
            fs::copy(&file, &own).with_context(|| file.display().to_string())?;
            fs::set_permissions(&own, Permissions::from_mode(0o600))?;
            chown(&own, Some(owner.uid()), Some(owner.gid()))?;
        }
        let mut rules = fs::File::options().append(true).open(data.join("pg_hba.conf"))?;
        writeln!(rules, "hostssl all all all scram-sha-256")?;
        database.install(&crate::installation::root()?)?;
        Ok(database)
    }

    fn install(&self, root: &Path) -> Result<()> {
        let roles = fs::read_to_string(root.join("migrations/bootstrap/roles.sql"))?;
        let installation =
            Installation { roles: &roles, logins: &LOGINS, database: DATABASE, owner: OWNER };
        let listen = format!("ALTER SYSTEM SET listen_addresses = '{}'", self.address);
        self.runtime.block_on(async {
            self.cluster.run_script("postgres", &listen).await?;
            self.cluster.run_script("postgres", "ALTER SYSTEM SET ssl = on").await?;
            self.cluster.stop().await?;
            self.cluster.revive().await?;
            self.cluster.install(&installation).await
        })?;
        Ok(())
    }

    /// Its address without anybody's name, as it is seen from a pod of the chart.
    pub(crate) fn url(&self) -> String {
        self.url_as("")
    }

    /// Its address for somebody, by the beginning of a login's name: `vault`.
    pub(crate) fn url_of(&self, whose: &str) -> Result<String> {
        let password = self.password(whose)?;
        Ok(self.url_as(&format!("{}:{password}@", login(whose)?.role)))
    }

    fn url_as(&self, whom: &str) -> String {
        let authority = "sslmode=verify-full&sslrootcert=/etc/hansa/database/ca.crt";
        format!("postgres://{whom}{}:5432/{DATABASE}?{authority}", self.address)
    }

    /// Somebody's password.
    pub(crate) fn password(&self, whose: &str) -> Result<String> {
        let password = self.cluster.password(login(whose)?);
        Ok(password.expose_text().context("passwords are text")?.to_owned())
    }
}

fn login(whose: &str) -> Result<Login> {
    let role = format!("hansa_{whose}_login");
    LOGINS.into_iter().find(|login| login.role == role).context(role)
}
