//! A Go module of this project that only names programs of others.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

/// A folder with `go.mod` and `go.sum`, and what is built from it.
#[derive(Clone, Copy, Debug)]
pub struct Module<'a> {
    /// The folder; its name is the module's in the cache.
    pub folder: &'a Path,
    /// What the programs depend on besides the lock: another release is another build.
    pub release: &'a str,
    /// The programs' names, and the packages they are built from.
    pub programs: &'a [(&'a str, &'a str)],
    /// What the linker is told for a package.
    pub link: fn(&str) -> String,
}

impl Module<'_> {
    /// What a build depends on, in few characters.
    ///
    /// # Errors
    /// When the module has no lock.
    pub fn lock(&self) -> Result<String> {
        let mut hash = Sha256::new_with_prefix(self.release);
        for file in ["go.mod", "go.sum"] {
            let path = self.folder.join(file);
            hash.update(fs::read(&path).with_context(|| path.display().to_string())?);
        }
        Ok(hex::encode(hash.finalize())[..16].to_owned())
    }

    /// Builds one of the packages; the program is there whole or not at all.
    pub(crate) fn build(&self, package: &str, program: &Path) -> Result<()> {
        let flags = format!("-s -w {}", (self.link)(package));
        let partial = program.with_extension("partial");
        let mut command = Command::new("go");
        command.args(["build", "-mod=readonly", "-trimpath", "-ldflags", flags.trim_end(), "-o"]);
        command.arg(&partial).arg(package).current_dir(self.folder).env("CGO_ENABLED", "0");
        let status =
            command.status().context("go cannot be started; Go 1.26 or newer is needed")?;
        ensure!(status.success(), "{package} could not be built: {status}");
        fs::rename(&partial, program).context("keeping a program")
    }
}
