//! The engine's state and its one entrance.

use std::collections::BTreeMap;

use ledger_types::{
    BatchRef, BlockHeader, Certificate, ConsensusMessage, Digest, LastVote, Proposal, Timeout,
    ValidatorIndex, Vote, VoteKind,
};

use crate::{
    command::{Command, HaltReason, Timer},
    config::Config,
    evidence::Evidence,
    input::Input,
    record::{Record, Restored},
    rules::Rules,
    standing::{Heard, Standing},
    votes::{Inserted, Votes},
};

/// Rounds ahead of the own one whose votes and proposals are kept.
const ROUNDS_AHEAD_MAX: u32 = 8;
/// Rounds behind the own one whose votes still count.
const ROUNDS_BEHIND_MAX: u32 = 64;
/// Messages of the next height kept for each peer.
const EARLY_MESSAGES_MAX: usize = 64;
/// Heights asked for at once.
const CATCH_UP_MAX: u64 = 1_024;
/// Pieces of evidence reported at one height.
const EVIDENCE_MAX: u32 = 64;

/// A block of the height in progress that this node has seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) header: BlockHeader,
    pub(crate) batches: Vec<BatchRef>,
    pub(crate) verdict: Verdict,
}

/// What the shell thinks of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    NotAsked,
    Asked,
    Valid,
    Invalid,
}

/// Everything about the height in progress; replaced as a whole when it is decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Height {
    pub(crate) round: u32,
    pub(crate) seen: BTreeMap<Digest, Seen>,
    /// The first proposal of each round by its leader, own ones included.
    pub(crate) proposals: BTreeMap<u32, Proposal>,
    pub(crate) votes: Votes,
    /// The highest-round timeout of each validator.
    pub(crate) timeouts: BTreeMap<ValidatorIndex, Timeout>,
    /// The highest-round prepare certificate.
    pub(crate) prepared: Option<Certificate>,
    /// The own highest-round prepare vote.
    pub(crate) last_vote: Option<LastVote>,
    /// A decision whose header is still unknown.
    pub(crate) decision: Option<Certificate>,
    /// The round for which the shell has been asked to build.
    pub(crate) building: Option<u32>,
    /// The round whose timer runs.
    pub(crate) timed: Option<u32>,
    pub(crate) resending: bool,
    /// Something waits to be ordered, or somebody has spoken: rounds take time.
    pub(crate) active: bool,
    pub(crate) evidence: u32,
}

/// What is said once a record is on disk.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    Proposal(Proposal),
    Vote(Vote),
    Timeout(Timeout),
}

/// The consensus of one validator. See the crate's documentation for the protocol.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) rules: Rules,
    pub(crate) now_ms: u64,
    pub(crate) height: u64,
    pub(crate) parent: Digest,
    pub(crate) last_proposer: ValidatorIndex,
    /// The decision of the height before.
    pub(crate) last_decision: Option<Certificate>,
    pub(crate) at: Height,
    pub(crate) standing: Standing,
    pub(crate) pending: BTreeMap<u64, Pending>,
    next_token: u64,
    early: BTreeMap<ValidatorIndex, Vec<ConsensusMessage>>,
    /// The highest height at which each validator has spoken, with its own signature.
    heard: Vec<u64>,
    /// Restored records of later heights: votes reach the disk before the blocks that they decide.
    later: BTreeMap<u64, Vec<Record>>,
    pub(crate) catching_up_to: u64,
    halted: bool,
    /// This node has found its own state wrong.
    withdrawn: bool,
    pub(crate) commands: Vec<Command>,
}

/// The height that a certificate shows to have been in progress.
fn shown_by(certificate: &Certificate) -> u64 {
    certificate.height.saturating_add(u64::from(certificate.decides()))
}

impl Engine {
    /// An engine that goes on where `restored` ends. It says nothing before it has heard
    /// [`Input::PeerHeight`] from enough peers; then it repeats what it had said.
    pub fn new(config: Config, restored: Restored, now_ms: u64) -> Self {
        Self::with_rules(config, restored, now_ms, Rules::PRODUCTION)
    }

    /// An engine under other rules, for the simulator to catch.
    #[cfg(feature = "mutants")]
    pub fn mutant(config: Config, restored: Restored, now_ms: u64, rules: Rules) -> Self {
        Self::with_rules(config, restored, now_ms, rules)
    }

