//! The state folder: where things are.

use std::{
    env,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use hansa_core::Secret;

/// A state folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// Where state is kept unless asked otherwise. PostgreSQL refuses to run as root, and its own user
/// must be able to reach the folder.
pub(crate) fn default_state() -> Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/hansa"));
    }
    if let Some(state) = env::var_os("XDG_STATE_HOME").filter(|state| !state.is_empty()) {
        return Ok(PathBuf::from(state).join("hansa"));
    }
    let home = env::var_os("HOME").context("no HOME: say where with --state")?;
    Ok(PathBuf::from(home).join(".local/state/hansa"))
}

impl Folder {
    /// Makes the folder when it is missing.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        // Others may pass through to PostgreSQL's folder; everything else is closed to them.
        let root = rustix::process::geteuid().is_root();
        let mode = if root { 0o711 } else { 0o700 };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
            .with_context(|| format!("making {}", path.display()))?;
        let folder = Self::open(path)?;
        for name in ["vault", "keys", "runtime", "secrets", "demo"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(name))?;
        }
        Ok(folder)
    }

    /// A folder that is there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        match fs::canonicalize(path) {
            Ok(path) => Ok(Self(path)),
            Err(_) => bail!("there is no state in {}: start `hansa dev` first", path.display()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// One control plane for one folder. The file names its process.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.join("lock");
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        if file.try_lock().is_err() {
            let pid = fs::read_to_string(&path).unwrap_or_default();
            bail!("process {} uses {} already", pid.trim(), self.0.display());
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(file)
    }

    /// The process that holds the lock.
    pub(crate) fn holder(&self) -> Result<Option<i32>> {
        let path = self.join("lock");
        let Ok(file) = File::open(&path) else { return Ok(None) };
        if file.try_lock().is_ok() {
            return Ok(None);
        }
        Ok(fs::read_to_string(&path)?.trim().parse().ok())
    }

    /// A secret of this folder, made when it is missing.
    pub(crate) fn secret(&self, name: &str) -> Result<Secret> {
        let path = self.join("secrets").join(name);
        if !path.exists() {
            let made = Secret::random(32)?.to_hex();
            write_private(&path, made.expose())?;
        }
        Ok(Secret::from(fs::read(&path).with_context(|| path.display().to_string())?))
    }
}

/// Writes a file that only its owner reads; a crash leaves the old one or the new one.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .with_context(|| unfinished.display().to_string())?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path).with_context(|| path.display().to_string())
}
