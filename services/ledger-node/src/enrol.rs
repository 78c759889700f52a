//! Enrolment: a node makes its keys on its own volume, gets a certificate for a one-time token, and
//! waits for a genesis that its members have signed.
//!
//! Each step leaves a file and is repeated until it has: a node that is killed in between goes on
//! where it ended. Private keys never leave the volume.

use std::{
    fs,
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use ledger_client::{Signer, key_file::check_mode, read_or_create_key_file};
use ledger_types::{Digest, Genesis, LedgerId, NodeId, RequestLine, SigningKey};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
    x509::{X509, X509ReqBuilder},
};
use reqwest::{Client, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    config::{EnrolmentConfig, NodeConfig},
    net::now_ms,
};

/// How long the control plane may hold the answer for a genesis back.
const GENESIS_WAIT_S: u8 = 30;
/// How long any answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(45);
/// Bytes of a certificate's answer or of a refusal.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a genesis: 64 members and 64 validators need a tenth of it.
const GENESIS_BYTES_MAX: usize = 1024 * 1024;
/// Rests between attempts: doubling from the first to the last.
const REST: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(15)];

/// What a node sends for its certificate.
#[derive(Serialize)]
struct EnrolmentRequest<'a> {
    node: Uuid,
    consensus_key: String,
    certificate_request: &'a str,
    proof: String,
}

/// What it gets.
#[derive(Deserialize, Serialize)]
struct Enrolled {
    ledger: Uuid,
    certificate: String,
}

/// Enrols, however long it takes.
///
/// # Errors
/// For what no repetition mends: a wrong configuration, a genesis that must not be obeyed, files
/// that cannot be used.
pub(crate) async fn enrol(config: &NodeConfig, at: &EnrolmentConfig) -> Result<()> {
    check_url(&at.url)?;
    let client = client(at.ca.as_deref())?;
    let key = read_or_create_key_file(&config.consensus_key)?;
    let tls_key = read_or_create_tls_key(&config.tls_key)?;
    let mut rest = REST[0];
    let ledger = loop {
        match certificate(config, at, &client, &key, &tls_key).await? {
            Attempt::Done(ledger) => break ledger,
            Attempt::Later(why) => tracing::warn!("not enrolled yet: {why}"),
        }
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(REST[1]);
    };
    tracing::info!("enrolled; waiting for the genesis");
    let mut rest = REST[0];
    let signer = Signer::new(ledger, key);
    loop {
        match genesis(at, &client, &signer).await? {
            Attempt::Done(Some(genesis)) => {
                check_own(&genesis, ledger, at.node, &signer, &tls_key)?;
                let text = serde_json::to_string_pretty(&genesis)?;
                return write_whole(&config.genesis, text.as_bytes(), 0o644)
                    .context("writing the genesis");
            }
            // The control plane has held the answer back as long as it was asked to.
            Attempt::Done(None) => rest = REST[0],
            Attempt::Later(why) => {
                tracing::warn!("no genesis yet: {why}");
                tokio::time::sleep(rest).await;
                rest = (rest * 2).min(REST[1]);
            }
        }
    }
}

enum Attempt<T> {
    Done(T),
    Later(String),
}

/// What travels is a token and a request for a certificate: not in the clear over a network.
pub(crate) fn check_url(url: &str) -> Result<()> {
    let url = Url::parse(url).with_context(|| format!("{url} is no address"))?;
    let host = url.host_str().unwrap_or_default();
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => bail!("{url}: enrolment goes over https, or over http on this machine only"),
    }
}

/// A client that believes the authorities of a file, or the public ones without it.
pub(crate) fn client(ca: Option<&Path>) -> Result<Client> {
    let mut builder = Client::builder().no_proxy().timeout(ANSWER_TIME_MAX);
    if let Some(path) = ca {
        let pem = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let authorities = reqwest::Certificate::from_pem_bundle(&pem)
            .with_context(|| format!("{} holds no certificates", path.display()))?;
        builder = builder.tls_certs_only(authorities);
    }
    builder.build().context("making a client")
}

/// The certificate's file, asked for until it is there; the ledger that it is for.
async fn certificate(
    config: &NodeConfig,
    at: &EnrolmentConfig,
    client: &Client,
    key: &SigningKey,
    tls_key: &PKey<Private>,
) -> Result<Attempt<LedgerId>> {
    let remembered = config.tls_certificate.with_extension("json");
    if let Ok(bytes) = fs::read(&remembered) {
        let enrolled: Enrolled = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is no enrolment", remembered.display()))?;
        return accept(config, &enrolled, tls_key).map(Attempt::Done);
    }
    // Read each time: a token that has expired is replaced.
    let token = match fs::read_to_string(&at.token) {
        Ok(token) => token,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Attempt::Later(format!("no token in {}", at.token.display())));
        }
        Err(error) => return Err(error).context("reading the enrolment token"),
    };
    check_token_mode(&at.token)?;
    let request = certificate_request(tls_key)?;
    let statement = statement(at.tenant, at.node, key, &request);
    let body = EnrolmentRequest {
        node: at.node,
        consensus_key: key.public_key().to_string(),
        certificate_request: &request,
        proof: key.sign(&Digest::of(&statement)).to_string(),
    };
    let url = format!("{}/enrolment/v1/nodes", at.url.trim_end_matches('/'));
    let sent = client.post(url).bearer_auth(token.trim()).json(&body).send().await;
    let answer = match good(sent).await {
        Ok(answer) => answer,
        Err(why) => return Ok(Attempt::Later(why)),
    };
    let bytes = match body_of(answer, ANSWER_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(why) => return Ok(Attempt::Later(why)),
    };
    let enrolled: Enrolled = serde_json::from_slice(&bytes).context("the answer is no identity")?;
    let ledger = accept(config, &enrolled, tls_key)?;
    write_whole(&remembered, &bytes, 0o644)?;
    // It has done its duty, and is worth nothing to a thief; where it is mounted, it is not ours.
    match fs::remove_file(&at.token) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {}
        removed => removed.context("removing the used token")?,
    }
    Ok(Attempt::Done(ledger))
}

