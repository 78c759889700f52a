//! A program's call and what it said.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// What a call said.
#[derive(Debug)]
pub struct Said {
    /// The exit code; nothing after a signal.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Said {
    /// Runs `command` to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn of(command: &mut Command) -> Result<Self> {
        let output = command.stdin(Stdio::null()).output();
        Ok(output.with_context(|| format!("{command:?} cannot be started"))?.into())
    }

    /// Runs `command` to its end with `input` on its standard input.
    ///
    /// # Errors
    /// When it cannot be started, or does not read.
    pub fn fed(command: &mut Command, input: &str) -> Result<Self> {
        let [own, out, err] = [(); 3].map(|()| Stdio::piped());
        let child = command.stdin(own).stdout(out).stderr(err).spawn();
        let mut child = child.with_context(|| format!("{command:?} cannot be started"))?;
        child.stdin.take().context("piped above")?.write_all(input.as_bytes())?;
        Ok(child.wait_with_output()?.into())
    }

    /// Its output, if it ended well.
    ///
    /// # Errors
    /// When it did not: with what it said.
    pub fn well(self) -> Result<String> {
        ensure!(self.code == Some(0), "exit {:?}\n{}{}", self.code, self.out, self.err);
        Ok(self.out)
    }

    /// Its output as JSON, if it ended well.
    ///
    /// # Errors
    /// When it did not, or said something else.
    pub fn json(self) -> Result<Value> {
        let out = self.well()?;
        serde_json::from_str(&out).with_context(|| format!("this is no JSON: {out}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The folder of the built programs: the one that holds this test too.
///
/// # Errors
/// When they were not built.
pub fn programs() -> Result<PathBuf> {
    // This test is in `debug/deps`.
    let own = std::env::current_exe()?;
    let folder = own.ancestors().nth(2).context("a program lies in a folder")?.to_owned();
    for name in ["hansa", "hansa-node"] {
        ensure!(
            folder.join(name).exists(),
            "{name} is not in {}: `cargo build -p hansa -p ledger-node`, or `cargo xtask test e2e`",
            folder.display()
        );
    }
    Ok(folder)
}
