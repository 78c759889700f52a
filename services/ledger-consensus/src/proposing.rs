//! Proposals: this node's own, and the checks on others'.

use ledger_types::{BatchRef, BlockHeader, Digest, Proposal, Timeout, ValidatorIndex};

use crate::{
    choose::{Choice, Report, choose_by},
    command::Command,
    engine::{Engine, Pending, Seen, Verdict},
    evidence::Evidence,
    record::Record,
};

impl Engine {
    /// Leads the current round if it is this node's to lead and its conditions hold.
    pub(crate) fn try_lead(&mut self) {
        let round = self.at.round;
        if !self.is_leader(round) || !self.may_speak() || self.at.proposals.contains_key(&round) {
            return;
        }
        if round == 0 {
            self.ask_to_build(round);
            return;
        }
        let Some(justification) = self.justification(round) else { return };
        match self.choice(&justification) {
            Choice::Free => self.ask_to_build(round),
            Choice::Bound(block) => match self.at.seen.get(&block) {
                Some(seen) => {
                    let (header, batches) = (seen.header.clone(), seen.batches.clone());
                    self.propose(round, header, batches, justification);
                }
                None => self.fetch(block),
            },
        }
    }

    fn ask_to_build(&mut self, round: u32) {
        if self.at.building != Some(round) {
            self.at.building = Some(round);
            let (height, parent) = (self.height, self.parent);
            self.commands.push(Command::Build { height, round, parent });
        }
    }

    pub(crate) fn fetch(&mut self, block: Digest) {
        self.commands.push(Command::FetchProposed { height: self.height, block });
    }

    /// Exactly `n − f` timeouts for `round`, in validator order; `None` while there are fewer.
    fn justification(&self, round: u32) -> Option<Vec<Timeout>> {
        let needed = usize::from(self.config.quorum.timeout);
        let for_round = self.at.timeouts.values().filter(|t| t.round == round);
        let chosen: Vec<Timeout> = for_round.take(needed).cloned().collect();
        (chosen.len() == needed).then_some(chosen)
    }

    fn choice(&self, justification: &[Timeout]) -> Choice {
        let reports: Vec<Report> = justification.iter().map(Report::from).collect();
        choose_by(&self.config.quorum, &reports, self.rules.precedence)
    }

    pub(crate) fn on_built(
        &mut self,
        height: u64,
        round: u32,
        header: BlockHeader,
        batches: Vec<BatchRef>,
    ) {
        let wanted = self.at.building == Some(round) && round == self.at.round;
        if height != self.height
            || !wanted
            || !self.fits_height(&header)
            || !self.names_match(&header, &batches)
            || header.proposer != self.config.own
            || self.at.proposals.contains_key(&round)
            || !self.may_speak()
        {
            return;
        }
        let justification = if round == 0 {
            Vec::new()
        } else {
            match self.justification(round) {
                Some(justification) if self.choice(&justification) == Choice::Free => justification,
                Some(_) | None => return,
            }
        };
        let block = header.digest(self.config.ledger);
        self.see(header.clone(), batches.clone());
        if let Some(seen) = self.at.seen.get_mut(&block) {
            seen.verdict = Verdict::Valid; // its own shell has just built it
        }
        self.propose(round, header, batches, justification);
    }

    fn propose(
        &mut self,
        round: u32,
        header: BlockHeader,
        batches: Vec<BatchRef>,
        justification: Vec<Timeout>,
    ) {
        let (key, ledger, own) = (&self.config.key, self.config.ledger, self.config.own);
        let parent = self.last_decision.clone();
        let proposal =
            Proposal::sign(key, ledger, own, round, header, batches, justification, parent);
        self.at.proposals.insert(round, proposal.clone());
        self.start_round_timer();
        self.save_then(Record::Proposal(proposal.clone()), Pending::Proposal(proposal));
    }

