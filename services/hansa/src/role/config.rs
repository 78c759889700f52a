//! What the files of the roles have in common, and `hansa config check`.
//!
//! One TOML file a role. A key that nobody knows is refused, every key that can have a default has
//! one here, and secrets are paths of files that others cannot read, never values.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use hansa_core::Secret;
use hansa_store::Pools;
use serde::{Deserialize, de::DeserializeOwned};
use sqlx::postgres::PgConnectOptions;

use super::{api::ApiConfig, controller::ControllerConfig, private_text};

/// Bytes of a key that hashes or seals.
const KEY_BYTES_MIN: usize = 32;

/// Look at configuration files.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Read a role's file and everything that it names, and start nothing.
    Check {
        /// Whose file it is.
        role: ConfiguredRole,
        /// The file.
        file: PathBuf,
    },
}

/// The roles that have a file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ConfiguredRole {
    Api,
    Controller,
}

impl Config {
    pub(crate) fn run(self) -> Result<()> {
        let Verb::Check { role, file } = self.verb;
        match role {
            ConfiguredRole::Api => ApiConfig::read(&file)?.check()?,
            ConfiguredRole::Controller => ControllerConfig::read(&file)?.check()?,
        }
        println!("{} is as it should be", file.display());
        Ok(())
    }
}

/// Reads a role's file.
///
/// # Errors
/// Naming the file, the line and the key.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// How a role reaches the database: one server, two logins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatabaseConfig {
    /// Where it is, without user and password.
    url: String,
    /// For one tenant's rows at a time.
    #[serde(default)]
    tenant: LoginConfig,
    /// For what crosses tenants.
    #[serde(default)]
    system: LoginConfig,
}

/// One login.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginConfig {
    user: Option<String>,
    /// None where the server knows its clients otherwise, as on a unix socket with `peer`.
    password_file: Option<PathBuf>,
}

impl DatabaseConfig {
    /// The logins, by default with the names that the how-to gives them.
    ///
    /// # Errors
    /// For an address that is none or holds a user, and for a password that others can read.
    pub(super) fn pools(&self, tenant: &str, system: &str) -> Result<Pools> {
        let Self { url, tenant: tenant_login, system: system_login } = self;
        let place = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let authority = place.split(['/', '?']).next().unwrap_or_default();
        let secret = authority.contains('@') || url.contains("password=");
        ensure!(
            !secret,
            "database.url holds a user: name it with database.*.user, and its \
             password with database.*.password_file"
        );
        // The library reads any scheme.
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let server = PgConnectOptions::from_str(url)
            .ok()
            .filter(|_| is_postgres)
            .context("database.url is no postgres:// address")?;
        Ok(Pools {
            tenant: tenant_login.options(server.clone(), tenant)?,
            system: system_login.options(server, system)?,
        })
    }
}

impl LoginConfig {
    fn options(&self, server: PgConnectOptions, user: &str) -> Result<PgConnectOptions> {
        let options = server.username(self.user.as_deref().unwrap_or(user));
        match &self.password_file {
            Some(path) => Ok(options.password(private_text(path)?.trim())),
            None => Ok(options),
        }
    }
}

/// Where the vault answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VaultConfig {
    #[serde(default = "VaultConfig::default_socket")]
    pub(super) socket: PathBuf,
}

impl VaultConfig {
    fn default_socket() -> PathBuf {
        "/run/hansa/vault.sock".into()
    }
}

impl Default for VaultConfig {
    fn default() -> Self {
        Self { socket: Self::default_socket() }
    }
}

/// A key from a file that others cannot read.
pub(super) fn key(path: &Path) -> Result<Secret> {
    let text = private_text(path)?;
    let key = text.trim();
    ensure!(
        key.len() >= KEY_BYTES_MIN,
        "{} holds fewer than {KEY_BYTES_MIN} bytes: write one with `openssl rand -hex 32`",
        path.display()
    );
    Ok(Secret::from(key.to_owned()))
}

/// An address that others use to reach this installation.
pub(super) fn public_url(key: &str, url: &str) -> Result<String> {
    let parsed = reqwest::Url::parse(url).with_context(|| format!("{key} is no address"))?;
    let bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    ensure!(
        matches!(parsed.scheme(), "http" | "https") && bare && parsed.username().is_empty(),
        "{key} must be like https://hansa.example: scheme, host and port"
    );
    Ok(parsed.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn database(text: &str) -> Result<Pools> {
        let config: DatabaseConfig = toml::from_str(text)?;
        config.pools("hansa_api_login", "hansa_identity_login")
    }

    fn file(folder: &Path, mode: u32, text: &str) -> PathBuf {
        let path = folder.join("secret");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }

    /// A file that goes to a ticket or a repository must hold no password, and a name with a typing
    /// error must not fall back to a default.
    #[test]
    fn a_file_holds_no_secret_and_no_unknown_key() {
        for text in [
            "url = \"postgres://hansa:hunter2@db/hansa\"",
            "url = \"postgres://db/hansa?password=hunter2\"",
            "url = \"mysql://db/hansa\"",
            "url = \"postgres://db/hansa\"\n[tenant]\npasword_file = \"x\"",
        ] {
            let refused = database(text).expect_err("it must be refused");
            assert!(!format!("{refused:#}").contains("hunter2"), "a secret is shown: {text}");
        }
        let pools = database("url = \"postgres://db.example:5433/hansa\"").expect("an address");
        assert_eq!(pools.tenant.get_host(), "db.example");
        assert_eq!(pools.tenant.get_username(), "hansa_api_login");
        assert_eq!(pools.system.get_username(), "hansa_identity_login");
    }

    /// S-78: a secret that others can read, or a short one, ends the start with what to do.
    #[test]
    fn s78_a_secret_that_others_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = key(&file(folder.path(), 0o644, &"a".repeat(64))).expect_err("readable by all");
        assert!(open.to_string().contains("chmod 600"), "{open:#}");
        let short = key(&file(folder.path(), 0o600, "changeme")).expect_err("short");
        assert!(short.to_string().contains("openssl rand"), "{short:#}");
        key(&file(folder.path(), 0o600, &format!("{}\n", "a".repeat(64)))).expect("a key");
        key(&file(folder.path(), 0o440, &"a".repeat(64))).expect("mounted for a pod's group");
    }

    /// What tokens are issued for must be one text, however it was written.
    #[test]
    fn a_public_address_is_an_origin() {
        assert_eq!(
            public_url("k", "https://Hansa.example/").expect("one"),
            "https://hansa.example"
        );
        for bad in ["hansa.example", "ftp://h", "https://h/path", "https://u@h", "https://h?x"] {
            public_url("public_url", bad).expect_err(bad);
        }
    }
}
