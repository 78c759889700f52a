//! What a Byzantine validator does to its own messages. It runs the production replica and signs
//! with its own key; nobody else's.

use std::sync::Arc;

use ledger_types::{
    BlockHeader, ConsensusMessage, Digest, LastVote, LedgerId, Message, Proposal, SigningKey,
    Timeout, ValidatorIndex, Vote, VoteKind, message::Head,
};

use crate::{luck::Luck, plan::Cheat};

/// A message that leaves, and to whom; `None` means everybody.
pub(crate) type Outgoing = (Option<ValidatorIndex>, Arc<Message>);

/// Blocks made up until one of them sorts behind the true one: equal candidates go by digest.
const FORGERIES_MAX: u64 = 64;

/// One Byzantine validator and what it remembers of the height in progress.
pub(crate) struct Cheater {
    pub(crate) kind: Cheat,
    key: Arc<SigningKey>,
    ledger: LedgerId,
    own: ValidatorIndex,
    peers: u16,
    height: u64,
    /// Its first prepare vote.
    first_vote: Option<LastVote>,
    /// The block that it proposed first.
    proposed: Option<Proposal>,
    /// A block of its own making, and the round in which it proposed it.
    forged: Option<(Digest, u32)>,
}

impl Cheater {
    pub(crate) fn new(
        kind: Cheat,
        key: Arc<SigningKey>,
        ledger: LedgerId,
        own: ValidatorIndex,
        peers: u16,
    ) -> Self {
        let (first_vote, proposed, forged) = (None, None, None);
        Self { kind, key, ledger, own, peers, height: 0, first_vote, proposed, forged }
    }

    /// What it sends instead of one message; says whether it cheated.
    pub(crate) fn bend(
        &mut self,
        luck: &mut Luck,
        to: Option<ValidatorIndex>,
        message: &Arc<Message>,
    ) -> (Vec<Outgoing>, bool) {
        let bent = match &**message {
            Message::Consensus(consensus) => {
                self.remember(consensus);
                if to.is_none() { self.bend_consensus(luck, message, consensus) } else { None }
            }
            Message::Head(head) if self.kind == Cheat::LyingHeads => {
                let lie = Message::Head(Box::new(self.head(luck, head)));
                Some(vec![(to, Arc::new(lie))])
            }
            _ => None,
        };
        let cheated = bent.is_some();
        (bent.unwrap_or_else(|| vec![(to, message.clone())]), cheated)
    }

    fn remember(&mut self, message: &ConsensusMessage) {
        let height = match message {
            ConsensusMessage::Vote(vote) => vote.height,
            ConsensusMessage::Proposal(proposal) => proposal.header.height,
            ConsensusMessage::Timeout(_) | ConsensusMessage::Decision(_) => return,
        };
        if height > self.height {
            self.height = height;
            (self.first_vote, self.proposed, self.forged) = (None, None, None);
        }
        match message {
            ConsensusMessage::Vote(vote)
                if vote.voter == self.own
                    && vote.kind == VoteKind::Prepare
                    && self.first_vote.is_none() =>
            {
                let Vote { round, block, signature, .. } = vote.clone();
                self.first_vote = Some(LastVote { round, block, signature });
            }
            ConsensusMessage::Proposal(proposal) if self.proposed.is_none() => {
                self.proposed = Some((**proposal).clone());
            }
            _ => {}
        }
    }

    fn bend_consensus(
        &mut self,
        luck: &mut Luck,
        message: &Arc<Message>,
        consensus: &ConsensusMessage,
    ) -> Option<Vec<Outgoing>> {
        match (self.kind, consensus) {
            (Cheat::TwoProposals, ConsensusMessage::Proposal(proposal)) => {
                let other = self.propose(proposal, |header| header.time_ms += 1);
                Some(self.split(luck, message, &other))
            }
            (Cheat::WrongRoot, ConsensusMessage::Proposal(proposal)) => {
                let lie = Digest([luck.below(256) as u8; 32]);
                let other = self.propose(proposal, |header| header.executed.root = lie);
                Some(vec![(None, other)])
            }
            (Cheat::WrongChoice, ConsensusMessage::Proposal(proposal)) if proposal.round > 0 => {
                let mut header = proposal.header.clone();
                header.time_ms += 1;
                self.forged = Some((header.digest(self.ledger), proposal.round));
                let other = self.propose(proposal, |header| header.time_ms += 1);
                Some(vec![(None, other)])
            }
            (Cheat::WrongChoice, ConsensusMessage::Vote(vote)) => {
                let (block, round) = self.forged?;
                if vote.kind != VoteKind::Prepare || vote.round != round {
                    return None;
                }
                let both = [VoteKind::Prepare, VoteKind::Commit];
                Some(both.map(|kind| (None, self.vote(vote, kind, block))).to_vec())
            }
            (Cheat::TwoVotes, ConsensusMessage::Vote(vote)) => {
                let lie = Digest([luck.below(256) as u8; 32]);
                let other = self.vote(vote, vote.kind, lie);
                Some(self.split(luck, message, &other))
            }
            (Cheat::Withholds, ConsensusMessage::Vote(_)) => Some(vec![]),
            (Cheat::LyingTimeouts, ConsensusMessage::Timeout(timeout)) => {
                Some(vec![(None, self.timeout(timeout, None))])
            }
            (Cheat::StaleTimeouts, ConsensusMessage::Timeout(timeout)) => {
                let first = self.first_vote.clone().filter(|vote| vote.round < timeout.round)?;
                Some(vec![(None, self.timeout(timeout, Some(first)))])
            }
            (Cheat::InventedVotes, ConsensusMessage::Timeout(timeout)) => self.invent(timeout),
            (Cheat::HugeRounds, ConsensusMessage::Vote(vote)) => {
                let round = u32::MAX - u32::try_from(luck.below(9)).expect("small");
                let shout = Timeout::sign(
                    &self.key,
                    self.ledger,
                    self.own,
                    vote.epoch,
                    vote.height,
                    round,
                    None,
                    None,
                );
                let shout = Message::Consensus(ConsensusMessage::Timeout(Box::new(shout)));
                Some(vec![(None, message.clone()), (None, Arc::new(shout))])
            }
            _ => None,
        }
    }

