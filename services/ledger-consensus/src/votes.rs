//! The votes of one height, at most one of a kind for each validator and round.

use std::collections::{BTreeMap, BTreeSet};

use ledger_types::{Digest, Signature, ValidatorIndex, Vote, VoteKind};

#[derive(Clone, Debug, Default)]
pub(crate) struct Votes {
    by_round: BTreeMap<(VoteKind, u32), BTreeMap<ValidatorIndex, Vote>>,
}

/// What became of a vote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// The first of its kind, round and voter.
    New,
    /// Seen before.
    Known,
    /// The voter said something else before.
    Conflict(Vote),
}

impl Votes {
    pub(crate) fn insert(&mut self, vote: Vote) -> Inserted {
        let round = self.by_round.entry((vote.kind, vote.round)).or_default();
        match round.get(&vote.voter) {
            Some(known) if known.block == vote.block => Inserted::Known,
            Some(other) => Inserted::Conflict(other.clone()),
            None => {
                round.insert(vote.voter, vote);
                Inserted::New
            }
        }
    }

    pub(crate) fn get(&self, kind: VoteKind, round: u32, voter: ValidatorIndex) -> Option<&Vote> {
        self.by_round.get(&(kind, round))?.get(&voter)
    }

    /// The signatures for `block`, in validator order.
    pub(crate) fn signatures(
        &self,
        kind: VoteKind,
        round: u32,
        block: Digest,
    ) -> Vec<(ValidatorIndex, Signature)> {
        let votes = self.by_round.get(&(kind, round)).into_iter().flat_map(BTreeMap::values);
        votes.filter(|v| v.block == block).map(|v| (v.voter, v.signature)).collect()
    }

    /// The blocks voted for in a round.
    pub(crate) fn blocks(&self, kind: VoteKind, round: u32) -> BTreeSet<Digest> {
        let votes = self.by_round.get(&(kind, round)).into_iter().flat_map(BTreeMap::values);
        votes.map(|v| v.block).collect()
    }

    /// All votes of one validator, in round order.
    pub(crate) fn of(&self, voter: ValidatorIndex) -> impl Iterator<Item = &Vote> {
        self.by_round.values().filter_map(move |round| round.get(&voter))
    }

    /// Forgets rounds below `round`.
    pub(crate) fn forget_below(&mut self, round: u32) {
        self.by_round.retain(|(_, r), _| *r >= round);
    }
}
