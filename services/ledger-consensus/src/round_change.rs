//! Leaving a round whose leader is silent or lying.

use ledger_types::{CertificateKind, Timeout, ValidatorIndex, VoteKind, vote::vote_digest};

use crate::{
    engine::{Engine, Pending},
    evidence::{Evidence, hides},
    record::Record,
};

impl Engine {
    /// Enters `round` with a signed timeout; never votes in an earlier one afterwards.
    pub(crate) fn enter_round(&mut self, round: u32) {
        self.move_to_round(round);
        self.start_round_timer();
        if !self.may_speak() || self.has_voted_in(round) {
            return;
        }
        let config = &self.config;
        let last_vote = self.at.last_vote.clone().filter(|_| self.rules.timeouts_report_votes);
        let timeout = Timeout::sign(
            &config.key,
            config.ledger,
            config.own,
            config.epoch,
            self.height,
            round,
            last_vote,
            self.at.prepared.clone(),
        );
        self.save_then(Record::Timeout(timeout.clone()), Pending::Timeout(timeout));
    }

    /// Whether `n − f` validators have come as far as this node's round: it is one of them, and a
    /// justified proposal proves all of them. Whoever runs ahead waits: rounds of one length would
    /// otherwise keep their distance for ever, and no round would see enough timeouts. Of those
    /// `n − f` at least `f + 1` are honest, so that whoever is left behind follows.
    pub(crate) fn is_accompanied(&self) -> bool {
        let round = self.at.round;
        let own = self.config.own;
        let others = self.at.timeouts.values().filter(|t| t.round >= round && t.voter != own);
        round == 0
            || self.at.proposals.contains_key(&round)
            || others.count() + 1 >= usize::from(self.config.quorum.timeout)
    }

    /// Whether this node followed others into its round while it might not speak, and has not said so:
    /// they wait for its timeout. With the round's proposal at hand it votes instead.
    pub(crate) fn came_in_silence(&self) -> bool {
        let round = self.at.round;
        let has_said = self.at.timeouts.get(&self.config.own).is_some_and(|t| t.round >= round)
            || self.pending.values().any(|p| matches!(p, Pending::Timeout(t) if t.round >= round))
            || self.has_voted_in(round);
        round > 0 && !has_said && !self.at.proposals.contains_key(&round)
    }

    /// Whether a vote or a certificate of `round` is here: a timeout for it, which reports only what
    /// came before, would be refused.
    fn has_voted_in(&self, round: u32) -> bool {
        self.at.last_vote.as_ref().is_some_and(|vote| vote.round >= round)
            || self.at.prepared.as_ref().is_some_and(|prepared| prepared.round >= round)
    }

    pub(crate) fn move_to_round(&mut self, round: u32) {
        self.at.round = round;
        self.forget_old_rounds();
        // Votes of this round may have come before this node did.
        for block in self.at.votes.blocks(VoteKind::Prepare, round) {
            self.tally(VoteKind::Prepare, round, block);
        }
    }

    pub(crate) fn on_timeout(&mut self, timeout: Timeout) {
        let voter = timeout.voter;
        if voter == self.config.own
            || self.at.timeouts.get(&voter).is_some_and(|known| known.round >= timeout.round)
            || !self.is_valid_timeout(&timeout)
        {
            return;
        }
        let hidden = self
            .at
            .votes
            .of(voter)
            .find(|vote| vote.kind == VoteKind::Prepare && hides(&timeout, vote));
        if let Some(vote) = hidden.cloned() {
            self.report(Evidence::HiddenVote(Box::new(timeout.clone()), vote));
        }
        if let Some(prepared) = &timeout.prepared {
            self.note_prepared(prepared.clone());
        }
        self.hear(voter, timeout.height);
        self.at.timeouts.insert(voter, timeout);
        self.start_round_timer();
        self.follow_the_honest();
        self.try_lead();
    }

    /// Joins a later round when `f + 1` validators are there: one of them is honest. A single
    /// node, however high its round, moves nobody.
    fn follow_the_honest(&mut self) {
        let mut rounds: Vec<u32> = self
            .at
            .timeouts
            .iter()
            .filter(|(voter, _)| **voter != self.config.own)
            .map(|(_, timeout)| timeout.round)
            .collect();
        rounds.sort_unstable_by(|a, b| b.cmp(a));
        let witness = usize::from(self.config.quorum.honest()) - 1;
        if let Some(round) = rounds.get(witness).copied()
            && round > self.at.round
        {
            self.enter_round(round);
        }
    }

    /// Checks a timeout's own signature, the vote in it and the certificate in it.
    pub(crate) fn is_valid_timeout(&self, timeout: &Timeout) -> bool {
        let Self { config, height, .. } = self;
        if timeout.round == 0 || timeout.height != *height || timeout.epoch != config.epoch {
            return false;
        }
        let Some(key) = config.key_of(timeout.voter) else { return false };
        if self.at.timeouts.get(&timeout.voter) == Some(timeout) {
            return true;
        }
        let vote_holds = timeout.last_vote.as_ref().is_none_or(|vote| {
            let digest = vote_digest(
                config.ledger,
                VoteKind::Prepare,
                timeout.epoch,
                timeout.height,
                vote.round,
                vote.block,
            );
            vote.round < timeout.round && key.verify(&digest, &vote.signature)
        });
        let certificate_holds = timeout.prepared.as_ref().is_none_or(|certificate| {
            certificate.kind == CertificateKind::Prepare
                && config.quorum.commit_votes
                && (certificate.height, certificate.epoch) == (timeout.height, timeout.epoch)
                && certificate.round < timeout.round
                && certificate.verify(config.ledger, &config.keys, &config.quorum).is_ok()
        });
        vote_holds && certificate_holds && timeout.verify(config.ledger, key)
    }

    /// The validators whose timeouts for the current round have arrived, for status pages.
    pub fn timeouts_in_round(&self) -> Vec<ValidatorIndex> {
        let round = self.at.round;
        self.at.timeouts.values().filter(|t| t.round == round).map(|t| t.voter).collect()
    }
}