    pub(crate) fn on_proposal(&mut self, proposal: Proposal) {
        let round = proposal.round;
        if !self.keeps_round(round)
            || proposal.leader != self.leader_of(round)
            || proposal.leader == self.config.own
        {
            return;
        }
        if self.at.proposals.get(&round).is_some_and(|known| known.signature == proposal.signature)
        {
            return;
        }
        if !self.is_authentic(&proposal) {
            return;
        }
        self.hear(proposal.leader, proposal.header.height);
        if let Some(known) = self.at.proposals.get(&round) {
            let ledger = self.config.ledger;
            if known.header.digest(ledger) != proposal.header.digest(ledger) {
                let known = Box::new(known.clone());
                self.report(Evidence::TwoProposals(known, Box::new(proposal)));
            }
            return;
        }
        if !self.fits_height(&proposal.header)
            || !self.names_match(&proposal.header, &proposal.batches)
            || !self.is_allowed(&proposal)
        {
            return;
        }
        self.see(proposal.header.clone(), proposal.batches.clone());
        self.at.proposals.insert(round, proposal);
        if round > self.at.round {
            // Its justification is n − f timeouts for this round: proof enough to join it.
            self.move_to_round(round);
        }
        self.start_round_timer();
        self.decide_if_seen();
        self.consider(round);
    }

    fn is_authentic(&self, proposal: &Proposal) -> bool {
        let key = self.config.key_of(proposal.leader);
        key.is_some_and(|key| proposal.verify(self.config.ledger, key))
    }

    /// Whether the round allows this block: round 0 by the scheduled leader's own block; later
    /// rounds by what the justification leaves open.
    fn is_allowed(&mut self, proposal: &Proposal) -> bool {
        let timeouts = &proposal.justification;
        if proposal.round == 0 {
            return timeouts.is_empty() && proposal.header.proposer == proposal.leader;
        }
        let increasing = timeouts.windows(2).all(|pair| pair[0].voter < pair[1].voter);
        let complete = timeouts.len() == usize::from(self.config.quorum.timeout)
            && increasing
            && timeouts.iter().all(|t| t.round == proposal.round && self.is_valid_timeout(t));
        if !complete {
            return false;
        }
        if !self.rules.voters_obey_choice {
            return true;
        }
        match self.choice(timeouts) {
            Choice::Free => proposal.header.proposer == proposal.leader,
            Choice::Bound(block) if block == proposal.header.digest(self.config.ledger) => true,
            Choice::Bound(_) => {
                self.report(Evidence::ForbiddenProposal(Box::new(proposal.clone())));
                false
            }
        }
    }

    pub(crate) fn fits_height(&self, header: &BlockHeader) -> bool {
        header.height == self.height
            && header.epoch == self.config.epoch
            && header.parent == self.parent
            && self.is_validator(header.proposer)
    }

    /// Whether these are the batches that the header means: nobody can hand out others for it.
    pub(crate) fn names_match(&self, header: &BlockHeader, batches: &[BatchRef]) -> bool {
        header.batches == BatchRef::list_digest(batches, self.config.ledger)
    }

    fn is_validator(&self, index: ValidatorIndex) -> bool {
        index.place() < self.config.keys.len()
    }

    /// Notes a block of this height.
    pub(crate) fn see(&mut self, header: BlockHeader, batches: Vec<BatchRef>) {
        let digest = header.digest(self.config.ledger);
        let new = Seen { header, batches, verdict: Verdict::NotAsked };
        self.at.seen.entry(digest).or_insert(new);
    }

    pub(crate) fn ask_validity(&mut self, block: Digest) {
        if let Some(seen) = self.at.seen.get_mut(&block) {
            seen.verdict = Verdict::Asked;
            let (header, batches) = (seen.header.clone(), seen.batches.clone());
            self.commands.push(Command::Validate { header, batches });
        }
    }

    pub(crate) fn on_validated(&mut self, block: Digest, valid: bool) {
        if let Some(seen) = self.at.seen.get_mut(&block) {
            seen.verdict = if valid { Verdict::Valid } else { Verdict::Invalid };
            self.consider(self.at.round);
        }
    }

    /// A block that was fetched, or that a peer offers: kept only if something here names it.
    pub(crate) fn on_proposed(&mut self, header: BlockHeader, batches: Vec<BatchRef>) {
        let digest = header.digest(self.config.ledger);
        let named = self.at.decision.as_ref().is_some_and(|c| c.block == digest)
            || self.at.prepared.as_ref().is_some_and(|c| c.block == digest)
            || self.at.timeouts.values().any(|t| {
                t.last_vote.as_ref().is_some_and(|v| v.block == digest)
                    || t.prepared.as_ref().is_some_and(|c| c.block == digest)
            });
        if named && self.fits_height(&header) && self.names_match(&header, &batches) {
            self.see(header, batches);
            self.decide_if_seen();
            self.try_lead();
        }
    }
}
