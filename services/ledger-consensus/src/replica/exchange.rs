//! What peers ask each other for, outside the voting.

use std::sync::Arc;

use ledger_types::{Batch, BatchRef, Digest, Message, Signature, ValidatorIndex, message::Head};

use super::{Effect, Replica};
use crate::input::Input;

/// Blocks asked for at once.
const BLOCKS_MAX: u64 = 256;
/// Own batches sent again at once.
const RESEND_BATCHES_MAX: usize = 16;

impl Replica {
    pub(super) fn on_message(&mut self, from: ValidatorIndex, message: Message) {
        match message {
            Message::Consensus(message) => self.tell(Input::Message { from, message }),
            Message::Batch(batch) => self.on_batch(from, batch),
            Message::FetchBatch(reference) => {
                if let Some(batch) = self.mempool.get(&reference.digest) {
                    let message = Arc::new(Message::Batch(batch.clone()));
                    self.effects.push(Effect::Send { to: from, message });
                }
            }
            Message::FetchProposed { height, block } => self.on_fetch_proposed(from, height, block),
            Message::Proposed { header, batches } => {
                self.tell(Input::Proposed { header: *header, batches });
            }
            Message::FetchBlocks { from: first, to } => {
                let until = to.min(first.saturating_add(BLOCKS_MAX));
                self.effects.push(Effect::SendBlocks { to: from, from: first, until });
            }
            Message::Blocks(blocks) => self.on_blocks(blocks),
            Message::Head(head) => self.on_head(from, *head),
        }
    }

    /// A peer's batch comes from itself, or was asked for: nobody fills another one's share.
    fn on_batch(&mut self, from: ValidatorIndex, batch: Arc<Batch>) {
        let digest = batch.digest(self.consensus.ledger);
        let known = self.mempool.get(&digest).is_some();
        let is_due = batch.origin == from || self.is_wanted(&digest);
        let is_validators = batch.origin.place() < self.consensus.keys.len();
        if !known && is_due && is_validators && batch.is_bounded() {
            self.effects.push(Effect::VerifyBatch(batch));
        }
    }

    pub(super) fn on_batch_verified(&mut self, batch: &Arc<Batch>, valid: bool) {
        let wanted = self.is_wanted(&batch.digest(self.consensus.ledger));
        if valid && self.mempool.insert(batch, wanted) {
            self.try_validate();
            self.commit_whole();
            self.on_more_work();
        }
    }

    /// Whether a block that is being judged or committed needs this batch; then no bound on what
    /// waits may keep it out. It may be an own one, from before a restart.
    fn is_wanted(&self, batch: &Digest) -> bool {
        let judged = self.validating.values().map(|(_, batches)| batches);
        let decided = self.decided.values().map(|decision| &decision.batches);
        judged.chain(decided).flatten().any(|reference| reference.digest == *batch)
    }

    fn on_fetch_proposed(&mut self, from: ValidatorIndex, height: u64, block: Digest) {
        let seen =
            self.engine.seen(&block).map(|(header, batches)| (header.clone(), batches.to_vec()));
        let decided = || {
            let (header, batches) = self.recent.get(&height)?;
            let same = header.digest(self.consensus.ledger) == block;
            same.then(|| (header.clone(), batches.clone()))
        };
        if let Some((header, batches)) = seen.or_else(decided) {
            let message = Arc::new(Message::Proposed { header: Box::new(header), batches });
            self.effects.push(Effect::Send { to: from, message });
        }
    }

    fn on_head(&mut self, from: ValidatorIndex, head: Head) {
        let key = self.consensus.keys.get(head.node.place());
        if head.node != from
            || head.heard.len() != self.consensus.keys.len()
            || !key.is_some_and(|key| head.verify(self.consensus.ledger, key))
        {
            return;
        }
        let (in_progress, proof) = (head.in_progress, head.proof.clone());
        let heard_me = head.heard.get(self.consensus.own.place()).copied().unwrap_or(0);
        self.heads.insert(from, head);
        self.tell(Input::PeerHeight { peer: from, in_progress, heard_me, proof });
    }

    /// This node's own head, signed.
    pub(super) fn head(&self) -> Message {
        let height = self.engine.height();
        let head = Head {
            node: self.consensus.own,
            in_progress: height,
            decided: height - 1,
            block: self.engine.parent(),
            executed: self.executed,
            heard: self.engine.heard().to_vec(),
            proof: self.engine.proof().cloned(),
            time_ms: self.now_ms,
            signature: Signature([0; 64]),
        };
        Message::Head(Box::new(head.sign(&self.consensus.key, self.consensus.ledger)))
    }

    pub(super) fn greet(&mut self, peer: ValidatorIndex) {
        let message = Arc::new(self.head());
        self.effects.push(Effect::Send { to: peer, message });
        for batch in self.mempool.own_waiting(RESEND_BATCHES_MAX) {
            let message = Arc::new(Message::Batch(batch));
            self.effects.push(Effect::Send { to: peer, message });
        }
    }

    pub(super) fn catch_up(&mut self, decided: u64) {
        self.behind_to = self.behind_to.max(decided);
        self.fetch_blocks();
    }

    fn fetch_blocks(&mut self) {
        let from = self.next_commit;
        if self.behind_to >= from {
            let message = Arc::new(Message::FetchBlocks { from, to: self.behind_to });
            // Ask whoever says it has them; without heads, everybody.
            let behind_to = self.behind_to;
            let holder = self
                .heads
                .values()
                .filter(|head| head.decided >= behind_to.min(from))
                .nth(usize::try_from(self.now_ms / 100).unwrap_or(0) % self.heads.len().max(1));
            match holder.map(|head| head.node) {
                Some(to) => self.effects.push(Effect::Send { to, message }),
                None => self.effects.push(Effect::Broadcast(message)),
            }
        }
    }

    pub(super) fn fetch_batches(&mut self, references: &[BatchRef]) {
        for reference in self.mempool.missing(references) {
            let message = Arc::new(Message::FetchBatch(*reference));
            if reference.origin == self.consensus.own {
                // Sealed before a restart: somebody else may still have it.
                self.effects.push(Effect::Broadcast(message));
            } else {
                self.effects.push(Effect::Send { to: reference.origin, message });
            }
        }
    }

    /// Asks again for whatever is still missing, and sends own waiting batches again.
    pub(super) fn retry(&mut self) {
        let wanted: Vec<BatchRef> = self
            .validating
            .values()
            .flat_map(|(_, batches)| batches)
            .chain(self.decided.values().flat_map(|decision| &decision.batches))
            .copied()
            .collect();
        for reference in self.mempool.missing(&wanted) {
            let message = Arc::new(Message::FetchBatch(*reference));
            self.effects.push(Effect::Broadcast(message));
        }
        if let Some(last) = self.decided.keys().next_back() {
            // Decided but not whole: peers that have the block can send it.
            self.behind_to = self.behind_to.max(*last);
        }
        self.fetch_blocks();
        for batch in self.mempool.own_overdue(RESEND_BATCHES_MAX) {
            self.effects.push(Effect::Broadcast(Arc::new(Message::Batch(batch))));
        }
        // A block from a clock ahead of this one may be due by now.
        self.try_validate();
    }
}
