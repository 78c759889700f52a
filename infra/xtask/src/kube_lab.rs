//! `kube-lab`: the lab's own program, with what it needs installed first.

use std::{ffi::OsStr, os::unix::process::CommandExt as _, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    cargo::{cargo, target_folder},
    packages::{self, LAB},
};

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if arguments.first().is_some_and(|verb| verb == "up") {
        packages::install_missing(LAB)?;
    }
    // Its exit status is an answer, too.
    Err(command(arguments).exec()).context("cargo cannot be started")
}

/// The lab's own program.
pub(crate) fn program() -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--locked", "--quiet", "--package", "kube-lab"]);
    ensure!(build.status()?.success(), "the lab's program could not be built");
    Ok(target_folder().join("debug/kube-lab"))
}

/// What the lab says to a question.
pub(crate) fn ask(arguments: &[&str]) -> Result<String> {
    let output = command(arguments).output().context("cargo cannot be started")?;
    // Status says by its exit code whether the lab is ready, and the same in its answer.
    let said = String::from_utf8(output.stdout)?;
    ensure!(!said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(said)
}

fn command(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet", "--package", "kube-lab", "--"]).args(arguments);
    command
}
