//! A cluster: a folder, a server process, login roles.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hansa_core::Secret;
use rustix::fs::{FlockOperation, flock};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::{
    binaries::{Binaries, PROGRAM_TIME_MAX},
    error::ClusterError,
    owner::Owner,
    password::Passwords,
};

/// Role that made the cluster. It is used to prepare databases and roles, never by a service.
const SUPERUSER: &str = "hansa_super";
/// A unix socket's path has at most this many bytes (`sun_path` with its end).
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// How long we wait for another process that prepares the same folder.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(120);
/// Between two looks at the lock.
const LOCK_LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether data must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It must.
    Durable,
    /// It need not: a test's data is worth nothing. A crash of the server alone still loses nothing.
    Volatile,
}

/// Where a cluster is and how it runs.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The installed programs, for example `/usr/lib/postgresql/15/bin`.
    pub binaries: PathBuf,
    /// Their major version.
    pub major: u16,
    /// The cluster's folder. It is made with mode 0700 and belongs to the server's user.
    pub dir: PathBuf,
    /// Whether data must survive a power cut.
    pub durability: Durability,
    /// Connections that the server accepts.
    pub connections_max: u16,
}

impl ClusterConfig {
    /// Debian's PostgreSQL 15 with a durable cluster in `dir`.
    #[must_use]
    pub fn debian(dir: impl Into<PathBuf>) -> Self {
        Self {
            binaries: PathBuf::from("/usr/lib/postgresql/15/bin"),
            major: 15,
            dir: dir.into(),
            durability: Durability::Durable,
            connections_max: 100,
        }
    }
}

/// How a running cluster was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It ran already and is the one in this folder.
    Adopted,
    /// It was started.
    Started,
}

/// A login role and the group role whose rights it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// Name to log in with.
    pub role: &'static str,
    /// Group role, made before by a script.
    pub group: &'static str,
}

/// A database and the roles around it.
#[derive(Clone, Copy, Debug)]
pub struct Installation<'a> {
    /// Script that makes the group roles.
    pub roles: &'a str,
    /// Roles to log in with.
    pub logins: &'a [Login],
    /// Name of the database.
    pub database: &'a str,
    /// Group role that owns it.
    pub owner: &'a str,
}

/// A running cluster. Dropping this leaves the server running: it is adopted later.
#[derive(Clone, Debug)]
pub struct Cluster {
    config: ClusterConfig,
    binaries: Binaries,
    passwords: Passwords,
}

impl Cluster {
    /// Makes sure that the folder holds a cluster and that it runs. Doing so again, also from
    /// another process at the same time, adopts the server that runs.
    ///
    /// # Errors
    /// When PostgreSQL is missing, the folder cannot be used, or the server does not start.
    pub async fn ensure(config: ClusterConfig) -> Result<(Self, Ensured), ClusterError> {
        let owner = Owner::find()?;
        let binaries = Binaries::find(&config.binaries, config.major, owner)?;
        let socket = config.dir.join("socket/.s.PGSQL.5432");
        if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(ClusterError::PathTooLong { path: socket });
        }
        make_dir(&config.dir, owner)?;
        make_dir(&config.dir.join("socket"), owner)?;
        make_dir(&config.dir.join("log"), owner)?;
        owner.check_reach(&config.dir)?;