    fn with_rules(mut config: Config, restored: Restored, now_ms: u64, rules: Rules) -> Self {
        config.quorum = rules.quorum(config.quorum);
        let spoken = restored.records.iter().map(Record::height).max().unwrap_or(0);
        let reached = restored.height.max(spoken);
        let heard = vec![0; config.keys.len()];
        let standing = Standing::new(restored.height, reached, restored.log_intact);
        let mut engine = Self {
            config,
            rules,
            now_ms,
            height: restored.height,
            parent: restored.parent,
            last_proposer: restored.last_proposer,
            last_decision: restored.decision,
            at: Height::default(),
            standing,
            pending: BTreeMap::new(),
            next_token: 1,
            early: BTreeMap::new(),
            heard,
            later: BTreeMap::new(),
            catching_up_to: 0,
            halted: false,
            withdrawn: false,
            commands: Vec::new(),
        };
        if rules.remember_votes {
            for record in restored.records {
                engine.later.entry(record.height()).or_default().push(record);
            }
            engine.remember_height();
        }
        if let Some(decision) = engine.last_decision.clone() {
            engine.hear_voters(&decision);
        }
        engine.standing.conclude(&engine.config.quorum);
        engine.resume();
        engine
    }

    /// Takes one event at a time given by the shell, Unix milliseconds.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        if self.halted {
            return;
        }
        self.now_ms = now_ms;
        match input {
            Input::Message { from, message } => self.on_message(from, message),
            Input::PeerHeight { peer, in_progress, heard_me, proof } => {
                self.on_peer_height(peer, in_progress, heard_me, proof.as_ref());
            }
            Input::Timer(timer) => self.on_timer(timer),
            Input::Saved { token } => self.on_saved(token),
            Input::Work => self.start_round_timer(),
            Input::Built { height, round, header, batches } => {
                self.on_built(height, round, header, batches);
            }
            Input::Validated { block, valid } => self.on_validated(block, valid),
            Input::Proposed { header, batches } => self.on_proposed(header, batches),
            Input::Synced { header, certificate } => self.on_synced(&header, certificate),
        }
    }

    /// The commands since the last call, in order.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// The height being decided.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The round of it.
    pub fn round(&self) -> u32 {
        self.at.round
    }

    /// Who leads the current round.
    pub fn leader(&self) -> ValidatorIndex {
        self.leader_of(self.at.round)
    }

    /// Whether this node may vote now; see the module on standing for when it may not.
    pub fn may_vote(&self) -> bool {
        !self.halted && self.may_speak()
    }

    pub(crate) fn may_speak(&self) -> bool {
        !self.withdrawn && self.standing.may_speak()
    }

    /// Stops speaking: this node has found its own state wrong. It goes on following decisions.
    pub fn withdraw(&mut self) {
        self.withdrawn = true;
    }

    /// May speak again, after a repair. What it said before is remembered all the while, so there
    /// is no height to wait for: on an idle ledger none may come, and two repaired nodes that wait
    /// would stop a ledger of four for ever.
    pub fn rejoin(&mut self) {
        self.withdrawn = false;
        // What was judged by a wrong state is judged again.
        for seen in self.at.seen.values_mut().filter(|seen| seen.verdict == Verdict::Invalid) {
            seen.verdict = Verdict::NotAsked;
        }
        self.resume();
    }

    /// A block of this height that this node had voted for before it restarted.
    pub fn recall(&mut self, header: BlockHeader, batches: Vec<BatchRef>) {
        if self.fits_height(&header) && self.names_match(&header, &batches) {
            self.see(header, batches);
            self.decide_if_seen();
        }
    }

    /// The decision of the height before the one in progress.
    pub fn last_decision(&self) -> Option<&Certificate> {
        self.last_decision.as_ref()
    }

    /// Digest of the last decided block, or of the genesis.
    pub fn parent(&self) -> Digest {
        self.parent
    }

    /// For each validator the highest height at which this node has heard it speak.
    pub fn heard(&self) -> &[u64] {
        &self.heard
    }

    /// A validator has signed something at a height.
    pub(crate) fn hear(&mut self, validator: ValidatorIndex, height: u64) {
        if let Some(heard) = self.heard.get_mut(validator.place()) {
            *heard = height.max(*heard);
        }
    }

    fn hear_voters(&mut self, certificate: &Certificate) {
        for (voter, _) in &certificate.signatures {
            self.hear(*voter, certificate.height);
        }
    }

    /// Whether the engine has stopped for good.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// The header and batches of a block of this height that this node has seen, for peers that
    /// ask.
    pub fn seen(&self, block: &Digest) -> Option<(&BlockHeader, &[BatchRef])> {
        self.at.seen.get(block).map(|seen| (&seen.header, seen.batches.as_slice()))
    }

    pub(crate) fn leader_of(&self, round: u32) -> ValidatorIndex {
        self.config.leader(self.last_proposer, round)
    }

    pub(crate) fn is_leader(&self, round: u32) -> bool {
        self.leader_of(round) == self.config.own
    }

    fn on_message(&mut self, from: ValidatorIndex, message: ConsensusMessage) {
        let (height, epoch) = match &message {
            ConsensusMessage::Proposal(p) => (p.header.height, p.header.epoch),
            ConsensusMessage::Vote(v) => (v.height, v.epoch),
            ConsensusMessage::Timeout(t) => (t.height, t.epoch),
            ConsensusMessage::Decision(c) => (c.height, c.epoch),
        };
        if epoch != self.config.epoch {
            return;
        }
        if height < self.height {
            self.help_the_late(from, height, &message);
            return;
        }
        if height > self.height {
            self.on_early(from, height, message);
            return;
        }
        match message {
            ConsensusMessage::Proposal(proposal) => self.on_proposal(*proposal),
            ConsensusMessage::Vote(vote) => self.on_vote(vote),
            ConsensusMessage::Timeout(timeout) => self.on_timeout(*timeout),
            ConsensusMessage::Decision(certificate) => self.on_decision(*certificate),
        }
    }

    /// A peer still works on the height before: tell it the decision.
    fn help_the_late(&mut self, from: ValidatorIndex, height: u64, message: &ConsensusMessage) {
        let asks = match message {
            ConsensusMessage::Vote(_)
            | ConsensusMessage::Timeout(_)
            | ConsensusMessage::Proposal(_) => true,
            ConsensusMessage::Decision(_) => false,
        };
        if let Some(decision) = &self.last_decision
            && asks
            && height == decision.height
        {
            let message = ConsensusMessage::Decision(Box::new(decision.clone()));
            self.commands.push(Command::Send { to: from, message });
        }
    }

    /// A peer is ahead: keep what is for the next height, and ask for blocks.
    fn on_early(&mut self, from: ValidatorIndex, height: u64, message: ConsensusMessage) {
        if height == self.height + 1 {
            if let ConsensusMessage::Proposal(proposal) = &message
                && let Some(parent) = &proposal.parent
                && parent.height == self.height
            {
                let decision = parent.clone();
                self.keep_early(from, message);
                self.on_decision(decision);
            } else {
                self.keep_early(from, message);
            }
        }
        // One peer's word only starts a fetch; what it brings is checked by certificate.
        self.catch_up(height - 1);
    }

    fn keep_early(&mut self, from: ValidatorIndex, message: ConsensusMessage) {
        let kept = self.early.entry(from).or_default();
        if kept.len() < EARLY_MESSAGES_MAX {
            kept.push(message);
        }
    }

    pub(crate) fn catch_up(&mut self, decided: u64) {
        // One peer's word for a height that nobody has reached must not end the asking for ever.
        let decided = decided.min(self.height.saturating_add(CATCH_UP_MAX));
        if decided >= self.height && decided > self.catching_up_to {
            self.catching_up_to = decided;
            self.commands.push(Command::CatchUp { decided });
        }
    }

    fn on_peer_height(
        &mut self,
        peer: ValidatorIndex,
        in_progress: u64,
        heard_me: u64,
        proof: Option<&Certificate>,
    ) {
        if peer.place() >= self.config.keys.len() || peer == self.config.own {
            return;
        }
        let proven = self.proven_by(proof);
        let could_not_speak = !self.may_speak();
        self.standing.hear(peer, Heard { proven, heard_me }, &self.config.quorum);
        if could_not_speak {
            self.resume();
        }
        if in_progress > self.height {
            self.catch_up(in_progress - 1);
        }
        if in_progress == self.height {
            self.show_own_votes(peer);
        }
    }

    /// The height that a certificate shows to have been in progress; 0 if it shows nothing.
    fn proven_by(&self, proof: Option<&Certificate>) -> u64 {
        let Some(certificate) = proof else { return 0 };
        let shown = shown_by(certificate);
        // Below the own height there is nothing to learn, and checking every head would cost.
        let holds = shown <= self.height
            || (certificate.epoch == self.config.epoch
                && certificate
                    .verify(self.config.ledger, &self.config.keys, &self.config.quorum)
                    .is_ok());
        if holds { shown } else { 0 }
    }

    /// The certificate that shows the highest height in progress, for this node's head. Besides the
    /// last decision it may be the prepare certificate of a commit vote: that vote outlives a power
    /// cut which takes the blocks before it.
    pub fn proof(&self) -> Option<&Certificate> {
        let voted = self.later.values().flatten().filter_map(|record| match record {
            Record::Commit { prepared, .. } => Some(prepared),
            Record::Proposal(_) | Record::Prepare(_) | Record::Timeout(_) => None,
        });
        let all = self.last_decision.iter().chain(&self.at.prepared).chain(voted);
        all.max_by_key(|certificate| shown_by(certificate))
    }

    /// Shows a peer the votes of its that this node holds: if it forgot them, it must know.
    fn show_own_votes(&mut self, peer: ValidatorIndex) {
        let votes: Vec<Vote> = self.at.votes.of(peer).cloned().collect();
        for vote in votes {
            self.commands.push(Command::Send { to: peer, message: ConsensusMessage::Vote(vote) });
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Round { height, round } if height == self.height && round == self.at.round => {
                self.at.timed = None;
                if self.may_speak() && self.is_accompanied() {
                    self.enter_round(round.saturating_add(1));
                } else if self.may_speak() {
                    self.start_round_timer();
                }
            }
            Timer::Resend { height } if height == self.height => {
                self.at.resending = false;
                self.resend();
                self.fetch_again();
            }
            Timer::Round { .. } | Timer::Resend { .. } => {}
        }
    }

    /// Starts the timer of the current round, once.
    pub(crate) fn start_round_timer(&mut self) {
        let round = self.at.round;
        self.at.active = true;
        if self.at.timed == Some(round) {
            return;
        }
        self.at.timed = Some(round);
        let timer = Timer::Round { height: self.height, round };
        let at_ms = self.now_ms + self.config.timing.round(round);
        self.commands.push(Command::SetTimer { timer, at_ms });
    }

    pub(crate) fn start_resend_timer(&mut self) {
        if !self.at.resending {
            self.at.resending = true;
            let timer = Timer::Resend { height: self.height };
            let at_ms = self.now_ms + self.config.timing.resend_ms;
            self.commands.push(Command::SetTimer { timer, at_ms });
        }
    }

    /// Asks for a record to be saved and keeps what it allows to say until then.
    pub(crate) fn save_then(&mut self, record: Record, then: Pending) {
        let token = self.next_token;
        self.next_token += 1;
        let save = Command::Save { record: Box::new(record), token };
        if self.rules.save_before_send {
            self.pending.insert(token, then);
            self.commands.push(save);
        } else {
            self.say(then);
            self.commands.push(save);
        }
    }

    fn on_saved(&mut self, token: u64) {
        if let Some(pending) = self.pending.remove(&token) {
            self.say(pending);
        }
    }

    /// Says what is on disk: to the peers, and to itself.
    fn say(&mut self, pending: Pending) {
        let message = match &pending {
            Pending::Proposal(proposal) => ConsensusMessage::Proposal(Box::new(proposal.clone())),
            Pending::Vote(vote) => ConsensusMessage::Vote(vote.clone()),
            Pending::Timeout(timeout) => ConsensusMessage::Timeout(Box::new(timeout.clone())),
        };
        let height = match &pending {
            Pending::Proposal(proposal) => proposal.header.height,
            Pending::Vote(vote) => vote.height,
            Pending::Timeout(timeout) => timeout.height,
        };
        if height != self.height {
            return;
        }
        // A node that was withdrawn meanwhile says it when it comes back.
        if self.may_speak() {
            self.commands.push(Command::Broadcast(message));
            self.start_resend_timer();
        }
        match pending {
            Pending::Proposal(proposal) => self.consider(proposal.round),
            Pending::Vote(vote) => {
                let (kind, round, block) = (vote.kind, vote.round, vote.block);
                self.at.votes.insert(vote);
                self.tally(kind, round, block);
            }
            Pending::Timeout(timeout) => {
                self.at.timeouts.insert(timeout.voter, timeout);
                self.try_lead();
            }
        }
    }

    /// Sends again what this node last said at this height, in case it was lost.
    fn resend(&mut self) {
        if !self.may_speak() {
            return;
        }
        let (own, round) = (self.config.own, self.at.round);
        let mut messages = Vec::new();
        if let Some(timeout) = self.at.timeouts.get(&own) {
            messages.push(ConsensusMessage::Timeout(Box::new(timeout.clone())));
        }
        if let Some(proposal) = self.at.proposals.get(&round)
            && self.is_leader(round)
            && !self.is_unsaved(|p| matches!(p, Pending::Proposal(p) if p.round == round))
        {
            messages.push(ConsensusMessage::Proposal(Box::new(proposal.clone())));
        }
        for kind in [VoteKind::Prepare, VoteKind::Commit] {
            let vote = self.at.votes.of(own).filter(|v| v.kind == kind).last();
            messages.extend(vote.cloned().map(ConsensusMessage::Vote));
        }
        if !messages.is_empty() {
            self.commands.extend(messages.into_iter().map(Command::Broadcast));
            self.start_resend_timer();
        }
    }

    /// Asks again for a block that a decision or a new round needs.
    fn fetch_again(&mut self) {
        if let Some(decision) = &self.at.decision {
            let block = decision.block;
            self.fetch(block);
            self.start_resend_timer();
        } else {
            self.try_lead();
        }
    }

    fn is_unsaved(&self, is: impl Fn(&Pending) -> bool) -> bool {
        self.pending.values().any(is)
    }

    /// Takes up what this node had said at the height in progress before it restarted.
    fn remember_height(&mut self) {
        let records = self.later.remove(&self.height).unwrap_or_default();
        records.into_iter().for_each(|record| self.remember(record));
    }

    /// Puts a restored record back in its place, without saying anything.
    fn remember(&mut self, record: Record) {
        match record {
            Record::Proposal(proposal) => {
                self.at.round = self.at.round.max(proposal.round);
                self.see(proposal.header.clone(), proposal.batches.clone());
                self.at.proposals.insert(proposal.round, proposal);
            }
            Record::Prepare(vote) => {
                self.at.round = self.at.round.max(vote.round);
                self.note_own_prepare(&vote);
                self.at.votes.insert(vote);
            }
            Record::Commit { vote, prepared } => {
                self.at.round = self.at.round.max(vote.round);
                self.note_prepared(prepared);
                self.at.votes.insert(vote);
            }
            Record::Timeout(timeout) => {
                self.at.round = self.at.round.max(timeout.round);
                self.at.timeouts.insert(timeout.voter, timeout);
            }
        }
    }

    /// Begins, or begins again, to take part in the height: after a start, and when silence ends.
    pub(crate) fn resume(&mut self) {
        if !self.may_speak() {
            return;
        }
        self.resend();
        if self.at.active || self.at.round > 0 {
            self.start_round_timer();
        }
        if self.came_in_silence() {
            self.enter_round(self.at.round);
        }
        let rounds: Vec<u32> = self.at.proposals.keys().copied().collect();
        rounds.into_iter().for_each(|round| self.consider(round));
        self.try_lead();
    }

    /// Goes on to the next height after a decision.
    pub(crate) fn advance(&mut self, header: &BlockHeader, certificate: Certificate) {
        self.height += 1;
        self.parent = header.digest(self.config.ledger);
        self.last_proposer = header.proposer;
        self.hear_voters(&certificate);
        self.last_decision = Some(certificate);
        self.at = Height::default();
        self.pending.clear();
        self.remember_height();
        self.standing.decided(header.height);
        self.resume();
        let early = std::mem::take(&mut self.early);
        for (from, messages) in early {
            for message in messages {
                self.on_message(from, message);
            }
        }
    }

    /// Whether a round is close enough to be kept.
    pub(crate) fn keeps_round(&self, round: u32) -> bool {
        round <= self.at.round.saturating_add(ROUNDS_AHEAD_MAX)
            && round.saturating_add(ROUNDS_BEHIND_MAX) >= self.at.round
    }

    /// Drops rounds that [`Engine::keeps_round`] no longer keeps.
    pub(crate) fn forget_old_rounds(&mut self) {
        let first = self.at.round.saturating_sub(ROUNDS_BEHIND_MAX);
        self.at.votes.forget_below(first);
        self.at.proposals.retain(|round, _| *round >= first);
    }

    /// Reports evidence; under `cft` one proven lie ends the engine.
    pub(crate) fn report(&mut self, evidence: Evidence) {
        if self.at.evidence < EVIDENCE_MAX {
            self.at.evidence += 1;
            let (height, validator) = (evidence.height(), evidence.culprit());
            self.commands.push(Command::Report(Box::new(evidence)));
            if !self.config.quorum.commit_votes {
                self.halt(HaltReason::Fraud { height, validator });
            }
        }
    }

    pub(crate) fn halt(&mut self, reason: HaltReason) {
        self.halted = true;
        self.commands.push(Command::Halt(reason));
    }

    /// Files a vote whose signature holds; says whether it is news.
    pub(crate) fn file(&mut self, vote: Vote) -> bool {
        self.hear(vote.voter, vote.height);
        match self.at.votes.insert(vote.clone()) {
            Inserted::New => true,
            Inserted::Known => false,
            Inserted::Conflict(before) => {
                self.report(Evidence::TwoVotes(before, vote));
                false
            }
        }
    }
}
