//! The installed programs, each run once with a bounded wait.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use crate::{error::ClusterError, owner::Owner};

/// How long any of PostgreSQL's programs may take.
pub(crate) const PROGRAM_TIME_MAX: Duration = Duration::from_secs(60);
/// Lines of a program's output that an error repeats.
const OUTPUT_LINES_MAX: usize = 12;

/// Where the programs are, and who runs them.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    dir: PathBuf,
    owner: Owner,
}

/// What a program printed, and whether it ended well.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    output: String,
}

impl Binaries {
    pub(crate) fn find(dir: &Path, major: u16, owner: Owner) -> Result<Self, ClusterError> {
        if dir.join("initdb").is_file() && dir.join("pg_ctl").is_file() {
            Ok(Self { dir: dir.to_owned(), owner })
        } else {
            Err(ClusterError::NotInstalled { major, looked_in: dir.to_owned() })
        }
    }

    /// Runs a program to its end. `wait` ends our patience, not the program.
    pub(crate) async fn run<'a>(
        &self,
        program: &'static str,
        arguments: impl IntoIterator<Item = &'a std::ffi::OsStr>,
        in_dir: &Path,
    ) -> Result<Ended, ClusterError> {
        let path = self.dir.join(program);
        let output =
            tempfile::tempfile().map_err(ClusterError::io("create", "a temporary file"))?;
        let handle = || output.try_clone().map_err(ClusterError::io("share", "a temporary file"));
        let mut command = Command::new(&path);
        // A file, not a pipe: the server that pg_ctl leaves behind would keep a pipe open.
        command
            .args(arguments)
            .current_dir(in_dir)
            .env_remove("PGDATA")
            .env_remove("PGOPTIONS")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(handle()?)
            .stderr(handle()?);
        if let Owner::Postgres { uid, gid } = self.owner {
            command.uid(uid).gid(gid);
        }
        let mut child = command.spawn().map_err(ClusterError::io("start", &path))?;
        let status = timeout(PROGRAM_TIME_MAX, child.wait())
            .await
            .map_err(|_| ClusterError::TimedOut { program, waited_s: PROGRAM_TIME_MAX.as_secs() })?
            .map_err(ClusterError::io("wait for", &path))?;
        Ok(Ended { code: status.code(), output: last_lines(output) })
    }
}

impl Ended {
    /// The program's output as an error, unless it ended well.
    pub(crate) fn check(self, program: &'static str) -> Result<(), ClusterError> {
        if self.code == Some(0) {
            Ok(())
        } else {
            Err(ClusterError::Program { program, output: self.output })
        }
    }
}

fn last_lines(mut output: std::fs::File) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let mut text = Vec::new();
    // What cannot be read is only missing from a message about another error.
    let read = output.seek(SeekFrom::Start(0)).and_then(|_| output.read_to_end(&mut text));
    if read.is_err() {
        return "its output could not be read".to_owned();
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..].join("; ")
}
