//! Which block a new round's leader must propose. Pure and total; every voter recomputes it.

use std::collections::BTreeMap;

use ledger_types::{Digest, Quorum, Timeout};

use crate::rules::Precedence;

/// What one validator says in its timeout, without the signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Round and block of its highest prepare vote.
    pub last_vote: Option<(u32, Digest)>,
    /// Round and block of its highest prepare certificate.
    pub prepared: Option<(u32, Digest)>,
}

/// The leader's freedom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing can have been decided: any block.
    Free,
    /// This block may have been decided: it and no other.
    Bound(Digest),
}

impl From<&Timeout> for Report {
    fn from(timeout: &Timeout) -> Self {
        Self {
            last_vote: timeout.last_vote.as_ref().map(|v| (v.round, v.block)),
            prepared: timeout.prepared.as_ref().map(|c| (c.round, c.block)),
        }
    }
}

/// The rule over exactly `quorum.timeout` reports of distinct validators.
///
/// A block decided fast in an earlier round shows as at least `quorum.report` votes, one decided
/// slowly as a prepare certificate; of two candidates the one of the higher round counts, because
/// only that one can still have been decided (Zyzzyva's error was to prefer certificates always:
/// arXiv 1712.01367).
pub fn choose(quorum: &Quorum, reports: &[Report]) -> Choice {
    choose_by(quorum, reports, Precedence::HigherRound)
}

pub(crate) fn choose_by(quorum: &Quorum, reports: &[Report], by: Precedence) -> Choice {
    let prepared = reports.iter().filter_map(|r| r.prepared).max();
    let voted = most_recent_enough_votes(quorum, reports);
    match (prepared, voted) {
        (None, None) => Choice::Free,
        (Some((_, block)), None) | (None, Some((_, block))) => Choice::Bound(block),
        (Some(prepared), Some(voted)) => {
            let prefer_prepared = match by {
                Precedence::HigherRound => prepared.0 >= voted.0,
                #[cfg(feature = "mutants")]
                Precedence::PreparedAlways => true,
                #[cfg(feature = "mutants")]
                Precedence::VotedAlways => false,
            };
            Choice::Bound(if prefer_prepared { prepared.1 } else { voted.1 })
        }
    }
}

/// Among blocks that at least `quorum.report` reports name as their last vote: the one whose
/// `quorum.report`-th highest round is the highest.
fn most_recent_enough_votes(quorum: &Quorum, reports: &[Report]) -> Option<(u32, Digest)> {
    let mut rounds: BTreeMap<Digest, Vec<u32>> = BTreeMap::new();
    for (round, block) in reports.iter().filter_map(|r| r.last_vote) {
        rounds.entry(block).or_default().push(round);
    }
    rounds
        .into_iter()
        .filter_map(|(block, mut rounds)| {
            rounds.sort_unstable_by(|a, b| b.cmp(a));
            let enough = rounds.get(usize::from(quorum.report).checked_sub(1)?)?;
            Some((*enough, block))
        })
        .max()
}
