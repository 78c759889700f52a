//! A cluster for one test process, and a database of its own for each test.

use std::{
    future::Future,
    io,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

use crate::{
    cluster::{Cluster, ClusterConfig, Durability, Installation, Login},
    error::ClusterError,
};

/// Database that is migrated once and copied for each test.
const TEMPLATE: &str = "hansa_template";

/// A cluster for one test process, held in a `static`. It starts with the first database that is
/// asked for, and ends with the process, however that ends.
#[derive(Debug)]
pub struct TestCluster {
    started: OnceCell<Started>,
    made: AtomicU32,
}

#[derive(Debug)]
struct Started {
    cluster: Cluster,
    // Its end of the pipe closes when this process ends: the guard then removes the cluster.
    _guard: Child,
}

/// One test's database.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    cluster: Cluster,
    name: String,
}

impl TestCluster {
    /// For a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self { started: OnceCell::const_new(), made: AtomicU32::new(0) }
    }

    /// A fresh copy of the migrated template. `owner` is the role that owns it, `prepare` makes the
    /// roles and migrates; it runs once for the process.
    ///
    /// # Panics
    /// When the cluster cannot be had: a test without its database is a failed test.
    pub async fn database<F>(
        &self,
        owner: &'static str,
        roles: &'static str,
        logins: &'static [Login],
        migrate: impl FnOnce(TestDatabase) -> F,
    ) -> TestDatabase
    where
        F: Future<Output = ()>,
    {
        let started = self
            .started
            .get_or_init(|| async {
                let started = start().await.expect("PostgreSQL 15 must be installed for tests");
                let cluster = started.cluster.clone();
                let installation = Installation { roles, logins, database: TEMPLATE, owner };
                cluster.install(&installation).await.expect("the template is made");
                migrate(TestDatabase { cluster, name: TEMPLATE.to_owned() }).await;
                started
            })
            .await;
        let cluster = started.cluster.clone();
        let name = format!("test_{}", self.made.fetch_add(1, Ordering::Relaxed));
        copy(&cluster, &name, owner).await.expect("the template can be copied");
        TestDatabase { cluster, name }
    }
}

impl Default for TestCluster {
    fn default() -> Self {
        Self::new()
    }
}

impl TestDatabase {
    /// How to reach it as a login role.
    #[must_use]
    pub fn login(&self, login: Login) -> PgConnectOptions {
        self.cluster.login(login, &self.name)
    }

    /// Runs a script in it as the superuser: damage, for tests that have no SQL of their own.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn run_script(&self, script: &str) {
        self.cluster.run_script(&self.name, script).await.expect("the script is right");
    }

    /// Ends its connections and refuses new ones, as a server that is gone would; other tests'
    /// databases are not touched.
    ///
    /// # Panics
    /// When the cluster does not answer.
    pub async fn lose(&self) {
        let name = &self.name;
        let script = format!(
            "ALTER DATABASE {name} CONNECTION LIMIT 0; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';"
        );
        self.cluster.run_script("postgres", &script).await.expect("the cluster answers");
    }

    /// Ends the server at once, as a crash would. Only in a cluster of the test's own.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn crash_server(&self) {
        self.cluster.crash().await.expect("the server ends");
    }

    /// Starts the server again.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn revive_server(&self) {
        self.cluster.revive().await.expect("the server starts");
    }

    /// How to reach it as the superuser: for checks of the catalogue and for damage.
    #[must_use]
    pub fn superuser(&self) -> PgConnectOptions {
        self.cluster.superuser(&self.name)
    }
}

async fn start() -> Result<Started, ClusterError> {
    let dir = tempfile::Builder::new()
        .prefix("hansa-pg-")
        .tempdir()
        .map_err(ClusterError::io("create", "a temporary folder"))?
        .keep();
    let config = ClusterConfig {
        durability: Durability::Volatile,
        connections_max: 300,
        ..ClusterConfig::debian(&dir)
    };
    // The guard comes first: a start that fails half way is removed too.
    let guard = guard(&config).map_err(ClusterError::io("start the guard of", &dir))?;
    let (cluster, _) = Cluster::ensure(config).await?;
    Ok(Started { cluster, _guard: guard })
}

