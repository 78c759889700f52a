//! Looking after processes by their ids.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The one child of a process, once it has one.
pub(crate) fn child_of(pid: u32, patience: Duration) -> Result<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(&path).with_context(|| format!("process {pid} has ended"))?;
        if let Some(child) = text.split_whitespace().next() {
            return child.parse().context("a process id");
        }
        anyhow::ensure!(began.elapsed() < patience, "process {pid} starts nothing");
        thread::sleep(LOOK_EVERY);
    }
}

/// Asks a process to end, if it still is.
pub(crate) fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Whoever asked looks whether it is gone.
        let _ = kill_process(pid, Signal::TERM);
    }
}
