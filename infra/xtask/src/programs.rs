//! The workspace's test programs: built by one call of cargo, so that every package is compiled
//! with one set of features and once, and run one after the other.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::cargo::cargo;

/// A program with tests in it.
pub(crate) struct TestProgram {
    /// The package that it tests.
    pub(crate) package: String,
    /// What it is built from: the library, or a file of tests.
    target: String,
    /// Where tests expect to run: the package's folder.
    folder: PathBuf,
    path: PathBuf,
}

/// What tests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// Builds all of them.
pub(crate) fn build() -> Result<Vec<TestProgram>> {
    let mut command = cargo();
    command.args(["test", "--locked", "--workspace", "--no-run"]);
    command.arg("--message-format=json-render-diagnostics");
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().expect("piped above");
    let mut programs = Vec::new();
    for line in BufReader::new(output).lines() {
        programs.extend(read(&line?)?);
    }
    ensure!(child.wait()?.success(), "the tests could not be built");
    Ok(programs)
}

/// A test program, if cargo tells of one in this line.
fn read(line: &str) -> Result<Option<TestProgram>> {
    let message: Value = serde_json::from_str(line).context("cargo speaks JSON")?;
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    let is_test = message.pointer("/profile/test") == Some(&Value::Bool(true));
    let Some(path) = text("/executable").filter(|_| is_test) else { return Ok(None) };
    let manifest = Path::new(text("/manifest_path").context("a manifest")?);
    let folder = manifest.parent().context("a package's folder")?.to_owned();
    // `path+file:///folder/name#version`, or `…/folder#name@version`.
    let id = text("/package_id").context("a package id")?;
    let (place, tail) = id.rsplit_once('#').context("a package id has a version")?;
    let package = match tail.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or(place),
    };
    Ok(Some(TestProgram {
        package: package.to_owned(),
        target: text("/target/name").unwrap_or_default().to_owned(),
        folder,
        path: path.into(),
    }))
}

impl TestProgram {
    /// The program in its place, without arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }

    /// Runs it, shows what it says, and counts. A program that breaks off has failed once more than
    /// it says.
    pub(crate) fn run(&self, environment: &[(&str, &OsStr)]) -> Result<Counts> {
        println!("\n-- {} ({})", self.package, self.target);
        let mut command = self.command();
        command.envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("piped above");
        let mut counts = Counts::default();
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            if let Some(result) = line.trim_start().strip_prefix("test result: ") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
            }
        }
        if !child.wait()?.success() && counts.failed == 0 {
            counts.failed = 1;
        }
        Ok(counts)
    }
}

fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{number_before, read};

    #[test]
    fn counts_are_read_from_the_test_runner() {
        // CI believes the summary: a misread line would hide failures.
        let line = "FAILED. 31 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!((number_before(line, " passed"), number_before(line, " failed")), (31, 2));
    }

    #[test]
    fn test_programs_are_told_from_other_artifacts() {
        // A program that is passed over is a part of the tests that nobody runs.
        let line = |test: bool, id: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///p/{id}","manifest_path":
                "/p/core/Cargo.toml","target":{{"name":"main"}},"profile":{{"test":{test}}},
                "executable":"/t/main-1"}}"#
            )
        };
        let found = read(&line(true, "core#hansa-core@0.1.0")).unwrap().unwrap();
        assert_eq!((found.package.as_str(), found.target.as_str()), ("hansa-core", "main"));
        assert_eq!(found.folder.to_str(), Some("/p/core"));
        let found = read(&line(true, "arch#0.1.0")).unwrap().unwrap();
        assert_eq!(found.package, "arch");
        assert!(read(&line(false, "core#hansa-core@0.1.0")).unwrap().is_none());
        assert!(read(r#"{"reason":"build-finished","success":true}"#).unwrap().is_none());
    }
}
