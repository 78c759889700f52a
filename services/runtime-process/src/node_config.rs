//! The configuration file that a node is started with.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use hansa_core::Secret;
use hansa_runtime::{EnrolmentConfig, Listens, NodeConfig};

use crate::record::Record;

/// Writes the configuration into the workload's folder; whether others than this machine reach the node.
pub(crate) fn write(record: &Record, folder: &Path, is_reached: bool) -> io::Result<()> {
    let local = |port: u16| format!("127.0.0.1:{port}");
    let shown = |port: u16| if is_reached { format!("0.0.0.0:{port}") } else { local(port) };
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| io::Error::other("a path is no text"))
    };
    let listens = Listens {
        p2p: shown(record.ports.p2p),
        http: shown(record.ports.http),
        metrics: local(record.ports.metrics),
    };
    let enrolment = EnrolmentConfig {
        url: record.enrolment_url.clone(),
        ca: None,
        tenant: record.tenant,
        node: record.node,
        token: text(&token_path(folder))?,
    };
    let config = NodeConfig::new(&text(folder)?, listens, enrolment);
    let text = toml::to_string(&config).map_err(io::Error::other)?;
    fs::write(folder.join("node.toml"), text)
}

fn token_path(folder: &Path) -> PathBuf {
    folder.join("enrolment.token")
}

/// Gives the node its one-time token: in a file that only it reads, never in its arguments.
pub(crate) fn write_token(folder: &Path, token: &Secret) -> io::Result<()> {
    let path = token_path(folder);
    let temporary = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(token.expose())?;
    file.sync_all()?;
    fs::rename(temporary, path)
}
