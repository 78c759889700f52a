//! One question at every start: what is the last height that segments, vote log and SQLite hold?
//!
//! Pure: takes what was found, says what to do.

use crate::vote_log::VoteLogState;

/// What a start finds on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Last height up to which every block is there and whole.
    pub whole_to: u64,
    /// Last height that a whole record has; more than `whole_to` when some before it are broken.
    pub last: u64,
    /// State of the vote log, without its records.
    pub votes: Votes,
    /// Height that SQLite has executed; `None` when there is no usable file.
    pub executed: Option<u64>,
    /// Whether SQLite's file is as the last run left it (see [`crate::mark`]).
    pub trustworthy: bool,
    /// Whether the node has run on this folder before: it may have voted without storing a block.
    pub ran_before: bool,
}

/// The vote log's state without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Votes {
    /// Never used.
    Fresh,
    /// Whole.
    Intact,
    /// Whole since a loss; the node spoke again at this height.
    ResumedAt(u64),
    /// Not to be relied on.
    Damaged,
}

impl From<&VoteLogState> for Votes {
    fn from(state: &VoteLogState) -> Self {
        match state {
            VoteLogState::Fresh => Self::Fresh,
            VoteLogState::Intact(_) => Self::Intact,
            VoteLogState::Resumed { from, .. } => Self::ResumedAt(*from),
            VoteLogState::Damaged(_) => Self::Damaged,
        }
    }
}

/// What to do before taking part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Heights of broken blocks to fetch from peers first, `from..=to`.
    pub fetch: Option<(u64, u64)>,
    /// What becomes of SQLite.
    pub state: StatePlan,
    /// Whether the vote log may be relied on (see the engine's standing).
    pub votes_intact: bool,
}

/// What becomes of SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatePlan {
    /// It is up to date.
    Keep,
    /// Run the blocks that it lacks, `from..=to`.
    Replay {
        /// First height.
        from: u64,
        /// Last height.
        to: u64,
    },
    /// Put the file aside as evidence and build a new one from the blocks.
    Rebuild(RebuildReason),
}

/// Why SQLite's file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildReason {
    /// There is none, or it cannot be opened.
    Missing,
    /// The machine went down while it was open, so it may have lost writes.
    PowerLoss,
    /// It is ahead of the blocks, which are written first: the folder was put together by hand.
    Ahead,
}

/// Decides.
pub fn recover(found: &Found) -> Plan {
    let used = found.last > 0 || found.executed.is_some_and(|height| height > 0);
    // Otherwise blocks that were executed are gone, and with them the votes below them.
    let blocks_whole = found.executed.is_none_or(|height| height <= found.last);
    let votes_intact = match found.votes {
        Votes::Intact => blocks_whole,
        // Below that height lie votes that were lost: it must not be open again.
        Votes::ResumedAt(height) => blocks_whole && height <= found.last + 1,
        // A node that has run has begun its log, and one that has decided blocks has voted or synced.
        Votes::Fresh => !used && !found.ran_before,
        Votes::Damaged => false,
    };
    let state = match found.executed {
        None if used => StatePlan::Rebuild(RebuildReason::Missing),
        None => StatePlan::Keep,
        Some(0) if found.whole_to == 0 => StatePlan::Keep,
        Some(_) if !found.trustworthy => StatePlan::Rebuild(RebuildReason::PowerLoss),
        Some(height) if height > found.last => StatePlan::Rebuild(RebuildReason::Ahead),
        Some(height) if height < found.whole_to => {
            StatePlan::Replay { from: height + 1, to: found.whole_to }
        }
        Some(_) => StatePlan::Keep,
    };
    let fetch = (found.last > found.whole_to).then_some((found.whole_to + 1, found.last));
    Plan { fetch, state, votes_intact }
}
