//! `hansa api`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use clap::Args;
use hansa_clients::{HttpNodes, HttpVault};
use hansa_telemetry::Shutdown;
use serde::Deserialize;

use super::config::{self, DatabaseConfig, VaultConfig, key, public_url};
use crate::assembly::{
    ApiParts, ApiService, DRAIN_TIME_MAX, Metrics, TlsFiles, bind, serve, serve_tls,
};

/// Answer the API, with the console beside it.
#[derive(Debug, Args)]
pub(crate) struct Api {
    /// Its file; docs/howto/run-in-production.md explains it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// `api.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiConfig {
    /// Where clients and nodes are answered.
    #[serde(default = "default_listen")]
    listen: SocketAddr,
    /// Where Prometheus is answered.
    #[serde(default = "default_metrics")]
    metrics: SocketAddr,
    /// The address that clients use, `https://hansa.example`.
    public_url: String,
    /// Further origins whose pages may use a session; the public address is one.
    #[serde(default)]
    origins: Vec<String>,
    /// Answers over TLS with these; none where a proxy does that.
    tls: Option<TlsFiles>,
    /// Folder of the built console; none for the API only.
    console: Option<PathBuf>,
    database: DatabaseConfig,
    #[serde(default)]
    vault: VaultConfig,
    secrets: Secrets,
}

/// Files of keys that every replica has alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    credential_key: PathBuf,
    page_key: PathBuf,
}

const fn default_listen() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8_080)
}

const fn default_metrics() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8_081)
}

impl ApiConfig {
    pub(super) fn read(path: &Path) -> Result<Self> {
        config::read(path)
    }

    /// Opens everything that the file names, and starts nothing.
    pub(super) fn check(self) -> Result<()> {
        self.tls.as_ref().map(TlsFiles::open).transpose()?;
        ApiService::assemble(self.parts()?, &Metrics::new()?).map(drop)
    }

    pub(super) fn parts(self) -> Result<ApiParts> {
        let Self {
            listen: _,
            metrics: _,
            public_url: url,
            origins,
            tls: _,
            console,
            database,
            vault,
            secrets,
        } = self;
        let Secrets { credential_key, page_key } = secrets;
        let url = public_url("public_url", &url)?;
        let mut allowed = vec![url.clone()];
        for origin in &origins {
            allowed.push(public_url("origins", origin)?);
        }
        Ok(ApiParts {
            database: database.pools("hansa_api_login", "hansa_identity_login")?,
            credential_key: key(&credential_key)?,
            page_key: key(&page_key)?,
            vault: Arc::new(HttpVault::new(&vault.socket).context("vault.socket")?),
            nodes: Arc::new(HttpNodes::default()),
            public_url: url,
            origins: allowed,
            console,
        })
    }
}

impl Api {
    pub(crate) async fn run(self) -> Result<()> {
        let config = ApiConfig::read(&self.config)?;
        let listener = bind(config.listen, "listen").await?;
        let measured = bind(config.metrics, "metrics").await?;
        let tls = config.tls.clone();
        let metrics = Metrics::new()?;
        let ApiService { control: _control, router, store, follower } =
            ApiService::assemble(config.parts()?, &metrics)?;
        let (ender, shutdown) = Shutdown::new();
        let follower = tokio::spawn(follower);
        let metrics = tokio::spawn(metrics.serve(measured, shutdown.clone()));
        tracing::info!(address = %listener.local_addr()?, "the API answers");
        let served = match tls {
            Some(files) => tokio::spawn(serve_tls(router, listener, files, shutdown)?),
            None => tokio::spawn(serve(router, listener, shutdown)),
        };
        hansa_telemetry::terminated().await?;
        ender.end();
        served.await?;
        follower.abort();
        metrics.abort();
        // Connections that do not close in time end with the process.
        let _ = tokio::time::timeout(DRAIN_TIME_MAX, store.close()).await;
        Ok(())
    }
}
