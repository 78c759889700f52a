//! `test`: parts in order, a summary at the end.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    asks_for_help, check, images, packages,
    programs::{self, Counts, TestProgram},
    reproducible, terraform, whole,
};

/// A part: its name, and the packages whose tests it runs (by prefix).
const PARTS: [(&str, &[&str]); 2] = [
    ("ledger", &["ledger-"]),
    ("control", &["hansa", "arch", "go-programs", "image", "load", "xtask"]),
];

/// The packages of the part that runs a cluster, and of what is installed into one.
const KUBE: &[&str] = &["chart", "hansa-runtime-kube", "kube-lab", "pods"];

/// The packages of the part that runs the whole product.
const E2E: &[&str] = &["e2e"];

/// Whether a part runs test programs of cargo's.
fn needs_programs(part: &str) -> bool {
    ["e2e", "kube"].contains(&part) || PARTS.iter().any(|(name, _)| *name == part)
}

const HELP: &str = "\
cargo xtask test [PART] [--full]

Parts: check, ledger, control, kube, web, e2e; all of them without a name. Installs missing Debian
packages first; kube needs root and Go, and builds its own Kubernetes once. 37 minutes on 2
cores when warm, half an hour more from nothing; docs/testing.md has each part's minutes.
--full adds the long runs, each to its part: infra/terraform to check, 10,000 simulator seeds to
ledger, images from two clean builds to control.
";

/// What a part has done.
struct Report {
    name: &'static str,
    passed: u64,
    failed: u64,
    /// Whether it ended well as a whole.
    success: bool,
    time: Duration,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, HELP) {
        return Ok(());
    }
    let full = arguments.iter().any(|a| a == "--full");
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let known = |name: &str| ["check", "web", "e2e"].contains(&name) || needs_programs(name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        bail!("there is no part {unknown:?}; see --help");
    }
    packages::install_missing(packages::PROJECT)?;
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|w| *w == name);
    let mut reports = Vec::new();
    if chosen("check") {
        reports.push(timed("check", || one(check::check(&[]))));
    }
    let built = if wanted.is_empty() || wanted.iter().any(|part| needs_programs(part)) {
        let mut built = Vec::new();
        reports.push(timed("build", || match programs::build() {
            Ok(programs) => {
                let lost = without_a_part(&programs);
                lost.iter().for_each(|package| eprintln!("no part runs the tests of {package}"));
                let lost = lost.len() as u64;
                built = programs;
                (1, lost, lost == 0)
            }
            Err(error) => {
                eprintln!("{error:#}");
                (0, 1, false)
            }
        }));
        built
    } else {
        Vec::new()
    };
    for (name, prefixes) in PARTS {
        if chosen(name) {
            reports.push(timed(name, || run_tests(&built, prefixes)));
        }
    }
    if chosen("kube") {
        reports.push(timed("kube", || kube(&built)));
    }
    if chosen("web") {
        reports.push(timed("web", || whole::run(whole::WEB)));
    }
    if chosen("e2e") {
        reports.push(timed("e2e", || {
            let (walked, broken, well) = whole::run(whole::E2E);
            if !well {
                return (walked, broken, false);
            }
            let (passed, failed, success) = run_tests(&built, E2E);
            (walked + passed, broken + failed, success)
        }));
    }
    if full && chosen("check") {
        reports.push(timed("terraform", || match terraform::check() {
            Ok((passed, failed)) => (passed, failed, failed == 0),
            Err(error) => {
                eprintln!("{error:#}");
                (0, 1, false)
            }
        }));
    }
    if full && chosen("ledger") {
        let seeds = ["--seeds", "10000"].map(str::to_owned);
        reports.push(timed("sim", || one(crate::sim::run(&seeds))));
    }
    if full && chosen("control") {
        reports.push(timed("images", || one(reproducible::check())));
    }
    summarise(&reports)
}

/// What runs a cluster of its own, with the images of this tree.
fn kube(built: &[TestProgram]) -> (u64, u64, bool) {
    let make = || -> Result<_> {
        packages::install_missing(packages::LAB)?;
        Ok((images::NODE.make(false)?, images::HANSA.make(false)?))
    };
    match make() {
        Ok((node, hansa)) => {
            let named =
                [("HANSA_NODE_IMAGE", node.as_os_str()), ("HANSA_IMAGE", hansa.as_os_str())];
            run_tests_with(built, KUBE, &named)
        }
        Err(error) => {
            eprintln!("{error:#}");
            (0, 1, false)
        }
    }
}

/// A part that is one test.
fn one(result: Result<()>) -> (u64, u64, bool) {
    match result {
        Ok(()) => (1, 0, true),
        Err(error) => {
            eprintln!("{error:#}");
            (0, 1, false)
        }
    }
}

fn timed(name: &'static str, run: impl FnOnce() -> (u64, u64, bool)) -> Report {
    println!("\n== {name}");
    let start = Instant::now();
    let (passed, failed, success) = run();
    Report { name, passed, failed, success, time: start.elapsed() }
}

/// Whether a package's name begins in one of these ways.
fn is_of(package: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| package.starts_with(prefix))
}

/// Packages whose tests nobody would run.
fn without_a_part(programs: &[TestProgram]) -> BTreeSet<&str> {
    let packages = programs.iter().map(|program| program.package.as_str());
    let has_part = |package: &str| {
        is_of(package, E2E)
            || is_of(package, KUBE)
            || PARTS.iter().any(|(_, own)| is_of(package, own))
    };
    packages.filter(|package| !has_part(package)).collect()
}

/// Runs the test programs of the packages whose names begin in one of these ways.
fn run_tests(programs: &[TestProgram], prefixes: &[&str]) -> (u64, u64, bool) {
    run_tests_with(programs, prefixes, &[])
}

fn run_tests_with(
    programs: &[TestProgram],
    prefixes: &[&str],
    environment: &[(&str, &OsStr)],
) -> (u64, u64, bool) {
    // What needs a cluster has a part of its own, whatever its name begins with.
    let in_kube = |package: &str| is_of(package, KUBE);
    let is_kube = prefixes == KUBE;
    let ours = |program: &&TestProgram| {
        is_of(&program.package, prefixes) && is_kube == in_kube(&program.package)
    };
    let mut all = Counts::default();
    for program in programs.iter().filter(ours) {
        let counts = program.run(environment).unwrap_or_else(|error| {
            eprintln!("{error:#}");
            Counts { passed: 0, failed: 1 }
        });
        all.passed += counts.passed;
        all.failed += counts.failed;
    }
    (all.passed, all.failed, all.failed == 0)
}

fn summarise(reports: &[Report]) -> Result<()> {
    println!("\n{:<10} {:>8} {:>8} {:>8}", "part", "passed", "failed", "seconds");
    for report in reports {
        let Report { name, passed, failed, success, time } = report;
        let note = if *success { "" } else { "  FAILED" };
        println!("{name:<10} {passed:>8} {failed:>8} {:>8}{note}", time.as_secs());
    }
    let passed: u64 = reports.iter().map(|r| r.passed).sum();
    // A part that broke off without a failed test still failed.
    let broken = |r: &&Report| !r.success && r.failed == 0;
    let failed = reports.iter().map(|r| r.failed).sum::<u64>()
        + reports.iter().filter(broken).count() as u64;
    println!("{passed} passed, {failed} failed");
    if failed == 0 { Ok(()) } else { bail!("{failed} failed") }
}
