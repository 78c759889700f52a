//! The root key: 32 bytes in a file that others cannot read.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use hansa_core::Secret;
use zeroize::Zeroizing;

use crate::error::RootKeyError;

/// Bytes read of the file at most; a proper one has 65.
const FILE_BYTES_MAX: u64 = 256;

/// Everything else in the vault is sealed under this.
#[derive(Debug)]
pub struct RootKey(Secret);

impl RootKey {
    /// Reads the key, or makes it when there is no file.
    ///
    /// # Errors
    /// When the file is open to others, holds something else, or cannot be written.
    pub fn read_or_create(path: &Path) -> Result<Self, RootKeyError> {
        match Self::read(path) {
            Err(RootKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::create(path)?;
                // Read again: another process may have been first.
                Self::read(path)
            }
            read => read,
        }
    }

    /// Reads the key.
    ///
    /// # Errors
    /// When the file is missing, open to others, or holds something else.
    pub fn read(path: &Path) -> Result<Self, RootKeyError> {
        let io = |source| RootKeyError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.mode() & 0o777;
        if !Secret::may_lie_in(mode) {
            return Err(RootKeyError::Mode { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(io)?;
        let mut bytes = vec![0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes)
            .map_err(|_| RootKeyError::Content { path: path.to_owned() })?;
        Ok(Self(Secret::from(bytes)))
    }

    /// Never replaces a file: that would be the end of every key that it has sealed.
    fn create(path: &Path) -> Result<(), RootKeyError> {
        let io = |source| RootKeyError::Io { path: path.to_owned(), source };
        let key = Secret::random(32).map_err(|error| io(io::Error::other(error)))?;
        let temporary = path.with_extension(format!("new-{}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(io)?;
        file.write_all(key.to_hex().expose()).map_err(io)?;
        file.write_all(b"\n").map_err(io)?;
        file.sync_all().map_err(io)?;
        // A link fails when the name is taken, and is complete or absent after a crash.
        let linked = match std::fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        };
        std::fs::remove_file(&temporary).map_err(io)?;
        linked.map_err(io)
    }

    pub(crate) const fn secret(&self) -> &Secret {
        &self.0
    }
}
