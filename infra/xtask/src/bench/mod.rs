//! `bench`: measured with the release profile, checked afterwards.

mod kube;

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Command},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    asks_for_help,
    cargo::{build_programs, root},
    packages, up,
};

const HELP: &str = "\
cargo xtask bench ledger [--seconds N] [--rate N] [-o json|table] …
cargo xtask bench launch [--count N] [-o json|table]
cargo xtask bench kube
cargo xtask bench peers [comet|etcd|postgres [SETTING…]]

ledger: four real node processes and a load generator on this machine: signed transfers between
100,000 accounts, every signature checked on every node, durable, with the state root. Prints one
line; afterwards all nodes are killed with -9 and restarted, and every promise is checked.
`bench ledger --help` lists all settings.

launch: a whole control plane; N times (10), from the accepted launch of four nodes to the first
block that they agree on.

kube: a cluster of this machine; five launches of four pods, then five deleted pods, each until its node
agrees again. Needs root and Go.

peers: what else a team might run, on the same machine; infra/peers/README.md says what is compared.
Needs Go.

Builds with the release profile: about 12 minutes on 2 cores from nothing, then a minute each.
";

/// Beside an installation on the usual port.
const LAUNCH_PORT: &str = "8190";

/// What peers are measured with, unless asked otherwise.
const PEERS: [&[&str]; 3] =
    [&["comet", "1000", "2000", "4000"], &["etcd", "1", "64", "256"], &["postgres", "1", "32"]];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["ledger", ref settings @ ..] => ledger(settings),
        ["launch", ref settings @ ..] => launch(settings),
        ["kube"] => kube::run(),
        ["peers"] => PEERS.iter().try_for_each(|words| peers(words)),
        ["peers", ref words @ ..] if !words[0].starts_with('-') => peers(words),
        [] => {
            print!("{HELP}");
            Ok(())
        }
        [what, ..] => {
            if asks_for_help(arguments, HELP) {
                return Ok(());
            }
            bail!("there is no bench {what:?}; see --help")
        }
    }
}

/// Builds the programs with the release profile; their folder.
fn release() -> Result<PathBuf> {
    packages::install_missing(packages::PROJECT)?;
    build_programs(true)
}

fn ledger(settings: &[&str]) -> Result<()> {
    let release = release()?;
    let mut load = Command::new(release.join("load"));
    load.arg("--node-program").arg(release.join("hansa-node")).args(settings);
    ensure!(load.status()?.success(), "the measurement failed");
    Ok(())
}

fn launch(settings: &[&str]) -> Result<()> {
    installed(release()?, LAUNCH_PORT, None, |options| {
        let measured = options.dev().arg("measure-launches").args(settings).status()?;
        ensure!(measured.success(), "the measurement failed");
        Ok(())
    })
}

/// Measures something of an installation that is made for it, and ended whatever comes of it.
fn installed(
    programs: PathBuf,
    port: &str,
    cluster: Option<&up::Cluster>,
    measure: impl FnOnce(&up::Options) -> Result<()>,
) -> Result<()> {
    let state = env::temp_dir().join(format!("hansa-bench-{}", process::id()));
    let options = up::Options {
        program: programs.join("hansa"),
        detach: true,
        demo: false,
        state: Some(state.clone()),
        port: Some(port.to_owned()),
        kube: cluster.is_some(),
    };
    let measured = up::start(&options, None, cluster).and_then(|_| measure(&options));
    up::stop(&options)?;
    fs::remove_dir_all(&state)?;
    measured
}

fn peers(words: &[&str]) -> Result<()> {
    let script = root().join("infra/peers/run.sh");
    let status = Command::new(&script).args(words).status();
    let status = status.with_context(|| script.display().to_string())?;
    ensure!(status.success(), "{words:?} could not be measured");
    Ok(())
}
