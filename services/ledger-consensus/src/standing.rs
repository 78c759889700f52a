//! Whether this node may speak.
//!
//! A node that restarts on an old copy of its folder, or without its vote log, could contradict
//! what it said before; alone it cannot know. So before its first vote it hears from `n − f`
//! validators, itself included, which height is in progress and at which height they last heard
//! this node speak:
//!
//! * Log lost: silent until every height that was in progress is decided.
//! * Log whole, but `f + 1` peers (one of them honest) have heard it at a height that its log and
//!   its blocks do not reach: the folder is an old copy; silent just as well. A node that is merely
//!   behind has said nothing later, and a cluster that restarts as a whole finds its quorum.
//! * At any time, a peer that shows it a vote of its own which its log does not have: silent until
//!   that height is decided.

use std::collections::BTreeMap;

use ledger_types::{Quorum, ValidatorIndex};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Waiting to hear from enough validators. `reached` is the highest height at which this node
    /// is known to have been: in progress, or spoken at.
    Asking { heard: BTreeMap<ValidatorIndex, Heard>, reached: u64, log_intact: bool },
    /// May speak.
    Voting,
    /// May speak at heights above this one.
    Silent { until_decided: u64 },
}

/// What one validator says at a node's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    in_progress: u64,
    heard_me: u64,
}

impl Standing {
    pub(crate) fn new(own: ValidatorIndex, reached: u64, log_intact: bool) -> Self {
        let own_word = Heard { in_progress: reached, heard_me: 0 };
        Self::Asking { heard: BTreeMap::from([(own, own_word)]), reached, log_intact }
    }

    /// Takes a peer's word.
    pub(crate) fn hear(
        &mut self,
        peer: ValidatorIndex,
        in_progress: u64,
        heard_me: u64,
        quorum: &Quorum,
    ) {
        if let Self::Asking { heard, .. } = self {
            heard.insert(peer, Heard { in_progress, heard_me });
        }
        self.conclude(quorum);
    }

    /// Ends the asking when enough have been heard.
    pub(crate) fn conclude(&mut self, quorum: &Quorum) {
        let Self::Asking { heard, reached, log_intact } = self else { return };
        if heard.len() < usize::from(quorum.timeout) {
            return;
        }
        let highest = heard.values().map(|h| h.in_progress).max().unwrap_or(*reached);
        let mut claims: Vec<u64> = heard.values().map(|h| h.heard_me).collect();
        claims.sort_unstable_by(|a, b| b.cmp(a));
        let witnessed = claims.get(usize::from(quorum.f)).copied().unwrap_or(0);
        *self = if *log_intact && witnessed <= *reached {
            Self::Voting
        } else {
            Self::Silent { until_decided: highest.max(witnessed) }
        };
    }

    /// A vote of this node came back that its log does not have.
    pub(crate) fn forgot(&mut self, height: u64) {
        match self {
            Self::Asking { heard, log_intact, .. } => {
                // The answer to the asking is clear now; only the height is not.
                *log_intact = false;
                heard.values_mut().for_each(|h| h.in_progress = h.in_progress.max(height));
            }
            Self::Silent { until_decided } => *until_decided = height.max(*until_decided),
            Self::Voting => *self = Self::Silent { until_decided: height },
        }
    }

    /// A height was decided.
    pub(crate) fn decided(&mut self, height: u64) {
        if matches!(self, Self::Silent { until_decided } if height >= *until_decided) {
            *self = Self::Voting;
        }
    }

    pub(crate) fn may_speak(&self) -> bool {
        *self == Self::Voting
    }
}
