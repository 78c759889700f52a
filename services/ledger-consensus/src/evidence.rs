//! Proof that a validator cheated, which anybody with the validators' keys can check.

use ledger_types::{
    LedgerId, Proposal, PublicKey, Quorum, Timeout, ValidatorIndex, Vote, VoteKind,
};

use crate::choose::{Choice, Report, choose};

/// Two signed statements that no honest node makes, also not across a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Two blocks proposed in one round.
    TwoProposals(Box<Proposal>, Box<Proposal>),
    /// Two blocks voted for in one round with one kind of vote.
    TwoVotes(Vote, Vote),
    /// A timeout that hides a prepare vote of an earlier round.
    HiddenVote(Box<Timeout>, Vote),
    /// A proposal that its own justification forbids.
    ForbiddenProposal(Box<Proposal>),
}

impl Evidence {
    /// Whom it convicts.
    pub const fn culprit(&self) -> ValidatorIndex {
        match self {
            Self::TwoProposals(first, _) | Self::ForbiddenProposal(first) => first.leader,
            Self::TwoVotes(first, _) => first.voter,
            Self::HiddenVote(timeout, _) => timeout.voter,
        }
    }

    /// The height it is about.
    pub const fn height(&self) -> u64 {
        match self {
            Self::TwoProposals(first, _) | Self::ForbiddenProposal(first) => first.header.height,
            Self::TwoVotes(first, _) => first.height,
            Self::HiddenVote(timeout, _) => timeout.height,
        }
    }

    /// Whether it convicts, by signatures and rules alone.
    #[must_use]
    pub fn holds(&self, ledger: LedgerId, keys: &[PublicKey], quorum: &Quorum) -> bool {
        let Some(key) = keys.get(self.culprit().place()) else { return false };
        match self {
            Self::TwoProposals(a, b) => {
                a.leader == b.leader
                    && (a.header.epoch, a.header.height, a.round)
                        == (b.header.epoch, b.header.height, b.round)
                    && a.header.digest(ledger) != b.header.digest(ledger)
                    && a.verify(ledger, key)
                    && b.verify(ledger, key)
            }
            Self::TwoVotes(a, b) => {
                (a.voter, a.kind, a.epoch, a.height, a.round)
                    == (b.voter, b.kind, b.epoch, b.height, b.round)
                    && a.block != b.block
                    && a.verify(ledger, key)
                    && b.verify(ledger, key)
            }
            Self::HiddenVote(timeout, vote) => {
                vote.kind == VoteKind::Prepare
                    && (vote.voter, vote.epoch, vote.height)
                        == (timeout.voter, timeout.epoch, timeout.height)
                    && hides(timeout, vote)
                    && timeout.verify(ledger, key)
                    && vote.verify(ledger, key)
            }
            Self::ForbiddenProposal(proposal) => {
                let reports: Vec<Report> =
                    proposal.justification.iter().map(Report::from).collect();
                proposal.round > 0
                    && proposal.verify(ledger, key)
                    && matches!(choose(quorum, &reports),
                        Choice::Bound(block) if block != proposal.header.digest(ledger))
            }
        }
    }
}

/// Whether `timeout` should have named `vote` or a later one. Votes in rounds at or after the
/// timeout's own are cast after it and cannot be in it.
pub(crate) fn hides(timeout: &Timeout, vote: &Vote) -> bool {
    vote.round < timeout.round
        && timeout.last_vote.as_ref().is_none_or(|reported| reported.round < vote.round)
}
