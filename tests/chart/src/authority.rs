//! A private authority, as an installation without a public name has one.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use e2e::command::Said;

/// An authority and what it issued.
#[derive(Debug)]
pub(crate) struct Authority {
    folder: PathBuf,
}

const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

impl Authority {
    /// Makes one in a folder.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let authority = Self { folder: folder.to_owned() };
        let words = ["req", "-x509", "-days", "2", "-subj", "/CN=Authority of a test"];
        let files = ["-keyout", "ca.key", "-out", "ca.crt"];
        authority.openssl(&[&words[..], &NEW_KEY, &files].concat())?;
        Ok(authority)
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// Issues `NAME.crt` with `NAME.key` for names, written `DNS:…` and `IP:…`; where they are.
    pub(crate) fn issue(&self, name: &str, names: &[String]) -> Result<(PathBuf, PathBuf)> {
        let [key, request, certificate] =
            ["key", "csr", "crt"].map(|ending| format!("{name}.{ending}"));
        let names = format!("subjectAltName={}", names.join(","));
        let subject = format!("/CN={name}");
        let words = ["req", "-subj", &subject, "-addext", &names];
        self.openssl(&[&words[..], &NEW_KEY, &["-keyout", &key, "-out", &request]].concat())?;
        let words = ["x509", "-req", "-days", "2", "-copy_extensions", "copy"];
        let authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
        let files = ["-in", &request, "-out", &certificate];
        self.openssl(&[&words[..], &authority, &files].concat())?;
        Ok((self.folder.join(certificate), self.folder.join(key)))
    }

    fn openssl(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new("openssl");
        Said::of(command.args(words).current_dir(&self.folder))?.well().map(drop)
    }
}
