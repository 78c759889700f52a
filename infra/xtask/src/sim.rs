//! `sim`: the ledger's simulator over many seeds.

use anyhow::{Result, bail};

use crate::{asks_for_help, cargo::cargo};

const HELP: &str = "\
cargo xtask sim [--seeds N] [--from S] [--mutant NAME] [--verbose]

Runs the production engine, storage and state under N seeds of faults (500), from seed S (1). Says
which faults fired; a failure names its seed and the command that replays it. With a rule of the
protocol broken on purpose (services/ledger-consensus/src/rules.rs) seeds must fail.
";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, HELP) {
        return Ok(());
    }
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--package", "ledger-sim", "--"]).args(arguments);
    let status = command.status()?;
    if status.success() { Ok(()) } else { bail!("the simulation failed") }
}
