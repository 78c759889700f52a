//! `bench`: measured with the release profile, checked afterwards.

use anyhow::{Result, bail, ensure};

use crate::{
    asks_for_help,
    cargo::{cargo, target_folder},
    packages,
};

const HELP: &str = "\
cargo xtask bench ledger [--seconds N] [--rate N] [-o json|table] …

Four real node processes and a load generator on this machine: signed transfers between 100,000
accounts, every signature checked on every node, durable, with the state root. Prints one line;
afterwards all nodes are killed with -9 and restarted, and every promise is checked. Builds with the
release profile: about 8 minutes on 2 cores from nothing, then 1 minute. `bench ledger --help` lists
all settings.
";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let Some((what, settings)) = arguments.split_first() else {
        print!("{HELP}");
        return Ok(());
    };
    if what != "ledger" {
        asks_for_help(arguments, HELP);
        return if what.starts_with('-') { Ok(()) } else { bail!("there is no bench {what:?}") };
    }
    packages::install_missing()?;
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "ledger-node", "--package", "load"]);
    ensure!(build.status()?.success(), "the programs could not be built");
    let release = target_folder().join("release");
    let mut load = std::process::Command::new(release.join("load"));
    load.arg("--node-program").arg(release.join("hansa-node")).args(settings);
    ensure!(load.status()?.success(), "the measurement failed");
    Ok(())
}
