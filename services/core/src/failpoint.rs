//! Failpoints: a test lets a process die right before or right after any external write.
//!
//! Every external write of a reconciler or a driver goes through [`external_write!`](crate::external_write),
//! which names its [`Site`]. The sites are a closed list, so a walk over [`Failpoint::all`] is
//! complete by construction, and a point that never fires is found out.
//!
//! A process is armed by the environment variable that [`ARMED_BY`] names and dies by `abort` at
//! its first passage (or a later one: `kube.apply.before@3`), without running anything more. Unarmed,
//! a passage costs one relaxed load. All of this exists in builds with debug assertions only: in a
//! release build [`pass`] is empty, and neither the variable's name nor the state is compiled.

use std::fmt;

macro_rules! sites {
    ($($(#[$doc:meta])* $site:ident = $name:literal,)+) => {
        /// An external write: a commit, a call, or a change of files or processes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Site { $($(#[$doc])* $site,)+ }

        impl Site {
            /// Every site.
            pub const ALL: &'static [Self] = &[$(Self::$site,)+];

            /// Its name, which does not change.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$site => $name,)+ }
            }
        }
    };
}

sites! {
    /// An enrolment token is stored.
    NodeToken = "node.token",
    /// A node gets its turn to be restarted.
    NodeTurn = "node.turn",
    /// A workload is asked for.
    NodeApply = "node.apply",
    /// The end of a workload is asked for.
    NodeRemove = "node.remove",
    /// What a node does is recorded.
    NodeRecord = "node.record",
    /// A question for a node's log is answered.
    NodeLog = "node.log",
    /// What was found in a cluster is recorded.
    ClusterReport = "cluster.report",
    /// What a driver put right is written down.
    ClusterCorrect = "cluster.correct",
    /// A ledger's authority is asked of the vault, which makes it.
    LaunchAuthority = "launch.authority",
    /// A charter is stored.
    LaunchCharter = "launch.charter",
    /// A genesis is published.
    LaunchGenesis = "launch.genesis",
    /// A ledger is recorded as running.
    LaunchRunning = "launch.running",
    /// Operations are taken up.
    OperationLease = "operation.lease",
    /// An operation's progress is recorded.
    OperationProgress = "operation.progress",
    /// An operation's end is recorded.
    OperationFinish = "operation.finish",
    /// The end of a ledger's nodes, or its own, is recorded.
    LedgerEnd = "ledger.end",
    /// The end of a consortium's nodes, or its own, is recorded.
    ConsortiumEnd = "consortium.end",
    /// What a node says of itself is recorded.
    NodeObserve = "node.observe",
    /// What has had its time is removed.
    Housekeeping = "housekeeping",
    /// Volumes that were kept long enough are destroyed.
    VolumePurge = "volume.purge",
    /// The driver makes a workload's folder.
    DriverFolder = "driver.folder",
    /// The driver hands out an enrolment token.
    DriverToken = "driver.token",
    /// The driver remembers what was wished.
    DriverWish = "driver.wish",
    /// The driver writes a node's configuration.
    DriverConfig = "driver.config",
    /// The driver starts a process.
    DriverSpawn = "driver.spawn",
    /// The driver remembers which process it started.
    DriverStarted = "driver.started",
    /// The driver asks a process to end.
    DriverSignal = "driver.signal",
    /// The driver remembers how far a process has come.
    DriverStep = "driver.step",
    /// The driver remembers that a workload is to be removed.
    DriverRemoved = "driver.removed",
    /// The driver puts a removed workload's folder aside.
    DriverRetire = "driver.retire",
    /// The driver destroys a folder that was put aside.
    DriverPurge = "driver.purge",
    /// The cluster's driver writes an object.
    KubeApply = "kube.apply",
    /// The cluster's driver changes single fields of an object.
    KubeMerge = "kube.merge",
    /// The cluster's driver deletes an object.
    KubeDelete = "kube.delete",
}

/// Which side of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// It has not happened.
    Before,
    /// It has, and nobody was told.
    After,
}

