//! Whether this node may speak.
//!
//! A node that restarts on an old copy of its folder, or without its vote log, could contradict
//! what it said before; alone it cannot know. So before its first vote it hears from `n − f`
//! validators, itself included, which height is in progress:
//!
//! * Log whole and at most one height behind: it may vote. (Whoever took part in the last decision
//!   is at most one behind, so a whole cluster that restarts together finds its quorum.)
//! * Log lost, or further behind: silent until every height that was in progress is decided.
//! * At any time, a peer that shows it a vote of its own which its log does not have: silent until
//!   that height is decided.

use std::collections::BTreeMap;

use ledger_types::ValidatorIndex;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Waiting to hear from enough validators.
    Asking { heard: BTreeMap<ValidatorIndex, u64>, log_intact: bool },
    /// May speak.
    Voting,
    /// May speak at heights above this one.
    Silent { until_decided: u64 },
}

impl Standing {
    pub(crate) fn new(own: ValidatorIndex, height: u64, log_intact: bool) -> Self {
        Self::Asking { heard: BTreeMap::from([(own, height)]), log_intact }
    }

    /// Takes a peer's height; `needed` is `n − f`.
    pub(crate) fn hear(
        &mut self,
        peer: ValidatorIndex,
        in_progress: u64,
        own_height: u64,
        needed: u16,
    ) {
        if let Self::Asking { heard, .. } = self {
            heard.insert(peer, in_progress);
        }
        self.conclude(own_height, needed);
    }

    /// Ends the asking when enough have been heard.
    pub(crate) fn conclude(&mut self, own_height: u64, needed: u16) {
        let Self::Asking { heard, log_intact } = self else { return };
        if heard.len() < usize::from(needed) {
            return;
        }
        let highest = heard.values().copied().max().unwrap_or(own_height).max(own_height);
        *self = if *log_intact && highest <= own_height + 1 {
            Self::Voting
        } else {
            Self::Silent { until_decided: highest }
        };
    }

    /// A vote of this node came back that its log does not have.
    pub(crate) fn forgot(&mut self, height: u64) {
        let until_decided = match self {
            Self::Silent { until_decided } => height.max(*until_decided),
            Self::Asking { .. } | Self::Voting => height,
        };
        *self = Self::Silent { until_decided };
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
