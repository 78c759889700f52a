//! `test`: parts in order, a summary at the end.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{asks_for_help, cargo::cargo, check, packages};

/// A part: its name, and the packages whose tests it runs (by prefix).
const PARTS: [(&str, &[&str]); 2] =
    [("ledger", &["ledger-"]), ("control", &["hansa", "arch", "xtask"])];

const HELP: &str = "\
cargo xtask test [PART] [--full]

Parts: check, ledger, control, web, e2e; all of them without a name. Installs missing Debian
packages first. Within 45 minutes on 2 cores from nothing, 12 when warm; docs/testing.md has each
part's minutes.
--full adds the long runs: 10,000 simulator seeds.
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
    let known = |name: &str| {
        ["check", "web", "e2e"].contains(&name) || PARTS.iter().any(|(part, _)| *part == name)
    };
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        bail!("there is no part {unknown:?}; see --help");
    }
    packages::install_missing()?;
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|w| *w == name);
    let mut reports = Vec::new();
    if chosen("check") {
        reports.push(timed("check", || match check::check(&[]) {
            Ok(()) => (1, 0, true),
            Err(error) => {
                eprintln!("{error:#}");
                (0, 1, false)
            }
        }));
    }
    for (name, prefixes) in PARTS {
        let packages = packages_of(prefixes)?;
        if chosen(name) && !packages.is_empty() {
            reports.push(timed(name, || run_tests(&packages)));
        }
    }
    for (name, steps) in [("web", crate::whole::WEB), ("e2e", crate::whole::E2E)] {
        if chosen(name) {
            reports.push(timed(name, || crate::whole::run(steps)));
        }
    }
    if full && chosen("ledger") {
        reports.push(timed("sim", || match crate::sim::run(&["--seeds".into(), "10000".into()]) {
            Ok(()) => (1, 0, true),
            Err(_) => (0, 1, false),
        }));
    }
    summarise(&reports)
}

fn timed(name: &'static str, run: impl FnOnce() -> (u64, u64, bool)) -> Report {
    println!("\n== {name}");
    let start = Instant::now();
    let (passed, failed, success) = run();
    Report { name, passed, failed, success, time: start.elapsed() }
}

/// The workspace's packages whose names begin in one of these ways.
fn packages_of(prefixes: &[&str]) -> Result<Vec<String>> {
    let output =
        cargo().args(["tree", "--workspace", "--depth", "0", "--prefix", "none"]).output()?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    let ours = |name: &&str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    Ok(names.filter(ours).map(str::to_owned).collect())
}

/// Runs the packages' tests, shows what cargo says, and counts.
fn run_tests(packages: &[String]) -> (u64, u64, bool) {
    let mut command = cargo();
    command.args(["test", "--locked", "--no-fail-fast"]);
    packages.iter().for_each(|package| {
        command.args(["--package", package]);
    });
    match count(command) {
        Ok(counts) => counts,
        Err(error) => {
            eprintln!("{error:#}");
            (0, 1, false)
        }
    }
}

fn count(mut command: Command) -> Result<(u64, u64, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().expect("piped above");
    let (mut passed, mut failed) = (0, 0);
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        if let Some(result) = line.trim_start().strip_prefix("test result: ") {
            passed += number_before(result, " passed");
            failed += number_before(result, " failed");
        }
    }
    Ok((passed, failed, child.wait()?.success()))
}

fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::number_before;

    #[test]
    fn counts_are_read_from_the_test_runner() {
        // CI believes the summary: a misread line would hide failures.
        let line = "FAILED. 31 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!((number_before(line, " passed"), number_before(line, " failed")), (31, 2));
    }
}