/// Its group may read it: a mounted secret belongs to the pod's.
fn check_token_mode(path: &Path) -> Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    ensure!(mode & 0o027 == 0, "{} is open to others (mode {mode:o})", path.display());
    Ok(())
}

/// Writes the certificate, if it is for this node's key.
fn accept(config: &NodeConfig, enrolled: &Enrolled, key: &PKey<Private>) -> Result<LedgerId> {
    let certificate = X509::from_pem(enrolled.certificate.as_bytes())
        .context("what the control plane issued is no certificate")?;
    ensure!(
        certificate.public_key()?.public_eq(key),
        "the control plane issued a certificate for another key"
    );
    write_whole(&config.tls_certificate, enrolled.certificate.as_bytes(), 0o644)?;
    Ok(LedgerId(*enrolled.ledger.as_bytes()))
}

/// The genesis; nothing when it is not published in time.
async fn genesis(
    at: &EnrolmentConfig,
    client: &Client,
    signer: &Signer,
) -> Result<Attempt<Option<Genesis>>> {
    let EnrolmentConfig { url, tenant, node, .. } = at;
    let target = format!("/enrolment/v1/nodes/{tenant}/{node}/genesis?wait={GENESIS_WAIT_S}");
    let line = RequestLine { method: "GET", target: &target, body: b"" };
    let token = signer.authorize(line, "genesis", now_ms());
    let request = client.get(format!("{}{target}", url.trim_end_matches('/')));
    let sent = request.header("authorization", token).send().await;
    let answer = match good(sent).await {
        Ok(answer) if answer.status() == StatusCode::NO_CONTENT => return Ok(Attempt::Done(None)),
        Ok(answer) => answer,
        Err(why) => return Ok(Attempt::Later(why)),
    };
    let bytes = match body_of(answer, GENESIS_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(why) => return Ok(Attempt::Later(why)),
    };
    let genesis = serde_json::from_slice(&bytes).context("the answer is no genesis")?;
    Ok(Attempt::Done(Some(genesis)))
}

/// A genesis is obeyed only if the members have signed it and it lists this very node.
fn check_own(
    genesis: &Genesis,
    ledger: LedgerId,
    node: Uuid,
    signer: &Signer,
    tls_key: &PKey<Private>,
) -> Result<()> {
    genesis.check().context("the genesis does not hold")?;
    ensure!(genesis.ledger() == ledger, "the genesis is another ledger's");
    let index = genesis.index_of(&signer.public_key());
    let index = index.context("the genesis does not list this node's consensus key")?;
    let own = &genesis.validators[usize::from(index.0)].identity;
    ensure!(own.node == NodeId(*node.as_bytes()), "the genesis gives this node's key to another");
    let digest = Digest::of(&tls_key.public_key_to_der()?);
    ensure!(own.tls_key == digest, "the genesis endorses another TLS key for this node");
    Ok(())
}

/// `len(tag) u8 | tag | tenant | node | consensus key | certificate request`.
fn statement(tenant: Uuid, node: Uuid, key: &SigningKey, request: &str) -> Vec<u8> {
    const TAG: &[u8] = b"hansa/node-enrol/v1";
    let mut bytes = vec![TAG.len() as u8];
    bytes.extend_from_slice(TAG);
    bytes.extend_from_slice(tenant.as_bytes());
    bytes.extend_from_slice(node.as_bytes());
    bytes.extend_from_slice(&key.public_key().0);
    bytes.extend_from_slice(request.as_bytes());
    bytes
}

/// PKCS #10 in PEM. The same key gives the same bytes, so a repeated request is the same request.
fn certificate_request(key: &PKey<Private>) -> Result<String> {
    let mut builder = X509ReqBuilder::new()?;
    builder.set_pubkey(key)?;
    builder.sign(key, MessageDigest::null())?;
    Ok(String::from_utf8(builder.build().to_pem()?)?)
}

