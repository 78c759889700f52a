//! TLS 1.3 by OpenSSL: mutual between nodes, server-side for clients.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use ledger_types::{Digest, Genesis, ValidatorIndex};
use openssl::{
    pkey::{PKey, Private},
    ssl::{
        SslAcceptor, SslConnector, SslContextBuilder, SslMethod, SslRef, SslVerifyMode, SslVersion,
    },
    x509::{X509, X509Ref, store::X509StoreBuilder},
};
use zeroize::Zeroizing;

use crate::config::NodeConfig;

/// SHA-256 over a public key's DER: what a genesis endorses.
///
/// # Errors
/// When the certificate has no readable key.
pub(crate) fn key_digest(certificate: &X509Ref) -> Result<Digest> {
    Ok(Digest::of(&certificate.public_key()?.public_key_to_der()?))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// A node's certificate and key.
pub(crate) struct Identity {
    key: PKey<Private>,
    certificate: X509,
}

impl Identity {
    pub(crate) fn read(config: &NodeConfig) -> Result<Self> {
        ledger_client::key_file::check_mode(&config.tls_key)?;
        let key = PKey::private_key_from_pem(&Zeroizing::new(read(&config.tls_key)?))
            .context("the TLS key")?;
        let certificate =
            X509::from_pem(&read(&config.tls_certificate)?).context("the TLS certificate")?;
        Ok(Self { key, certificate })
    }

    fn install(&self, builder: &mut SslContextBuilder) -> Result<()> {
        builder.set_min_proto_version(Some(SslVersion::TLS1_3))?;
        builder.set_private_key(&self.key)?;
        builder.set_certificate(&self.certificate)?;
        builder.check_private_key().context("the TLS key is not the certificate's")?;
        Ok(())
    }

    /// For clients: they check this node's certificate, it does not ask for theirs.
    pub(crate) fn server(&self) -> Result<SslAcceptor> {
        let mut builder = SslAcceptor::mozilla_modern_v5(SslMethod::tls_server())?;
        self.install(&mut builder)?;
        Ok(builder.build())
    }

    /// Both sides of a connection between nodes: a certificate of the ledger's CA whose key the
    /// genesis endorses, or the handshake fails.
    pub(crate) fn peers(&self, genesis: &Genesis) -> Result<(SslAcceptor, SslConnector)> {
        let mut acceptor = SslAcceptor::mozilla_modern_v5(SslMethod::tls_server())?;
        self.install(&mut acceptor)?;
        trust(&mut acceptor, genesis)?;
        let mut connector = SslConnector::builder(SslMethod::tls_client())?;
        self.install(&mut connector)?;
        trust(&mut connector, genesis)?;
        Ok((acceptor.build(), connector.build()))
    }
}

fn trust(builder: &mut SslContextBuilder, genesis: &Genesis) -> Result<()> {
    let mut store = X509StoreBuilder::new()?;
    for authority in X509::stack_from_pem(genesis.charter.ca_certificate.as_bytes())? {
        store.add_cert(authority)?;
    }
    builder.set_verify_cert_store(store.build())?;
    let endorsed: Vec<Digest> = genesis.validators.iter().map(|v| v.identity.tls_key).collect();
    builder.set_verify_callback(
        SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
        move |chain_holds, context| {
            let is_leaf = context.error_depth() == 0;
            let known = context
                .current_cert()
                .and_then(|certificate| key_digest(certificate).ok())
                .is_some_and(|digest| endorsed.contains(&digest));
            chain_holds && (!is_leaf || known)
        },
    );
    Ok(())
}

/// Which validator is at the other end.
pub(crate) fn peer(ssl: &SslRef, genesis: &Genesis) -> Result<ValidatorIndex> {
    let certificate = ssl.peer_certificate().context("the peer has shown no certificate")?;
    let digest = key_digest(&certificate)?;
    let place = genesis.validators.iter().position(|v| v.identity.tls_key == digest);
    let place = place.context("the peer's key is not in the genesis")?;
    Ok(ValidatorIndex(u16::try_from(place)?))
}