/// A shell that waits for the end of its input, then ends the server and removes its folder. It
/// works when the tests are killed, too, which nothing inside the process can promise.
fn guard(config: &ClusterConfig) -> io::Result<Child> {
    const SCRIPT: &str = "cat >/dev/null; \
        pid=$(head -n 1 \"$1/data/postmaster.pid\" 2>/dev/null) && kill -QUIT \"$pid\" 2>/dev/null; \
        for _ in 1 2 3 4 5 6 7 8 9 10; do \
            kill -0 \"$pid\" 2>/dev/null || break; sleep 0.1; \
        done; \
        rm -rf \"$1\"";
    Command::new("setsid")
        .args(["sh", "-c", SCRIPT, "guard"])
        .arg(&config.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

async fn copy(cluster: &Cluster, name: &str, owner: &str) -> Result<(), ClusterError> {
    let mut connection = cluster
        .superuser("postgres")
        .connect()
        .await
        .map_err(ClusterError::database("a connection"))?;
    let create =
        format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {owner} STRATEGY file_copy");
    sqlx::query(AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .map_err(ClusterError::database("a copy of the template"))?;
    connection.close().await.map_err(ClusterError::database("to close"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Ensured;

    /// A restarted control plane must find its database running, and one that was ended must come
    /// back with its data; nothing of it may listen on a port.
    #[tokio::test]
    async fn a_cluster_is_started_once_then_adopted_and_survives_a_crash() {
        let dir = tempfile::Builder::new().prefix("hansa-pg-").tempdir().expect("a folder");
        let config = ClusterConfig {
            durability: Durability::Volatile,
            ..ClusterConfig::debian(dir.path().join("cluster"))
        };
        // The temporary folder is ours alone; the server's user must get through it.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))
            .expect("our own folder");
        let guard = guard(&config).expect("a shell");

        let (first, how) = Cluster::ensure(config.clone()).await.expect("it starts");
        assert_eq!(how, Ensured::Started);
        let owner = Login { role: "someone", group: "pg_monitor" };
        first.ensure_login(owner).await.expect("a login role");
        first.ensure_login(owner).await.expect("making it again changes nothing");
        first.ensure_database("kept", "someone").await.expect("a database");
        first.ensure_database("kept", "someone").await.expect("making it again changes nothing");

        let (second, how) = Cluster::ensure(config.clone()).await.expect("it is adopted");
        assert_eq!(how, Ensured::Adopted, "a running server must not be started again");
        let mut connection = second.login(owner, "kept").connect().await.expect("the login works");
        let ports: String = sqlx::query_scalar("SELECT current_setting('listen_addresses')")
            .fetch_one(&mut connection)
            .await
            .expect("a setting");
        assert_eq!(ports, "", "a private cluster must not listen on a port");

        second.crash().await.expect("it ends");
        let (third, how) = Cluster::ensure(config.clone()).await.expect("it starts again");
        assert_eq!(how, Ensured::Started);
        third.login(owner, "kept").connect().await.expect("the database is still there");
        third.stop().await.expect("it stops");
        drop(guard);
    }

    /// The error must say what to install, not that a file is missing.
    #[tokio::test]
    async fn a_missing_installation_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let config = ClusterConfig {
            binaries: dir.path().to_owned(),
            ..ClusterConfig::debian(dir.path().join("cluster"))
        };
        let error = Cluster::ensure(config).await.expect_err("there are no programs");
        assert!(error.to_string().contains("apt-get install postgresql-15"), "{error}");
    }

    /// A unix socket's path is short; the error must come before the server's obscure one.
    #[tokio::test]
    async fn a_path_that_is_too_long_is_named() {
        let dir = std::env::temp_dir().join("x".repeat(120));
        let error = Cluster::ensure(ClusterConfig::debian(dir)).await.expect_err("too long");
        assert!(matches!(error, ClusterError::PathTooLong { .. }), "{error}");
    }
}
