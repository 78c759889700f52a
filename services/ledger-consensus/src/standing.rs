//! Whether this node may speak.
//!
//! A node that restarts on an old copy of its folder, or without its vote log, could contradict
//! what it said before; alone it cannot know. So before its first vote it hears its peers:
//!
//! * Log whole: it hears from `n − f` validators, itself included, at which height they last heard
//!   it speak. If `f + 1` peers (one of them honest) have heard it at a height that its log and its
//!   blocks do not reach, the folder is an old copy, and the log counts as lost. A node that is
//!   merely behind has said nothing later, and a cluster that restarts as a whole finds its quorum.
//! * Log lost: it hears from [`witnesses`] peers the highest certificate that each holds, and is
//!   silent until the height after the highest one shown is decided. Words count for nothing, so a
//!   liar cannot silence it with a height that nobody has reached; low ones are outdone by an
//!   honest witness.
//! * At any time, a peer that shows it a vote of its own which its log does not have: the log
//!   counts as lost.
//!
//! Why that is enough: `docs/decisions/0024-lost-votes-need-proof.md`.

use std::collections::BTreeMap;

use ledger_types::{Quorum, ValidatorIndex};

/// Where a node stands, and what is decided here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    phase: Phase,
    /// Last height that this node knows to be decided.
    decided: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting to hear from enough peers.
    Asking(Asking),
    /// May speak.
    Voting,
    /// May speak at heights above this one.
    Silent { until_decided: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Asking {
    heard: BTreeMap<ValidatorIndex, Heard>,
    /// The highest height at which this node is known to have been: in progress, or spoken at.
    reached: u64,
    log_intact: bool,
}

/// What one validator says at a node's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The height that a certificate of it shows to have been in progress.
    pub(crate) proven: u64,
    /// The highest height at which it has heard this node speak.
    pub(crate) heard_me: u64,
}

/// Peers of which at least one is honest and has signed the last decision that this node can have
/// built on: `certify` signed it, one of them perhaps this node, and `f` of them may lie.
fn witnesses(quorum: &Quorum) -> usize {
    usize::from((quorum.n + quorum.f + 1 - quorum.certify).min(quorum.n - 1))
}

impl Standing {
    /// At a start: `height` is in progress, and the records reach up to `reached`.
    pub(crate) fn new(height: u64, reached: u64, log_intact: bool) -> Self {
        let asking = Asking { heard: BTreeMap::new(), reached, log_intact };
        Self { phase: Phase::Asking(asking), decided: height - 1 }
    }

    /// Takes a peer's word.
    pub(crate) fn hear(&mut self, peer: ValidatorIndex, word: Heard, quorum: &Quorum) {
        if let Phase::Asking(asking) = &mut self.phase {
            asking.heard.insert(peer, word);
        }
        self.conclude(quorum);
    }

    /// Ends the asking when enough have been heard.
    pub(crate) fn conclude(&mut self, quorum: &Quorum) {
        let Phase::Asking(asking) = &mut self.phase else { return };
        let heard = asking.heard.len();
        if asking.log_intact {
            if heard + 1 < usize::from(quorum.timeout) {
                return;
            }
            if asking.witnessed(quorum) <= asking.reached {
                self.phase = Phase::Voting;
                return;
            }
            asking.log_intact = false;
        }
        if heard < witnesses(quorum) {
            return;
        }
        let until_decided = asking.spoken_at_most();
        self.phase = if quorum.n == 1 || until_decided <= self.decided {
            // Alone there is nobody who could hold something that this node has forgotten.
            Phase::Voting
        } else {
            Phase::Silent { until_decided }
        };
    }

    /// A vote of this node came back that its log does not have.
    pub(crate) fn forgot(&mut self, height: u64) {
        match &mut self.phase {
            Phase::Asking(asking) => {
                asking.log_intact = false;
                asking.reached = height.max(asking.reached);
            }
            Phase::Silent { until_decided } => *until_decided = height.max(*until_decided),
            Phase::Voting => {
                let heard = BTreeMap::new();
                self.phase = Phase::Asking(Asking { heard, reached: height, log_intact: false });
            }
        }
    }

