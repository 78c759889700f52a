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

/// Asks a process to end, or ends it; whether there was one.
pub(crate) fn signal(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}
