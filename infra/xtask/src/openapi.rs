//! `openapi`: the checked-in documents, made again from the code.

use anyhow::{Result, ensure};

use crate::{asks_for_help, packages, programs};

const HELP: &str = "\
cargo xtask openapi

Writes openapi/*.json from the code, for the clients that are made from them. Builds the tests
first: 16 minutes on 2 cores from nothing, seconds when warm.
";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, HELP) {
        return Ok(());
    }
    packages::install_missing(packages::PROJECT)?;
    let programs = programs::build()?;
    for package in ["hansa-api", "ledger-node"] {
        for program in programs.iter().filter(|program| program.package == package) {
            let written = program.command().arg("openapi").env("HANSA_GOLDEN", "write").status()?;
            ensure!(written.success(), "the document of {package} could not be written");
        }
    }
    Ok(())
}