    /// A height was decided.
    pub(crate) fn decided(&mut self, height: u64) {
        self.decided = height.max(self.decided);
        if matches!(self.phase, Phase::Silent { until_decided } if height >= until_decided) {
            self.phase = Phase::Voting;
        }
    }

    pub(crate) fn may_speak(&self) -> bool {
        self.phase == Phase::Voting
    }
}

impl Asking {
    /// A height at which at least one honest peer has heard this node.
    fn witnessed(&self, quorum: &Quorum) -> u64 {
        let mut claims: Vec<u64> = self.heard.values().map(|word| word.heard_me).collect();
        claims.sort_unstable_by(|a, b| b.cmp(a));
        claims.get(usize::from(quorum.f)).copied().unwrap_or(0)
    }

    /// No vote that this node has forgotten is at a greater height: one above what an honest
    /// witness can show.
    fn spoken_at_most(&self) -> u64 {
        let proven = self.heard.values().map(|word| word.proven).max().unwrap_or(0);
        proven.saturating_add(1).max(self.reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_types::Policy;

    fn word(proven: u64) -> Heard {
        Heard { proven, heard_me: 0 }
    }

    fn silent(standing: &Standing) -> Option<u64> {
        match standing.phase {
            Phase::Silent { until_decided } => Some(until_decided),
            Phase::Asking(_) | Phase::Voting => None,
        }
    }

    #[test]
    fn enough_witnesses_always_include_an_honest_signer() {
        // Counted out for every size: remove the liars and whoever did not sign.
        for n in 1..=31 {
            for policy in [Policy::Bft, Policy::Cft] {
                let quorum = Quorum::new(policy, n);
                let peers = usize::from(n) - 1;
                let honest_signers =
                    usize::from(quorum.certify - 1).saturating_sub(quorum.f.into());
                let others = peers - honest_signers;
                let asked = witnesses(&quorum);
                assert!(asked > others || asked == peers, "{policy:?} n={n}: {asked} of {peers}");
                let answering = usize::from(n - quorum.f);
                assert!(asked <= answering.max(1), "{policy:?} n={n}: {asked} of {answering}");
            }
        }
    }

    #[test]
    fn low_words_of_liars_do_not_end_the_silence_early() {
        // n = 4: the liar and the late node are outdone by the one that signed.
        let quorum = Quorum::new(Policy::Bft, 4);
        let mut standing = Standing::new(3, 3, false);
        for (peer, proven) in [(1, 0), (2, 3), (3, 9)] {
            assert!(silent(&standing).is_none(), "two of three witnesses are not enough");
            standing.hear(ValidatorIndex(peer), word(proven), &quorum);
        }
        assert_eq!(silent(&standing), Some(10));
        standing.decided(9);
        assert!(!standing.may_speak(), "it may have spoken at height 10");
        standing.decided(10);
        assert!(standing.may_speak());
    }

    #[test]
    fn a_node_that_caught_up_while_it_asked_need_not_wait_for_another_height() {
        // On an idle ledger that height might never come.
        let quorum = Quorum::new(Policy::Bft, 4);
        let mut standing = Standing::new(3, 3, false);
        standing.hear(ValidatorIndex(1), word(4), &quorum);
        standing.hear(ValidatorIndex(2), word(4), &quorum);
        standing.decided(5);
        standing.hear(ValidatorIndex(3), word(4), &quorum);
        assert!(standing.may_speak());
    }

    #[test]
    fn a_lone_node_forgets_nothing_that_anybody_holds() {
        let quorum = Quorum::new(Policy::Cft, 1);
        let mut standing = Standing::new(7, 7, false);
        standing.conclude(&quorum);
        assert!(standing.may_speak());
    }
}
