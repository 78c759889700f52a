//! An honest validator says one thing in a round, whatever crashes it has gone through.

use std::collections::BTreeMap;

use ledger_types::{ConsensusMessage, Digest, LedgerId, Message, ValidatorIndex, VoteKind};

use super::Broken;

/// Who, what kind (0 proposal, 1 prepare, 2 commit), height, round.
type Slot = (ValidatorIndex, u8, u64, u32);

#[derive(Debug, Default)]
pub(crate) struct OneVote {
    said: BTreeMap<Slot, Digest>,
}

impl OneVote {
    /// A message leaves an honest node.
    pub(crate) fn on_send(
        &mut self,
        ledger: LedgerId,
        from: ValidatorIndex,
        message: &Message,
    ) -> Result<(), Broken> {
        let Message::Consensus(message) = message else { return Ok(()) };
        let (slot, block) = match message {
            ConsensusMessage::Vote(vote) if vote.voter == from => {
                let kind = match vote.kind {
                    VoteKind::Prepare => 1,
                    VoteKind::Commit => 2,
                };
                ((from, kind, vote.height, vote.round), vote.block)
            }
            ConsensusMessage::Proposal(p) => {
                ((from, 0, p.header.height, p.round), p.header.digest(ledger))
            }
            ConsensusMessage::Vote(_)
            | ConsensusMessage::Timeout(_)
            | ConsensusMessage::Decision(_) => return Ok(()),
        };
        let first = *self.said.entry(slot).or_insert(block);
        if first == block {
            Ok(())
        } else {
            let (_, kind, height, round) = slot;
            let what = ["proposes", "prepares", "commits"][usize::from(kind)];
            Err(format!("node {from} {what} two blocks at height {height} round {round}"))
        }
    }
}
