//! The configuration file that a node is started with.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use hansa_core::{NodeId, Secret, TenantId};
use serde::Serialize;

use crate::record::Record;

/// `node.toml`, in the form that `hansa-node` reads.
#[derive(Serialize)]
struct NodeConfig {
    data: PathBuf,
    genesis: PathBuf,
    consensus_key: PathBuf,
    tls_key: PathBuf,
    tls_certificate: PathBuf,
    p2p: String,
    http: String,
    metrics: String,
    enrolment: Enrolment,
}

#[derive(Serialize)]
struct Enrolment {
    url: String,
    tenant: TenantId,
    node: NodeId,
    token: PathBuf,
}

/// Writes the configuration into the workload's folder.
pub(crate) fn write(record: &Record, folder: &Path) -> io::Result<()> {
    let local = |port: u16| format!("127.0.0.1:{port}");
    let config = NodeConfig {
        data: folder.join("data"),
        genesis: folder.join("genesis.json"),
        consensus_key: folder.join("consensus.key"),
        tls_key: folder.join("tls.key"),
        tls_certificate: folder.join("tls.pem"),
        p2p: local(record.ports.p2p),
        http: local(record.ports.http),
        metrics: local(record.ports.metrics),
        enrolment: Enrolment {
            url: record.enrolment_url.clone(),
            tenant: record.tenant,
            node: record.node,
            token: token_path(folder),
        },
    };
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