fn read_or_create_tls_key(path: &Path) -> Result<PKey<Private>> {
    if !path.exists() {
        let pem = PKey::generate_ed25519()?.private_key_to_pem_pkcs8()?;
        write_whole(path, &pem, 0o600).context("writing the TLS key")?;
    }
    check_mode(path)?;
    PKey::private_key_from_pem(&fs::read(path)?).context("reading the TLS key")
}

/// A crash leaves the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    // The key must outlive a power cut that the certificate for it outlives.
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A good answer, or why it is none, in words for the log.
async fn good(sent: reqwest::Result<Response>) -> Result<Response, String> {
    let answer = sent.map_err(|error| format!("the control plane does not answer: {error}"))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = body_of(answer, ANSWER_BYTES_MAX).await.unwrap_or_default();
    Err(format!("the control plane answers {status}: {}", String::from_utf8_lossy(&body)))
}

async fn body_of(mut answer: Response, most: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| error.to_string())? {
        if body.len() + part.len() > most {
            return Err(format!("an answer is longer than {most} bytes"));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_types::{Endorsement, Member, Policy, Suite, Validator, genesis::Charter};

    struct Node {
        id: Uuid,
        signer: Signer,
        tls: PKey<Private>,
    }

    const LEDGER: LedgerId = LedgerId([7; 16]);

    fn node(n: u8) -> Node {
        Node {
            id: Uuid::from_bytes([n; 16]),
            signer: Signer::new(LEDGER, SigningKey::generate().unwrap()),
            tls: PKey::generate_ed25519().unwrap(),
        }
    }

    fn genesis(nodes: &[Node]) -> (Genesis, SigningKey) {
        let administrator = SigningKey::generate().unwrap();
        let charter = Charter {
            ledger: LEDGER,
            name: "main".into(),
            suite: Suite::Ed25519Sha256,
            policy: Policy::Bft,
            development: false,
            members: vec![Member { name: "a".into(), administrator: administrator.public_key() }],
            threshold: 1,
            anchor: None,
            ca_certificate: "none".into(),
        };
        let validators = nodes.iter().map(|node| {
            let identity = Endorsement {
                node: NodeId(*node.id.as_bytes()),
                name: node.id.to_string(),
                member: 0,
                consensus_key: node.signer.public_key(),
                tls_key: Digest::of(&node.tls.public_key_to_der().unwrap()),
            };
            let endorsed = identity.sign(&charter, &administrator);
            Validator { identity, p2p: "127.0.0.1:1".into(), endorsed }
        });
        let validators = validators.collect();
        let charter_signatures = vec![charter.sign(&administrator)];
        (Genesis { charter, charter_signatures, validators, created_at_ms: 1 }, administrator)
    }

    fn check(genesis: &Genesis, ledger: LedgerId, node: &Node) -> Result<()> {
        check_own(genesis, ledger, node.id, &node.signer, &node.tls)
    }

    #[test]
    fn a_genesis_is_obeyed_only_if_its_members_signed_this_very_node() {
        // Whoever composes the document must not be able to add, exchange or move a node.
        let mut nodes: Vec<Node> = (0..4).map(node).collect();
        let (good, _) = genesis(&nodes);
        check(&good, LEDGER, &nodes[2]).unwrap();
        let refused = |genesis: &Genesis, node: &Node, words: &str| {
            let why = format!("{:#}", check(genesis, LEDGER, node).unwrap_err());
            assert!(why.contains(words), "expected {words:?}, got {why:?}");
        };
        refused(&good, &node(9), "does not list");
        let mut unsigned = good.clone();
        unsigned.charter_signatures.clear();
        refused(&unsigned, &nodes[2], "does not hold");
        let mut exchanged = good.clone();
        exchanged.validators[0].identity.consensus_key = node(9).signer.public_key();
        refused(&exchanged, &nodes[2], "does not hold");
        assert!(check(&good, LedgerId([8; 16]), &nodes[2]).is_err(), "another ledger's genesis");
        nodes[2].id = Uuid::from_bytes([42; 16]);
        refused(&good, &nodes[2], "gives this node's key to another");
        nodes[2].id = Uuid::from_bytes([2; 16]);
        nodes[2].tls = PKey::generate_ed25519().unwrap();
        refused(&good, &nodes[2], "another TLS key");
    }

    #[test]
    fn a_token_is_read_where_nobody_else_can() {
        // A mounted secret is its group's; one that others can read is anybody's identity.
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "a token").unwrap();
        for (mode, good) in [(0o600, true), (0o440, true), (0o444, false), (0o660, false)] {
            fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_token_mode(&token).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_token_does_not_travel_in_the_clear() {
        // Whoever reads it on the way could enrol in the node's place.
        for good in ["https://hansa.example", "http://127.0.0.1:8080", "http://localhost:1"] {
            check_url(good).unwrap();
        }
        for bad in ["http://hansa.example", "ftp://127.0.0.1", "hansa.example", "http://10.0.0.1"] {
            assert!(check_url(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn the_same_key_asks_in_the_same_words() {
        // An answer that was lost is given again only to the very same request.
        let key = PKey::generate_ed25519().unwrap();
        assert_eq!(certificate_request(&key).unwrap(), certificate_request(&key).unwrap());
    }
}
