//! One process: started in a session of its own, recognised again, ended.

use std::{fs, path::Path, process::Stdio, time::Duration};

use hansa_core::{Generation, Timestamp};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, pidfd_send_signal, prlimit,
};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

/// Private memory of a node (`RLIMIT_DATA`): beyond it, allocations fail and the node ends.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// Open files of a node: peers, clients and segments.
const OPEN_FILES_MAX: u64 = 8_192;

/// Which process it is. A process id alone may be another program's tomorrow; with the start time
/// and the boot it cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// The process id.
    pub(crate) pid: u32,
    /// Clock ticks between the machine's boot and the start (proc(5), `stat`, field 22).
    pub(crate) start_ticks: u64,
    /// The boot of the machine (proc(5), `random/boot_id`).
    pub(crate) boot_id: String,
    /// The generation that it was started for.
    pub(crate) generation: Generation,
    /// When.
    pub(crate) started_at: Timestamp,
}

/// Why a process could not be started.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The program is not there or is no program.
    ProgramMissing(String),
    /// Something else; it may pass.
    Other(String),
}

/// This boot of the machine.
pub(crate) fn boot_id() -> std::io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

impl ProcessId {
    /// Whether this very process still runs.
    pub(crate) fn is_alive(&self, boot_id: &str) -> bool {
        self.boot_id == boot_id && start_ticks(self.pid) == Some(self.start_ticks)
    }

    /// Sends a signal to this very process; nothing happens when it has ended.
    pub(crate) fn signal(&self, boot_id: &str, signal: Signal) {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return };
        // The handle is opened before the check, so that the id cannot pass to another in between.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if self.is_alive(boot_id) {
            // An error says that it has ended by now.
            let _ = pidfd_send_signal(&handle, signal);
        }
    }
}

/// Start time of a process that runs; none for one that is gone or only waits to be buried.
fn start_ticks(pid: u32) -> Option<u64> {
    let (state, ticks) = stat(pid)?;
    (!matches!(state, 'Z' | 'X' | 'x')).then_some(ticks)
}

/// State and start time of a process that was not buried yet (proc(5), `stat`, fields 3 and 22).
fn stat(pid: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold anything, brackets too.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// A process that was started with exactly these arguments, by a controller that ended before it
/// could write down the id.
pub(crate) fn find(
    arguments: &[&str],
    generation: Generation,
    now: Timestamp,
) -> Option<ProcessId> {
    let boot_id = boot_id().ok()?;
    let tail = arguments.iter().flat_map(|a| [a.as_bytes(), &[0]].concat()).collect::<Vec<u8>>();
    let pids = fs::read_dir("/proc").ok()?.flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find_map(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        // An interpreter may come first; the arguments are the end, and each ends with a zero.
        let same = line.ends_with(&tail);
        let start_ticks = start_ticks(pid).filter(|_| same)?;
        Some(ProcessId { pid, start_ticks, boot_id: boot_id.clone(), generation, started_at: now })
    })
}

/// Starts `program` with `arguments` in `folder`, writing to `log`, in a session of its own.
pub(crate) fn start(
    program: &Path,
    arguments: &[&str],
    folder: &Path,
    log: fs::File,
    generation: Generation,
    now: Timestamp,
) -> Result<(Child, ProcessId), StartError> {
    let other = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| StartError::Other(format!("{what}: {error}"))
    };
    if !program.is_file() {
        return Err(StartError::ProgramMissing(format!("{} is not there", program.display())));
    }
    let boot_id = boot_id().map_err(other("the boot of this machine"))?;
    let again = log.try_clone().map_err(other("its log"))?;
    // `setsid` becomes the program: the process id stays.
    let child = Command::new("setsid")
        .arg(program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs(std::env::var_os("RUST_LOG").map(|filter| ("RUST_LOG", filter)))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(again)
        .spawn()
        .map_err(other("starting it"))?;
    let pid = child.id().ok_or_else(|| StartError::Other("it has no process id".to_owned()))?;
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        for (resource, most) in
            [(Resource::Data, MEMORY_BYTES_MAX), (Resource::Nofile, OPEN_FILES_MAX)]
        {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            if let Err(error) = prlimit(Some(pid), resource, limit) {
                tracing::warn!(?resource, %error, "a node runs without this limit");
            }
        }
    }
    // A child keeps its start time until it is buried, also when it has ended by now: the next look
    // buries it and tells how it ended and what it said last.
    let (_, start_ticks) =
        stat(pid).ok_or_else(|| StartError::Other(format!("process {pid} cannot be read")))?;
    Ok((child, ProcessId { pid, start_ticks, boot_id, generation, started_at: now }))
}

/// How long a crashed process rests before it is started again: doubling, at most a minute.
pub(crate) fn rest_after(restarts: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(60);
    Duration::from_millis(500).saturating_mul(1 << restarts.saturating_sub(1).min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    #[test]
    fn a_child_that_ended_has_a_start_time_until_it_is_buried() {
        // A node that ends before it is first looked at must be told with how it ended.
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        assert!(stat(child.id()).is_some(), "its start time was lost");
        assert_eq!(start_ticks(child.id()), None, "it counts as running");
        child.wait().unwrap();
    }
}
