//! A ledger from static files: for trying it out, for tests, for measuring.

use std::{fs, net::TcpListener, path::Path};

use anyhow::{Context as _, Result, ensure};
use ledger_client::create_key_file;
use ledger_types::{
    Digest, Endorsement, Genesis, LedgerId, Member, NodeId, Policy, Suite, Validator,
    genesis::Charter,
};
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    hash::MessageDigest,
    pkey::{PKey, Private},
    x509::{
        X509, X509NameBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName},
    },
};

use crate::{config::NodeConfig, net::now_ms, tls::key_digest};

/// How long the certificates of a local ledger last.
const CERTIFICATE_DAYS: u32 = 90;

/// Writes keys, certificates, a genesis and a configuration for each of `nodes` nodes below
/// `folder`: `admin.key`, `ca.pem`, `genesis.json`, and `node-N/node.toml`.
///
/// # Errors
/// When the folder is not empty or cannot be written, or the policy needs more nodes.
pub fn create(folder: &Path, nodes: u16, policy: Policy) -> Result<Vec<NodeConfig>> {
    fs::create_dir_all(folder)?;
    ensure!(fs::read_dir(folder)?.next().is_none(), "{} is not empty", folder.display());
    let administrator = create_key_file(&folder.join("admin.key"))?;
    let authority = Authority::new()?;
    fs::write(folder.join("ca.pem"), authority.certificate.to_pem()?)?;
    let mut id = [0; 16];
    openssl::rand::rand_bytes(&mut id)?;
    let charter = Charter {
        ledger: LedgerId(id),
        name: "local".into(),
        suite: Suite::Ed25519Sha256,
        policy,
        development: policy == Policy::Cft && nodes < 3,
        members: vec![Member { name: "local".into(), administrator: administrator.public_key() }],
        threshold: 1,
        anchor: None,
        ca_certificate: String::from_utf8(authority.certificate.to_pem()?)?,
    };
    let mut configs = Vec::new();
    let mut validators = Vec::new();
    let ports = free_ports(3 * usize::from(nodes))?;
    for (n, ports) in (0..nodes).zip(ports.chunks_exact(3)) {
        let home = folder.join(format!("node-{n}"));
        fs::create_dir(&home)?;
        let config = NodeConfig {
            data: home.join("data"),
            genesis: folder.join("genesis.json"),
            consensus_key: home.join("consensus.key"),
            tls_key: home.join("tls.key"),
            tls_certificate: home.join("tls.pem"),
            p2p: ([127, 0, 0, 1], ports[0]).into(),
            http: ([127, 0, 0, 1], ports[1]).into(),
            metrics: Some(([127, 0, 0, 1], ports[2]).into()),
            enrolment: None,
        };
        fs::create_dir(&config.data)?;
        let consensus_key = create_key_file(&config.consensus_key)?.public_key();
        let tls_key = authority.issue(&config, &format!("node-{n}"))?;
        let mut node = [0; 16];
        openssl::rand::rand_bytes(&mut node)?;
        let identity = Endorsement {
            node: NodeId(node),
            name: format!("node-{n}"),
            member: 0,
            consensus_key,
            tls_key,
        };
        let endorsed = identity.sign(&charter, &administrator);
        validators.push(Validator { identity, p2p: config.p2p.to_string(), endorsed });
        fs::write(home.join("node.toml"), toml::to_string(&config)?)?;
        configs.push(config);
    }
    let charter_signatures = vec![charter.sign(&administrator)];
    let genesis = Genesis { charter, charter_signatures, validators, created_at_ms: now_ms() };
    genesis.check().context("the policy does not accept this ledger")?;
    fs::write(folder.join("genesis.json"), serde_json::to_string_pretty(&genesis)?)?;
    Ok(configs)
}

/// Ports that nobody listens on at this moment.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    listeners.iter().map(|l| Ok(l.local_addr()?.port())).collect()
}

/// A certificate authority in memory: its key is gone when the files are written.
struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

fn begin(name: &str, key: &PKey<Private>) -> Result<openssl::x509::X509Builder> {
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_text("CN", name)?;
    let subject = subject.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&subject)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(CERTIFICATE_DAYS)?)?;
    Ok(builder)
}

impl Authority {
    fn new() -> Result<Self> {
        let key = PKey::generate_ed25519()?;
        let mut builder = begin("Hansa local ledger", &key)?;
        let mut issuer = X509NameBuilder::new()?;
        issuer.append_entry_by_text("CN", "Hansa local ledger")?;
        builder.set_issuer_name(&issuer.build())?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().build()?)?;
        builder.sign(&key, MessageDigest::null())?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// Makes a node's TLS key and certificate files; the digest of the key is what is endorsed.
    fn issue(&self, config: &NodeConfig, name: &str) -> Result<Digest> {
        let key = PKey::generate_ed25519()?;
        let mut builder = begin(name, &key)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
        builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build()?)?;
        let names = SubjectAlternativeName::new()
            .dns("localhost")
            .ip("127.0.0.1")
            .build(&builder.x509v3_context(Some(&self.certificate), None))?;
        builder.append_extension(names)?;
        builder.sign(&self.key, MessageDigest::null())?;
        let certificate = builder.build();
        write_private(&config.tls_key, &key.private_key_to_pem_pkcs8()?)?;
        fs::write(&config.tls_certificate, certificate.to_pem()?)?;
        key_digest(&certificate)
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    Ok(())
}
