//! `kube-lab`: the lab's own program, with what it needs installed first.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::{
    cargo::cargo,
    packages::{self, LAB},
};

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if arguments.first().is_some_and(|verb| verb == "up") {
        packages::install_missing(LAB)?;
    }
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet", "--package", "kube-lab", "--"]).args(arguments);
    // Its exit status is an answer, too.
    Err(command.exec()).context("cargo cannot be started")
}