    /// A timeout that names a vote for a block like the proposed one, and that block for whoever
    /// believes it.
    fn invent(&mut self, timeout: &Timeout) -> Option<Vec<Outgoing>> {
        let proposed = self.proposed.clone().filter(|p| p.round < timeout.round)?;
        let truth = proposed.header.digest(self.ledger);
        let with_time = |more: u64| {
            let time_ms = proposed.header.time_ms + more;
            BlockHeader { time_ms, ..proposed.header.clone() }
        };
        let forged = (1..=FORGERIES_MAX).map(with_time);
        let header = forged.into_iter().find(|header| header.digest(self.ledger) > truth)?;
        let block = header.digest(self.ledger);
        let (height, round) = (timeout.height, proposed.round);
        let vote = Vote::sign(
            &self.key,
            self.ledger,
            self.own,
            VoteKind::Prepare,
            timeout.epoch,
            height,
            round,
            block,
        );
        let last = LastVote { round, block, signature: vote.signature };
        let offer = Message::Proposed { header: Box::new(header), batches: proposed.batches };
        Some(vec![(None, self.timeout(timeout, Some(last))), (None, Arc::new(offer))])
    }

    fn propose(&self, proposal: &Proposal, change: impl FnOnce(&mut BlockHeader)) -> Arc<Message> {
        let mut header = proposal.header.clone();
        change(&mut header);
        let other = Proposal::sign(
            &self.key,
            self.ledger,
            self.own,
            proposal.round,
            header,
            proposal.batches.clone(),
            proposal.justification.clone(),
            proposal.parent.clone(),
        );
        Arc::new(Message::Consensus(ConsensusMessage::Proposal(Box::new(other))))
    }

    fn vote(&self, vote: &Vote, kind: VoteKind, block: Digest) -> Arc<Message> {
        let Vote { epoch, height, round, .. } = *vote;
        let other = Vote::sign(&self.key, self.ledger, self.own, kind, epoch, height, round, block);
        Arc::new(Message::Consensus(ConsensusMessage::Vote(other)))
    }

    fn timeout(&self, timeout: &Timeout, last_vote: Option<LastVote>) -> Arc<Message> {
        let lie = Timeout::sign(
            &self.key,
            self.ledger,
            self.own,
            timeout.epoch,
            timeout.height,
            timeout.round,
            last_vote,
            None,
        );
        Arc::new(Message::Consensus(ConsensusMessage::Timeout(Box::new(lie))))
    }

    /// A head that claims too much or too little, of itself and of having heard the others.
    fn head(&self, luck: &mut Luck, head: &Head) -> Head {
        let mut lie = head.clone();
        let heard = [0, u64::MAX, 1_000_000][luck.index(3)];
        lie.heard.fill(heard);
        match luck.below(4) {
            0 => lie.proof = None,
            1 => (lie.in_progress, lie.decided, lie.proof) = (u64::MAX, u64::MAX - 1, None),
            2 => {
                (lie.in_progress, lie.decided) = (head.in_progress + 90, head.in_progress + 89);
                if let Some(proof) = &mut lie.proof {
                    proof.height += 90;
                }
            }
            _ => (lie.in_progress, lie.decided, lie.proof) = (1, 0, None),
        }
        lie.sign(&self.key, self.ledger)
    }

    /// One message to some peers, another to the rest.
    fn split(&self, luck: &mut Luck, one: &Arc<Message>, two: &Arc<Message>) -> Vec<Outgoing> {
        let others = (0..self.peers).map(ValidatorIndex).filter(|peer| *peer != self.own);
        others
            .map(|peer| (Some(peer), if luck.percent(50) { one.clone() } else { two.clone() }))
            .collect()
    }
}
