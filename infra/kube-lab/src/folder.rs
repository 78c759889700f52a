//! Where a lab's things are.

use std::{
    env, io,
    path::{Path, PathBuf},
};

/// The folder of one lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder, by default the one of this user.
    ///
    /// # Errors
    /// When there is no working directory that a relative path could start from.
    pub fn new(path: Option<PathBuf>) -> io::Result<Self> {
        let path = path.unwrap_or_else(|| {
            let home = env::var_os("HOME").unwrap_or_else(|| "/root".into());
            Path::new(&home).join(".local/state/hansa/kube-lab")
        });
        // Whoever is told of its files may be elsewhere.
        std::path::absolute(path).map(Self)
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file or folder of it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// For whoever administers the lab; it names an address that this machine reaches.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.join("kubeconfig")
    }

    /// Held by the keeper for as long as it lives; its process id is in it.
    pub(crate) fn lock(&self) -> PathBuf {
        self.join("lock")
    }

    /// The lab's number, from its first start on.
    pub(crate) fn number(&self) -> PathBuf {
        self.join("number")
    }

    /// There when the lab is ready; what is in it tells where the lab is.
    pub(crate) fn ready(&self) -> PathBuf {
        self.join("ready.json")
    }

    /// What the keeper and the first process inside say.
    pub(crate) fn log(&self) -> PathBuf {
        self.join("lab.log")
    }
}
