//! What is going to happen, in order of virtual time.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use ledger_consensus::Timer;
use ledger_types::{Message, ValidatorIndex};

/// One thing that happens. A `life` is the one of a node in which it makes sense; in a later one it
/// is nobody's.
#[derive(Debug)]
pub(crate) enum What {
    Deliver {
        from: ValidatorIndex,
        to: ValidatorIndex,
        life: u64,
        message: Arc<Message>,
    },
    Timer {
        node: usize,
        life: u64,
        timer: Timer,
    },
    Sync {
        node: usize,
        life: u64,
        token: u64,
    },
    Commit {
        node: usize,
        life: u64,
        height: u64,
    },
    Tick {
        node: usize,
    },
    Client,
    Crash,
    PowerCut {
        node: usize,
    },
    Restart {
        node: usize,
    },
    FailDisk,
    Partition,
    HealPartition,
    CutOneWay,
    HealOneWay,
    Misfortune,
    /// A node reads everything on its disks again.
    Patrol {
        node: usize,
        life: u64,
    },
    /// A node asks peers for blocks that it cannot read.
    Mend {
        node: usize,
        life: u64,
    },
    Withdraw,
    Rejoin {
        node: usize,
        life: u64,
    },
}

struct Happening {
    at_ms: u64,
    /// Of two things at one time the one that was planned first comes first.
    order: u64,
    what: What,
}

impl PartialEq for Happening {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms, self.order) == (other.at_ms, other.order)
    }
}

impl Eq for Happening {}

impl PartialOrd for Happening {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Happening {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.order).cmp(&(other.at_ms, other.order))
    }
}

/// Virtual time and what it holds.
pub(crate) struct Schedule {
    pub(crate) now_ms: u64,
    queue: BinaryHeap<Reverse<Happening>>,
    planned: u64,
}

impl Schedule {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { now_ms, queue: BinaryHeap::new(), planned: 0 }
    }

    /// Plans something.
    pub(crate) fn after(&mut self, in_ms: u64, what: What) {
        self.planned += 1;
        let (at_ms, order) = (self.now_ms + in_ms, self.planned);
        self.queue.push(Reverse(Happening { at_ms, order, what }));
    }

    /// The next thing; time goes on to it.
    pub(crate) fn next(&mut self) -> Option<What> {
        let Reverse(Happening { at_ms, what, .. }) = self.queue.pop()?;
        self.now_ms = at_ms;
        Some(what)
    }
}