/// A place where a process can be made to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failpoint {
    /// The write.
    pub site: Site,
    /// The side of it.
    pub edge: Edge,
}

impl Failpoint {
    /// Every failpoint: both edges of every site.
    pub fn all() -> impl Iterator<Item = Self> {
        let both = |site: &Site| [Edge::Before, Edge::After].map(|edge| Self { site: *site, edge });
        Site::ALL.iter().flat_map(both)
    }
}

impl fmt::Display for Failpoint {
    /// `node.token.before`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edge = match self.edge {
            Edge::Before => "before",
            Edge::After => "after",
        };
        write!(f, "{}.{edge}", self.site.name())
    }
}

/// Makes an external write between its two failpoints; its value is the write's.
#[macro_export]
macro_rules! external_write {
    ($site:ident, $write:expr) => {{
        use $crate::failpoint::{Edge, Site, pass};
        pass(Site::$site, Edge::Before);
        let written = $write;
        pass(Site::$site, Edge::After);
        written
    }};
}

#[cfg(debug_assertions)]
pub use armed::{ARMED_BY, pass};

/// Nothing: a release build has no failpoints.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn pass(_: Site, _: Edge) {}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Edge, Failpoint, Site};

    /// The environment variable that holds the name of the failpoint to die at, and `@` with the
    /// number of the passage if it is not the first.
    pub const ARMED_BY: &str = "HANSA_FAILPOINT";

    /// Nobody has looked at the environment yet.
    const UNREAD: usize = usize::MAX;
    /// Nothing is armed.
    const UNARMED: usize = usize::MAX - 1;

    /// Place of the armed failpoint in [`Failpoint::all`].
    static ARMED: AtomicUsize = AtomicUsize::new(UNREAD);
    /// Passages before the one to die at.
    static BEFORE: AtomicUsize = AtomicUsize::new(0);

    /// Dies here, if this is the failpoint that the process is armed with.
    pub fn pass(site: Site, edge: Edge) {
        let armed = match ARMED.load(Ordering::Relaxed) {
            UNARMED => return,
            UNREAD => read(),
            place => place,
        };
        let is_armed = Failpoint::all().nth(armed) == Some(Failpoint { site, edge });
        let one_less = |before: usize| before.checked_sub(1);
        if is_armed && BEFORE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err()
        {
            // The last words say that it fired; nothing is flushed or undone after them.
            eprintln!("failpoint {} fired", Failpoint { site, edge });
            std::process::abort();
        }
    }

    /// # Panics
    /// When the variable names no failpoint: a test that arms nothing proves nothing.
    fn read() -> usize {
        let armed = match std::env::var(ARMED_BY) {
            Err(_) => UNARMED,
            Ok(text) => {
                let (name, passage) = text.split_once('@').unwrap_or((&text, "1"));
                let passage = passage.parse().ok().filter(|passage: &usize| *passage > 0);
                let place = Failpoint::all().position(|point| point.to_string() == name);
                let (Some(place), Some(passage)) = (place, passage) else {
                    panic!("{ARMED_BY}={text} names no failpoint")
                };
                BEFORE.store(passage - 1, Ordering::Relaxed);
                place
            }
        };
        ARMED.store(armed, Ordering::Relaxed);
        armed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Two sites of one name would be armed together, and one of them never walked.
    #[test]
    fn every_failpoint_has_a_name_of_its_own() {
        let names: BTreeSet<String> = Failpoint::all().map(|point| point.to_string()).collect();
        assert_eq!(names.len(), Site::ALL.len() * 2, "a site's name occurs twice");
    }

    /// A process that nobody armed must not notice its failpoints.
    #[test]
    fn an_unarmed_passage_does_nothing() {
        for Failpoint { site, edge } in Failpoint::all() {
            pass(site, edge);
        }
        assert_eq!(crate::external_write!(NodeToken, 7), 7);
    }
}
