//! `kube-lab`: the lab's own program, with what it needs installed first.

use anyhow::{Result, ensure};

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
    ensure!(command.status()?.success(), "it did not succeed");
    Ok(())
}
