//! Votes: when this node casts one, and what others' add up to.

use ledger_types::{Certificate, CertificateKind, Digest, LastVote, Vote, VoteKind};

use crate::{
    engine::{Engine, Pending, Verdict},
    evidence::{Evidence, hides},
    record::Record,
};

impl Engine {
    pub(crate) fn on_vote(&mut self, vote: Vote) {
        if !self.keeps_round(vote.round)
            || (vote.kind == VoteKind::Commit && !self.config.quorum.commit_votes)
        {
            return;
        }
        let known = self.at.votes.get(vote.kind, vote.round, vote.voter);
        if known.is_some_and(|known| known.block == vote.block) {
            return;
        }
        let Some(key) = self.config.key_of(vote.voter) else { return };
        if !vote.verify(self.config.ledger, key) {
            return;
        }
        if vote.voter == self.config.own {
            self.on_own_vote_from_outside(&vote);
            return;
        }
        let (kind, round, block) = (vote.kind, vote.round, vote.block);
        if let Some(timeout) = self.at.timeouts.get(&vote.voter)
            && kind == VoteKind::Prepare
            && hides(timeout, &vote)
        {
            self.report(Evidence::HiddenVote(Box::new(timeout.clone()), vote.clone()));
        }
        if self.file(vote) {
            self.start_round_timer();
            self.tally(kind, round, block);
        }
    }

    /// A vote with this node's signature that its own log does not have: the log is an old copy.
    fn on_own_vote_from_outside(&mut self, vote: &Vote) {
        let unsaved = self.pending.values().any(
            |p| matches!(p, Pending::Vote(own) if (own.kind, own.round) == (vote.kind, vote.round)),
        );
        if !unsaved {
            self.standing.forgot(vote.height);
        }
    }

    /// Counts the votes for a block in a round: may make a certificate, a commit vote, a decision.
    pub(crate) fn tally(&mut self, kind: VoteKind, round: u32, block: Digest) {
        let signatures = self.at.votes.signatures(kind, round, block);
        let (have, quorum) = (signatures.len(), self.config.quorum);
        let enough = |need: u16| have >= usize::from(need);
        let certificate = |kind| Certificate {
            kind,
            epoch: self.config.epoch,
            height: self.height,
            round,
            block,
            signatures,
        };
        match kind {
            VoteKind::Prepare if enough(quorum.fast) => {
                self.decide(certificate(CertificateKind::Fast));
            }
            VoteKind::Prepare if enough(quorum.certify) && quorum.commit_votes => {
                self.on_prepared(certificate(CertificateKind::Prepare));
            }
            VoteKind::Commit if enough(quorum.certify) => {
                self.decide(certificate(CertificateKind::Commit));
            }
            VoteKind::Prepare | VoteKind::Commit => {}
        }
    }

    /// A prepare certificate: remember the highest, and vote to commit it if it is of the current
    /// round.
    fn on_prepared(&mut self, certificate: Certificate) {
        let (round, block, own) = (certificate.round, certificate.block, self.config.own);
        self.note_prepared(certificate.clone());
        let voted = self.at.votes.get(VoteKind::Commit, round, own).is_some()
            || self.pending.values().any(
                |p| matches!(p, Pending::Vote(v) if v.kind == VoteKind::Commit && v.round == round),
            );
        if round == self.at.round && !voted && self.may_speak() {
            let vote = self.signed(VoteKind::Commit, round, block);
            let record = Record::Commit { vote: vote.clone(), prepared: certificate };
            self.save_then(record, Pending::Vote(vote));
        }
    }

    pub(crate) fn note_prepared(&mut self, certificate: Certificate) {
        if self.at.prepared.as_ref().is_none_or(|p| p.round < certificate.round) {
            self.at.prepared = Some(certificate);
        }
    }

    pub(crate) fn note_own_prepare(&mut self, vote: &Vote) {
        if self.at.last_vote.as_ref().is_none_or(|last| last.round < vote.round) {
            let Vote { round, block, signature, .. } = vote.clone();
            self.at.last_vote = Some(LastVote { round, block, signature });
        }
    }

    /// Casts the prepare vote for the proposal of `round`, if everything allows it.
    pub(crate) fn consider(&mut self, round: u32) {
        let Some(proposal) = self.at.proposals.get(&round) else { return };
        if round != self.at.round || !self.may_speak() {
            return;
        }
        let block = proposal.header.digest(self.config.ledger);
        // At most one prepare vote a round, and none below the last: saved or about to be.
        if self.at.last_vote.as_ref().is_some_and(|last| last.round >= round) {
            return;
        }
        match self.at.seen.get(&block).map(|seen| seen.verdict) {
            Some(Verdict::Valid) => {
                let vote = self.signed(VoteKind::Prepare, round, block);
                self.note_own_prepare(&vote);
                self.save_then(Record::Prepare(vote.clone()), Pending::Vote(vote));
            }
            Some(Verdict::NotAsked) => self.ask_validity(block),
            Some(Verdict::Asked | Verdict::Invalid) | None => {}
        }
    }

    fn signed(&self, kind: VoteKind, round: u32, block: Digest) -> Vote {
        let config = &self.config;
        Vote::sign(
            &config.key,
            config.ledger,
            config.own,
            kind,
            config.epoch,
            self.height,
            round,
            block,
        )
    }
}
