//! What is remembered of a workload between two controllers, and what to do next about it.

use std::{fs, io, path::Path, time::Duration};

use hansa_core::{Generation, LedgerId, Name, NodeId, TenantId, Timestamp};
use hansa_runtime::{Fault, Trouble, WorkloadState};
use serde::{Deserialize, Serialize};

use crate::{
    ports::Ports,
    process::{ProcessId, rest_after},
};

/// How long a process may take to end before it is killed.
const END_GRACE: Duration = Duration::from_secs(10);
/// How long a process must have run to be well again.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// One workload, as `workload.json` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) node: NodeId,
    pub(crate) ledger: LedgerId,
    pub(crate) tenant: TenantId,
    pub(crate) name: Name,
    pub(crate) generation: Generation,
    pub(crate) run: bool,
    pub(crate) removed: bool,
    pub(crate) ports: Ports,
    pub(crate) enrolment_url: String,
    pub(crate) process: Option<ProcessId>,
    pub(crate) ending_since: Option<Timestamp>,
    pub(crate) restarts: u32,
    pub(crate) rests_until: Option<Timestamp>,
    pub(crate) trouble: Option<Trouble>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// All is as wished, or must only be waited for.
    Nothing,
    /// Start a process.
    Start,
    /// Ask the process to end.
    End,
    /// The process was asked and has not ended.
    Kill,
    /// The process has ended: note it.
    Ended {
        /// Nobody asked it to.
        by_itself: bool,
    },
    /// It has run well for a while: forget what went wrong before.
    Well,
    /// It is removed and has no process: put its folder aside.
    Retire,
}

impl Record {
    /// Decides, from what is remembered and whether the remembered process is alive.
    pub(crate) fn next(&self, alive: bool, now: Timestamp) -> Next {
        let wanted = self.run && !self.removed;
        match &self.process {
            Some(process) if alive => {
                if wanted && process.generation == self.generation && self.ending_since.is_none() {
                    let long = now.since(process.started_at).is_some_and(|t| t >= WELL_AFTER);
                    let ill = self.trouble.is_some() || self.restarts > 0;
                    return if long && ill { Next::Well } else { Next::Nothing };
                }
                match self.ending_since {
                    None => Next::End,
                    Some(since) if now.since(since).is_some_and(|t| t >= END_GRACE) => Next::Kill,
                    Some(_) => Next::Nothing,
                }
            }
            Some(_) => Next::Ended { by_itself: self.ending_since.is_none() },
            None if self.removed => Next::Retire,
            None if wanted && self.rests_until.is_none_or(|until| now >= until) => Next::Start,
            None => Next::Nothing,
        }
    }

    /// Notes that the process has ended.
    pub(crate) fn ended(&mut self, by_itself: bool, evidence: impl FnOnce() -> String) {
        self.process = None;
        self.ending_since = None;
        if by_itself {
            self.trouble = Some(Trouble { fault: Fault::Crashed, detail: evidence() });
        }
    }

    /// Rests before the next start, longer each time.
    pub(crate) fn rest(&mut self, now: Timestamp) {
        self.restarts = self.restarts.saturating_add(1);
        self.rests_until = Some(now + rest_after(self.restarts));
    }

    /// What an observer is told.
    pub(crate) fn state(&self, alive: bool) -> WorkloadState {
        let wanted = self.run && !self.removed;
        let current = self.process.as_ref().filter(|_| alive);
        match (wanted, current) {
            (true, Some(process))
                if process.generation == self.generation && self.ending_since.is_none() =>
            {
                WorkloadState::Running
            }
            (true, Some(_)) => WorkloadState::Starting,
            (true, None) if self.trouble.is_some() => WorkloadState::BackingOff,
            (true, None) => WorkloadState::Starting,
            (false, Some(_)) => WorkloadState::Stopping,
            (false, None) => WorkloadState::Stopped,
        }
    }

    /// Reads a record.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
    }

    /// Writes it so that a crash leaves the old or the new one.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        fs::File::open(&temporary)?.sync_all()?;
        fs::rename(&temporary, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            node: NodeId::new(),
            ledger: LedgerId::new(),
            tenant: TenantId::new(),
            name: "one".parse().unwrap(),
            generation: Generation::FIRST,
            run: true,
            removed: false,
            ports: Ports { p2p: 1, http: 2, metrics: 3 },
            enrolment_url: String::new(),
            process: None,
            ending_since: None,
            restarts: 0,
            rests_until: None,
            trouble: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    fn with_process(mut record: Record) -> Record {
        record.process = Some(ProcessId {
            pid: 1,
            start_ticks: 1,
            boot_id: String::new(),
            generation: record.generation,
            started_at: at(100),
        });
        record
    }

    #[test]
    fn a_process_that_does_not_end_is_killed_only_after_its_grace() {
        // A node needs time to write its clean-stop mark; one that hangs must not stay for ever.
        let mut record = with_process(record());
        record.run = false;
        assert_eq!(record.next(true, at(100)), Next::End);
        record.ending_since = Some(at(100));
        assert_eq!(record.next(true, at(109)), Next::Nothing);
        assert_eq!(record.next(true, at(110)), Next::Kill);
        assert_eq!(record.next(false, at(105)), Next::Ended { by_itself: false });
    }

    #[test]
    fn a_crash_is_told_rests_and_is_forgotten_after_a_while() {
        // Without a rest a broken node would be started thousands of times a minute.
        let mut record = with_process(record());
        assert_eq!(record.next(false, at(101)), Next::Ended { by_itself: true });
        record.ended(true, || "ended with signal 9".to_owned());
        record.rest(at(101));
        assert_eq!(record.state(false), WorkloadState::BackingOff);
        assert_eq!(record.next(false, at(101)), Next::Nothing, "it must rest first");
        assert_eq!(record.next(false, at(102)), Next::Start);
        let mut record = with_process(record);
        assert_eq!(record.next(true, at(101)), Next::Nothing);
        assert_eq!(record.next(true, at(161)), Next::Well);
        record.trouble = None;
        record.restarts = 0;
        assert_eq!(record.next(true, at(161)), Next::Nothing);
    }

    #[test]
    fn rests_grow_and_stay_bounded() {
        // A node that cannot start must be tried often enough to come back soon after its repair.
        let rests: Vec<_> = (1..=20).map(rest_after).collect();
        assert!(rests.is_sorted(), "{rests:?}");
        assert_eq!(rests[0], Duration::from_millis(500));
        assert_eq!(rests[19], Duration::from_secs(60));
    }

    #[test]
    fn a_removed_workload_ends_before_its_folder_moves() {
        // Moving the folder of a process that writes would lose what it wrote.
        let mut record = with_process(record());
        record.removed = true;
        assert_eq!(record.next(true, at(100)), Next::End);
        record.process = None;
        assert_eq!(record.next(false, at(100)), Next::Retire);
    }
}
