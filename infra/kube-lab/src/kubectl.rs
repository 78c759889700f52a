//! Questions to the API server, by its own command line.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// The command line with somebody's rights.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    pub(crate) program: PathBuf,
    pub(crate) kubeconfig: PathBuf,
}

impl Kubectl {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--request-timeout=5s");
        command.args(arguments);
        command
    }

    /// What it answers.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().context("kubectl cannot be run")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {}: {complaint}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Whether it succeeds, without a word.
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> bool {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}
