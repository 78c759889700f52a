//! `openapi`: the checked-in documents, made again from the code.

use anyhow::{Result, ensure};

use crate::{asks_for_help, cargo::cargo, packages};

const HELP: &str = "\
cargo xtask openapi

Writes openapi/*.json from the code, for the clients that are made from them. About 2 minutes on
2 cores, seconds when warm.
";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, HELP) {
        return Ok(());
    }
    packages::install_missing()?;
    for package in ["hansa-api", "ledger-node"] {
        let mut command = cargo();
        command.env("HANSA_GOLDEN", "write");
        command.args(["test", "--quiet", "--locked", "--package", package, "openapi"]);
        ensure!(command.status()?.success(), "the document of {package} could not be written");
    }
    Ok(())
}
