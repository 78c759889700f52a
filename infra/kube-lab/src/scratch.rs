//! A lab of one's own: in a folder that nobody else has, gone when its holder is.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::{
    folder::Folder,
    lab::{Lab, Status},
};

/// A lab that ends when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    lab: Lab,
    status: Status,
    // After the lab: it lies in there.
    _folder: TempDir,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A failed test's lab ends by itself at the latest with its starter.
        let _ = self.lab.down(false);
    }
}

impl Scratch {
    /// Starts one and waits until it is ready; `program` is this crate's own.
    ///
    /// # Errors
    /// As [`Lab::up`].
    pub fn start(program: PathBuf) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let lab = Lab::new(Folder::new(Some(folder.path().join("lab")))?, program);
        let status = lab.up(&|what| eprintln!("{what}"))?;
        Ok(Self { lab, status, _folder: folder })
    }

    /// The lab.
    #[must_use]
    pub const fn lab(&self) -> &Lab {
        &self.lab
    }

    /// How it did when it was ready.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// This machine, seen from pods.
    ///
    /// # Errors
    /// When the lab has ended.
    pub fn host(&self) -> Result<&str> {
        self.status.host.as_deref().context("the lab has no address of this machine")
    }

    /// The lab's one machine, seen from this one.
    ///
    /// # Errors
    /// When the lab has ended.
    pub fn machine(&self) -> Result<&str> {
        self.status.machine.as_deref().context("the lab has no machine")
    }

    /// `kubectl`, as the lab's administrator.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.status.kubectl);
        command.arg("--kubeconfig").arg(&self.status.kubeconfig);
        command
    }

    /// `helm`, as the lab's administrator.
    #[must_use]
    pub fn helm(&self) -> Command {
        let mut command = Command::new(&self.status.helm);
        command.arg("--kubeconfig").arg(&self.status.kubeconfig);
        command
    }

    /// Sends a signal, by its name, to a program of the lab.
    ///
    /// # Errors
    /// When none of that name runs.
    pub fn signal(&self, program: &str, signal: &str) -> Result<()> {
        let mut command = self.lab.inside("pkill")?;
        let status = command.arg(format!("-{signal}")).args(["-x", program]).status()?;
        ensure!(status.success(), "no {program} runs in the lab");
        Ok(())
    }
}