        let lock = lock(&config.dir).await?;
        let password_file = config.dir.join("password");
        let passwords = if config.dir.join("data/PG_VERSION").exists() {
            check_version(&config)?;
            Passwords::read(&password_file)?
        } else {
            initialise(&config, &binaries, owner, &password_file).await?
        };
        let cluster = Self { config, binaries, passwords };
        let ensured = if cluster.is_running().await? {
            Ensured::Adopted
        } else {
            cluster.write_settings(owner)?;
            cluster.start().await?;
            Ensured::Started
        };
        cluster.check_identity().await?;
        drop(lock);
        tracing::info!(dir = %cluster.config.dir.display(), how = ?ensured, "private PostgreSQL runs");
        Ok((cluster, ensured))
    }

    /// The cluster's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.config.dir
    }

    /// How to reach a database as one of the login roles.
    #[must_use]
    pub fn login(&self, login: Login, database: &str) -> PgConnectOptions {
        self.options(login.role, database)
    }

    /// The password of one of the login roles, for a program that reaches the server in its own way.
    #[must_use]
    pub fn password(&self, login: Login) -> Secret {
        self.passwords.of(login.role)
    }

    /// How to reach a database as the role that made the cluster. Never for a service.
    #[must_use]
    pub fn superuser(&self, database: &str) -> PgConnectOptions {
        self.options(SUPERUSER, database)
    }

    /// Prepares a database and the roles around it; doing so again changes nothing. What is inside
    /// the database is left to whoever migrates it.
    ///
    /// # Errors
    /// When the server refuses a part of it.
    pub async fn install(&self, installation: &Installation<'_>) -> Result<(), ClusterError> {
        let Installation { roles, logins, database, owner } = installation;
        self.run_script("postgres", roles).await?;
        for login in *logins {
            self.ensure_login(*login).await?;
        }
        self.ensure_database(database, owner).await
    }

    /// Makes sure again that the server runs, after it ended or was ended.
    ///
    /// # Errors
    /// As [`Cluster::ensure`].
    pub async fn revive(&self) -> Result<Ensured, ClusterError> {
        Self::ensure(self.config.clone()).await.map(|(_, ensured)| ensured)
    }

    /// Runs a trusted SQL script in a database, as the role that made the cluster.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn run_script(&self, database: &str, script: &str) -> Result<(), ClusterError> {
        let mut connection = self.connect(database).await?;
        let ran = sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await;
        ran.map_err(ClusterError::database("a script"))?;
        connection.close().await.map_err(ClusterError::database("to close"))
    }

    /// Makes sure that a login role exists with its password and its group's rights.
    ///
    /// # Errors
    /// When the group does not exist.
    pub async fn ensure_login(&self, login: Login) -> Result<(), ClusterError> {
        let Login { role, group } = login;
        let password = self.passwords.of(role);
        let password = password.expose_text().expect("passwords are hexadecimal text");
        let script = format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN \
             CREATE ROLE {role} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE; END IF; END $$; \
             ALTER ROLE {role} LOGIN PASSWORD '{password}'; GRANT {group} TO {role};"
        );
        self.run_script("postgres", &script).await
    }

    /// Makes sure that a database exists and belongs to `owner`.
    ///
    /// # Errors
    /// When the owner does not exist.
    pub async fn ensure_database(&self, name: &str, owner: &str) -> Result<(), ClusterError> {
        let mut connection = self.connect("postgres").await?;
        let exists: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                .bind(name)
                .fetch_one(&mut connection)
                .await
                .map_err(ClusterError::database("a look at the databases"))?;
        if !exists {
            let create =
                format!("CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'");
            sqlx::query(AssertSqlSafe(create))
                .execute(&mut connection)
                .await
                .map_err(ClusterError::database("a new database"))?;
        }
        connection.close().await.map_err(ClusterError::database("to close"))
    }

    /// Stops the server, ending its connections.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop(&self) -> Result<(), ClusterError> {
        self.pg_ctl("stop", &["-m", "fast"]).await
    }

    /// Ends the server at once, as a crash would.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn crash(&self) -> Result<(), ClusterError> {
        self.pg_ctl("stop", &["-m", "immediate"]).await
    }

    fn options(&self, role: &str, database: &str) -> PgConnectOptions {
        let password = self.passwords.of(role);
        PgConnectOptions::new_without_pgpass()
            .socket(self.config.dir.join("socket"))
            .port(5432)
            .username(role)
            .password(password.expose_text().expect("passwords are hexadecimal text"))
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, ClusterError> {
        self.superuser(database).connect().await.map_err(ClusterError::database("a connection"))
    }

    /// Exit code 0 says that the process in `postmaster.pid` is alive and is a server, 3 that it is
    /// not; everything else is an error about the folder.
    async fn is_running(&self) -> Result<bool, ClusterError> {
        let data = self.config.dir.join("data");
        let arguments = [OsStr::new("status"), OsStr::new("-D"), data.as_os_str()];
        let ended = self.binaries.run("pg_ctl", arguments, &self.config.dir).await?;
        match ended.code {
            Some(0) => Ok(true),
            Some(3) => Ok(false),
            Some(_) | None => ended.check("pg_ctl").map(|()| false),
        }
    }

    async fn start(&self) -> Result<(), ClusterError> {
        let log = self.config.dir.join("log/start.log");
        let log = log.to_str().ok_or_else(|| ClusterError::Unreachable { path: log.clone() })?;
        self.pg_ctl("start", &["-l", log]).await
    }

    async fn pg_ctl(&self, verb: &str, more: &[&str]) -> Result<(), ClusterError> {
        let data = self.config.dir.join("data");
        let wait = PROGRAM_TIME_MAX.as_secs().saturating_sub(10).to_string();
        let arguments = [OsStr::new(verb), OsStr::new("-D"), data.as_os_str()]
            .into_iter()
            .chain(["-w", "-t", &wait].into_iter().map(OsStr::new))
            .chain(more.iter().map(OsStr::new));
        self.binaries.run("pg_ctl", arguments, &self.config.dir).await?.check("pg_ctl")
    }

    /// A server that answers is not yet ours: it must serve this folder.
    async fn check_identity(&self) -> Result<(), ClusterError> {
        let mut connection = self.connect("postgres").await?;
        let found: String = sqlx::query_scalar("SELECT current_setting('data_directory')")
            .fetch_one(&mut connection)
            .await
            .map_err(ClusterError::database("a look at its folder"))?;
        connection.close().await.map_err(ClusterError::database("to close"))?;
        let expected = self.config.dir.join("data");
        let same = fs::canonicalize(&found).ok() == fs::canonicalize(&expected).ok();
        if same { Ok(()) } else { Err(ClusterError::NotOurs { found, expected }) }
    }

    fn write_settings(&self, owner: Owner) -> Result<(), ClusterError> {
        let dir = &self.config.dir;
        let quoted = |path: PathBuf| path.display().to_string().replace('\'', "''");
        let durable = match self.config.durability {
            Durability::Durable => "on",
            Durability::Volatile => "off",
        };
        let settings = format!(
            "# Written at every start.\n\
             listen_addresses = ''\n\
             unix_socket_directories = '{socket}'\n\
             unix_socket_permissions = 0700\n\
             max_connections = {connections}\n\
             password_encryption = 'scram-sha-256'\n\
             fsync = {durable}\n\
             synchronous_commit = on\n\
             full_page_writes = {durable}\n\
             timezone = 'UTC'\n\
             log_timezone = 'UTC'\n\
             logging_collector = on\n\
             log_directory = '{log}'\n\
             log_filename = 'postgres-%a.log'\n\
             log_truncate_on_rotation = on\n\
             log_rotation_age = '1d'\n\
             log_min_messages = 'warning'\n\
             log_parameter_max_length_on_error = 0\n",
            socket = quoted(dir.join("socket")),
            log = quoted(dir.join("log")),
            connections = self.config.connections_max,
        );
        let path = dir.join("data/hansa.conf");
        fs::write(&path, settings).map_err(ClusterError::io("write", &path))?;
        owner.give(&path)
    }
}

