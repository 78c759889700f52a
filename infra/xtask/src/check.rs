//! `check` reads, `fix` writes.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{asks_for_help, cargo::cargo, packages};

const CHECK_HELP: &str = "\
cargo xtask check

Formatting, clippy and rustdoc, all without warnings; changes nothing. Needs what `test` needs;
about 3 minutes on 2 cores, seconds when warm.
";

const FIX_HELP: &str = "\
cargo xtask fix

Formats, and applies what clippy can mend by itself. About 3 minutes on 2 cores.
";

/// The checks, by name.
fn checks() -> Vec<(&'static str, Command)> {
    let mut format = cargo();
    format.args(["fmt", "--all", "--check"]);
    let mut clippy = cargo();
    clippy.args(["clippy", "--quiet", "--workspace", "--all-targets", "--locked"]);
    clippy.args(["--", "-D", "warnings"]);
    let mut doc = cargo();
    doc.args([
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    vec![("rustfmt", format), ("clippy", clippy), ("rustdoc", doc)]
}

/// Runs every check and names those that fail.
pub(crate) fn check(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, CHECK_HELP) {
        return Ok(());
    }
    packages::install_missing(packages::PROJECT)?;
    let mut failed = Vec::new();
    for (name, mut command) in checks() {
        println!("check: {name}");
        if !command.status()?.success() {
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

/// Mends what can be mended.
pub(crate) fn fix(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, FIX_HELP) {
        return Ok(());
    }
    packages::install_missing(packages::PROJECT)?;
    let mut clippy = cargo();
    clippy.args(["clippy", "--fix", "--workspace", "--all-targets", "--allow-dirty"]);
    clippy.arg("--allow-staged");
    let mut format = cargo();
    format.args(["fmt", "--all"]);
    for mut command in [clippy, format] {
        if !command.status()?.success() {
            bail!("{command:?} failed");
        }
    }
    Ok(())
}
