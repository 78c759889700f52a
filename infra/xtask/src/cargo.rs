//! Calls of cargo, with one target folder outside the checkout.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

/// The packages of the programs, always built together: another choice is another choice of their
/// dependencies' features, and compiles those again.
const PROGRAMS: [&str; 3] = ["hansa", "ledger-node", "load"];

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // At run time, as cargo says it: the build may be shared between checkouts.
    let here =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| "infra/xtask".into(), PathBuf::from);
    let here = here.canonicalize().unwrap_or(here);
    here.ancestors().nth(2).expect("infra/xtask is two folders below the root").to_owned()
}

/// `CARGO_TARGET_DIR`, or `~/.cache/hansa/target`: a fresh checkout on a warm machine is quick.
pub(crate) fn target_folder() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => folder.into(),
        None => {
            let home = env::var_os("HOME").unwrap_or_else(|| "/root".into());
            Path::new(&home).join(".cache/hansa/target")
        }
    }
}

/// Cargo in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).env("CARGO_TARGET_DIR", target_folder());
    // Set by the outer `cargo run`; the inner one must choose for itself.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("RUST_RECURSION_COUNT");
    command
}

/// Builds the programs; their folder. Those of a release are the same bytes wherever they are built.
pub(crate) fn build_programs(release: bool) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--locked"]);
    if release {
        build.args(["--release", "--config", &without_paths()]);
    }
    build.args(PROGRAMS.iter().flat_map(|program| ["--package", program]));
    ensure!(build.status()?.success(), "the programs could not be built");
    Ok(target_folder().join(if release { "release" } else { "debug" }))
}

/// A setting of cargo's by which paths of this machine stay out of programs. It is one of the releases'
/// only: another setting compiles everything again, and the other profile is shared with the tests.
fn without_paths() -> String {
    let home = env::var_os("HOME").unwrap_or_else(|| "/root".into());
    let registry =
        env::var_os("CARGO_HOME").map_or_else(|| Path::new(&home).join(".cargo"), PathBuf::from);
    // The last one that fits counts: the target folder may lie in one of the others.
    let places = [(root(), "/hansa"), (registry, "/cargo"), (target_folder(), "/target")];
    let flags = places.map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
    format!("target.'cfg(unix)'.rustflags = {flags:?}")
}