fn make_dir(dir: &Path, owner: Owner) -> Result<(), ClusterError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(ClusterError::io("create", dir))?;
    owner.give(dir)
}

async fn lock(dir: &Path) -> Result<fs::File, ClusterError> {
    let path = dir.join("lock");
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(ClusterError::io("open", &path))?;
    let began = Instant::now();
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if began.elapsed() > LOCK_WAIT_MAX {
            let waited_s = LOCK_WAIT_MAX.as_secs();
            return Err(ClusterError::Locked { path: dir.to_owned(), waited_s });
        }
        tokio::time::sleep(LOCK_LOOK_EVERY).await;
    }
    Ok(file)
}

fn check_version(config: &ClusterConfig) -> Result<(), ClusterError> {
    let path = config.dir.join("data");
    let file = path.join("PG_VERSION");
    let found = fs::read_to_string(&file).map_err(ClusterError::io("read", &file))?;
    let found = found.trim().to_owned();
    if found == config.major.to_string() {
        Ok(())
    } else {
        Err(ClusterError::OtherVersion { path, found, installed: config.major })
    }
}

/// Makes the data folder under another name and moves it into place: half a cluster is never
/// mistaken for a whole one.
async fn initialise(
    config: &ClusterConfig,
    binaries: &Binaries,
    owner: Owner,
    password_file: &Path,
) -> Result<Passwords, ClusterError> {
    let (data, unfinished) = (config.dir.join("data"), config.dir.join("data.new"));
    for left_over in [&unfinished, &data] {
        if left_over.exists() {
            fs::remove_dir_all(left_over).map_err(ClusterError::io("remove", left_over))?;
        }
    }
    let passwords = match Passwords::read(password_file) {
        Ok(passwords) => passwords,
        Err(_) if !password_file.exists() => Passwords::create(password_file)?,
        Err(damaged) => return Err(damaged),
    };

    let for_initdb = tempfile::Builder::new()
        .prefix("password-")
        .tempfile_in(&config.dir)
        .map_err(ClusterError::io("create a file in", &config.dir))?;
    fs::write(for_initdb.path(), passwords.of(SUPERUSER).expose())
        .map_err(ClusterError::io("write", for_initdb.path()))?;
    owner.give(for_initdb.path())?;
    let arguments = [
        OsStr::new("--username"),
        OsStr::new(SUPERUSER),
        OsStr::new("--pwfile"),
        for_initdb.path().as_os_str(),
        OsStr::new("--auth=scram-sha-256"),
        OsStr::new("--encoding=UTF8"),
        OsStr::new("--locale=C"),
        OsStr::new("--no-instructions"),
        OsStr::new("-D"),
        unfinished.as_os_str(),
    ];
    let no_sync = (config.durability == Durability::Volatile).then_some(OsStr::new("--no-sync"));
    let arguments = arguments.into_iter().chain(no_sync);
    binaries.run("initdb", arguments, &config.dir).await?.check("initdb")?;

    let main = unfinished.join("postgresql.conf");
    let mut settings = fs::read_to_string(&main).map_err(ClusterError::io("read", &main))?;
    settings.push_str("\ninclude_if_exists = 'hansa.conf'\n");
    fs::write(&main, settings).map_err(ClusterError::io("write", &main))?;
    fs::rename(&unfinished, &data).map_err(ClusterError::io("move into place", &unfinished))?;
    Ok(passwords)
}
