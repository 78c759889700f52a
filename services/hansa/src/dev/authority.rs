//! The authority of a development control plane: nodes in a cluster enrol over TLS, and trust it.

use std::{fs, net::IpAddr, path::PathBuf};

use anyhow::Result;
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{
        X509, X509Builder, X509Name, X509NameBuilder, X509NameRef,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName},
    },
};

use super::folder::{Folder, write_private};
use crate::assembly::TlsFiles;

/// Its life, and that of what it issues: the folder is for trying things.
const DAYS: u32 = 365;

/// A certificate for one address of this machine, issued anew at each start.
pub(crate) struct Issued {
    /// What the listener needs.
    pub(crate) files: TlsFiles,
    /// Whom it is for.
    pub(crate) address: IpAddr,
    /// What nodes trust, PEM.
    pub(crate) authority: String,
}

/// Issues a certificate for `address`.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn issue(folder: &Folder, address: IpAddr) -> Result<Issued> {
    let authority = key()?;
    let name = name("Hansa development")?;
    let mut builder = begin(&name, &name, &authority)?;
    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().build()?)?;
    builder.sign(&authority, MessageDigest::sha256())?;
    let root = builder.build();
    let own = key()?;
    let subject = self::name(&address.to_string())?;
    let mut builder = begin(&subject, &name, &own)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let mut names = SubjectAlternativeName::new();
    let names = names.ip(&address.to_string()).build(&builder.x509v3_context(Some(&root), None))?;
    builder.append_extension(names)?;
    builder.sign(&authority, MessageDigest::sha256())?;
    let certificate = builder.build();
    let path = |name: &str| -> PathBuf { folder.join("secrets").join(name) };
    let files = TlsFiles { certificate: path("enrolment.pem"), key: path("enrolment.key") };
    write_private(&files.key, &own.private_key_to_pem_pkcs8()?)?;
    fs::write(&files.certificate, certificate.to_pem()?)?;
    Ok(Issued { files, address, authority: String::from_utf8(root.to_pem()?)? })
}

/// A key of P-256.
fn key() -> Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

fn name(text: &str) -> Result<X509Name> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, text)?;
    Ok(name.build())
}

fn begin(subject: &X509NameRef, issuer: &X509NameRef, key: &PKey<Private>) -> Result<X509Builder> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(DAYS)?)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}
