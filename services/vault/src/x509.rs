//! Certificates (RFC 5280) of ledgers' authorities and of their nodes.

use std::net::IpAddr;

use hansa_core::{LedgerId, limits};
use hansa_types::vault::CertificateRequest;
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    hash::MessageDigest,
    nid::Nid,
    pkey::{Id, PKey, PKeyRef, Private, Public},
    x509::{
        X509, X509Builder, X509Name, X509NameBuilder, X509Req,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName},
    },
};

use crate::error::VaultError;

/// Life of an authority. The genesis names it, so it must outlive the ledger's use.
const AUTHORITY_DAYS: u32 = 30 * 365;
/// Life of a node's certificate. Its key is endorsed in the genesis, so a renewal keeps the key.
const NODE_DAYS: u32 = 5 * 365;
/// Bytes of a request.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// Hosts in a certificate.
const HOSTS_MAX: usize = 16;
/// Characters of a host name (RFC 1035).
const HOST_LEN_MAX: usize = 253;

/// An authority's own certificate.
pub(crate) fn authority(ledger: LedgerId, key: &PKey<Private>) -> Result<X509, VaultError> {
    let name = subject(&format!("Hansa ledger {ledger}"), None)?;
    let mut builder = begin(&name, key, AUTHORITY_DAYS)?;
    builder.set_issuer_name(&name)?;
    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    builder.sign(key, MessageDigest::null())?;
    Ok(builder.build())
}

/// A node's certificate. Of its request only the key is taken, after its proof of possession.
pub(crate) fn node(
    authority: &X509,
    key: &PKey<Private>,
    request: &CertificateRequest,
) -> Result<X509, VaultError> {
    let CertificateRequest { ledger: _, node, name, request, hosts } = request;
    let public = requested_key(request)?;
    if name.is_empty() || name.len() > limits::NAME_LEN_MAX {
        return Err(VaultError::Invalid("the name is empty or too long"));
    }
    let mut builder = begin(&subject(name, Some(&node.to_string()))?, &public, NODE_DAYS)?;
    builder.set_issuer_name(authority.subject_name())?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build()?)?;
    let hosts = alternative_names(hosts)?;
    let hosts = hosts.build(&builder.x509v3_context(Some(authority), None))?;
    builder.append_extension(hosts)?;
    builder.sign(key, MessageDigest::null())?;
    Ok(builder.build())
}

/// The key of a request that proves that whoever made it holds the private half.
fn requested_key(request: &str) -> Result<PKey<Public>, VaultError> {
    const MALFORMED: VaultError = VaultError::Invalid("the request is no PKCS #10 in PEM");
    if request.len() > REQUEST_BYTES_MAX {
        return Err(MALFORMED);
    }
    let request = X509Req::from_pem(request.as_bytes()).map_err(|_| MALFORMED)?;
    let key = request.public_key().map_err(|_| MALFORMED)?;
    if key.id() != Id::ED25519 {
        return Err(VaultError::Invalid("the key is not Ed25519"));
    }
    if !request.verify(&key).unwrap_or(false) {
        return Err(VaultError::Invalid("the request does not prove that its key is held"));
    }
    Ok(key)
}

fn alternative_names(hosts: &[String]) -> Result<SubjectAlternativeName, VaultError> {
    if hosts.is_empty() || hosts.len() > HOSTS_MAX {
        return Err(VaultError::Invalid("a certificate has 1 to 16 hosts"));
    }
    let mut names = SubjectAlternativeName::new();
    for host in hosts {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        if host.parse::<IpAddr>().is_ok() {
            names.ip(host);
        } else if (1..=HOST_LEN_MAX).contains(&host.len()) && host.bytes().all(plain) {
            names.dns(host);
        } else {
            return Err(VaultError::Invalid("a host is neither a name nor an address"));
        }
    }
    Ok(names)
}

fn subject(name: &str, serial: Option<&str>) -> Result<X509Name, VaultError> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    if let Some(serial) = serial {
        builder.append_entry_by_nid(Nid::SERIALNUMBER, serial)?;
    }
    Ok(builder.build())
}

fn begin<T: openssl::pkey::HasPublic>(
    name: &X509Name,
    key: &PKeyRef<T>,
    days: u32,
) -> Result<X509Builder, VaultError> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(name)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(days)?)?;
    Ok(builder)
}
