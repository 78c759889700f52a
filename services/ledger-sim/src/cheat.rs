//! What a Byzantine validator does to its own messages. It runs the production replica and signs
//! with its own key; nobody else's.

use std::sync::Arc;

use ledger_types::{
    ConsensusMessage, Digest, LedgerId, Message, Proposal, SigningKey, Timeout, ValidatorIndex,
    Vote,
};

use crate::{luck::Luck, plan::Cheat};

/// A message that leaves, and to whom; `None` means everybody.
pub(crate) type Outgoing = (Option<ValidatorIndex>, Arc<Message>);

pub(crate) struct Cheater<'a> {
    pub(crate) kind: Cheat,
    pub(crate) key: &'a SigningKey,
    pub(crate) ledger: LedgerId,
    pub(crate) own: ValidatorIndex,
    pub(crate) peers: u16,
}

impl Cheater<'_> {
    /// What it sends instead of one message; says whether it cheated.
    pub(crate) fn bend(&self, luck: &mut Luck, message: &Arc<Message>) -> (Vec<Outgoing>, bool) {
        let honest = || (vec![(None, message.clone())], false);
        let Message::Consensus(consensus) = &**message else { return honest() };
        match (self.kind, consensus) {
            (Cheat::TwoProposals, ConsensusMessage::Proposal(proposal)) => {
                let other = self.propose(proposal, |header| header.time_ms += 1);
                (self.split(luck, message, &other), true)
            }
            (Cheat::WrongRoot, ConsensusMessage::Proposal(proposal)) => {
                let lie = Digest([luck.below(256) as u8; 32]);
                let other = self.propose(proposal, |header| header.executed.root = lie);
                (vec![(None, other)], true)
            }
            (Cheat::TwoVotes, ConsensusMessage::Vote(vote)) => {
                let lie = Digest([luck.below(256) as u8; 32]);
                let Vote { kind, epoch, height, round, .. } = *vote;
                let other =
                    Vote::sign(self.key, self.ledger, self.own, kind, epoch, height, round, lie);
                let other = Arc::new(Message::Consensus(ConsensusMessage::Vote(other)));
                (self.split(luck, message, &other), true)
            }
            (Cheat::Withholds, ConsensusMessage::Vote(_)) => (vec![], true),
            (Cheat::LyingTimeouts, ConsensusMessage::Timeout(timeout)) => {
                (vec![(None, self.timeout(timeout, timeout.round))], true)
            }
            (Cheat::HugeRounds, ConsensusMessage::Vote(vote)) => {
                let shout = Timeout::sign(
                    self.key,
                    self.ledger,
                    self.own,
                    vote.epoch,
                    vote.height,
                    u32::MAX - u32::try_from(luck.below(9)).expect("small"),
                    None,
                    None,
                );
                let shout = Message::Consensus(ConsensusMessage::Timeout(Box::new(shout)));
                (vec![(None, message.clone()), (None, Arc::new(shout))], true)
            }
            _ => honest(),
        }
    }

    fn propose(
        &self,
        proposal: &Proposal,
        change: impl FnOnce(&mut ledger_types::BlockHeader),
    ) -> Arc<Message> {
        let mut header = proposal.header.clone();
        change(&mut header);
        let other = Proposal::sign(
            self.key,
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

    fn timeout(&self, timeout: &Timeout, round: u32) -> Arc<Message> {
        let lie = Timeout::sign(
            self.key,
            self.ledger,
            self.own,
            timeout.epoch,
            timeout.height,
            round,
            None,
            None,
        );
        Arc::new(Message::Consensus(ConsensusMessage::Timeout(Box::new(lie))))
    }

    /// One message to some peers, another to the rest.
    fn split(&self, luck: &mut Luck, one: &Arc<Message>, two: &Arc<Message>) -> Vec<Outgoing> {
        let others = (0..self.peers).map(ValidatorIndex).filter(|peer| *peer != self.own);
        others
            .map(|peer| (Some(peer), if luck.percent(50) { one.clone() } else { two.clone() }))
            .collect()
    }
}
