//! The cluster's one password file, and the passwords derived from it.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use hansa_core::{Mac, Purpose, Secret};

use crate::error::ClusterError;

/// Bytes of the secret.
const SECRET_BYTES: usize = 32;

/// Derives the password of each login role from one secret, so that one file is kept.
#[derive(Clone, Debug)]
pub(crate) struct Passwords(Mac);

impl Passwords {
    /// Makes the file (mode 0600); refuses to replace one.
    pub(crate) fn create(path: &Path) -> Result<Self, ClusterError> {
        let secret = Secret::random(SECRET_BYTES)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(ClusterError::io("create", path))?;
        file.write_all(secret.to_hex().expose())
            .and_then(|()| file.sync_all())
            .map_err(ClusterError::io("write", path))?;
        Ok(Self(Mac::new(secret)))
    }

    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, ClusterError> {
        let damaged = || ClusterError::NoPassword { path: PathBuf::from(path) };
        let text = Secret::from(fs::read(path).map_err(|_| damaged())?);
        let bytes = hex::decode(text.expose()).map_err(|_| damaged())?;
        let secret = Secret::from(bytes);
        if secret.expose().len() == SECRET_BYTES {
            Ok(Self(Mac::new(secret)))
        } else {
            Err(damaged())
        }
    }

    /// The password of a role.
    pub(crate) fn of(&self, role: &str) -> Secret {
        let tag = self.0.tag(Purpose::DatabaseLogin, &[role.as_bytes()]);
        Secret::from(tag.to_vec()).to_hex()
    }
}
