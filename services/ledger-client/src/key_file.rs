//! Signing keys in files of mode 0600.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use ledger_types::{SigningKey, key::KeyError};
use zeroize::Zeroizing;

/// Bytes read of a key file at most; a proper one has 65.
const KEY_FILE_BYTES_MAX: u64 = 256;

/// Why a key file is refused. No variant holds any of its content.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be opened, read or written.
    #[error("key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Group or others may read or change it.
    #[error("key file {path} has mode {mode:03o}: make it 600 (chmod 600 {path})")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is no key.
    #[error("key file {path}: {source}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the content.
        source: KeyError,
    },
}

/// Reads a signing key; the file must be readable by its owner only.
///
/// # Errors
/// When the file is missing, open to others, or holds no key.
pub fn read_key_file(path: &Path) -> Result<SigningKey, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    // The mode of the opened file, not of the path: they could differ by the time of reading.
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Mode { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX as usize));
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(io)?;
    SigningKey::from_text(&text)
        .map_err(|source| KeyFileError::Content { path: path.to_owned(), source })
}

/// Checks that a secret file is readable by its owner only.
///
/// # Errors
/// When it is missing or open to others.
pub fn check_mode(path: &Path) -> Result<(), KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(io)?.mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyFileError::Mode { path: path.to_owned(), mode }) }
}

/// Reads a key, or makes it when there is none. A crash leaves no key or a whole one.
///
/// # Errors
/// When the file is open to others, holds no key, or cannot be written.
pub fn read_or_create_key_file(path: &Path) -> Result<SigningKey, KeyFileError> {
    if path.exists() {
        return read_key_file(path);
    }
    let unfinished = path.with_extension("unfinished");
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        Ok(()) | Err(_) => {}
    }
    let key = create_key_file(&unfinished)?;
    std::fs::rename(&unfinished, path).map_err(io)?;
    Ok(key)
}

/// Makes a new key and its file, with mode 0600 from the first moment; never replaces a file.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn create_key_file(path: &Path) -> Result<SigningKey, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let content = |source| KeyFileError::Content { path: path.to_owned(), source };
    let key = SigningKey::generate().map_err(content)?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(key.to_text().as_bytes()).map_err(io)?;
    file.sync_all().map_err(io)?;
    Ok(key)
}
