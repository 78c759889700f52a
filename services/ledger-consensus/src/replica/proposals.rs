//! Building blocks, and judging those of others.

use ledger_types::{BatchRef, Block, BlockHeader, Digest, limits};

use super::Replica;
use crate::input::Input;

impl Replica {
    pub(super) fn submit(&mut self, transactions: Vec<std::sync::Arc<ledger_types::Transaction>>) {
        for batch in self.mempool.seal(transactions) {
            let message = std::sync::Arc::new(ledger_types::Message::Batch(batch));
            self.effects.push(super::Effect::Broadcast(message));
        }
        self.on_more_work();
    }

    /// Something waits: build if it is this node's turn, and let the engine watch the leader.
    pub(super) fn on_more_work(&mut self) {
        if self.has_work() {
            self.tell(Input::Work);
        }
        self.try_build();
    }

    /// Whether another block is wanted: for transactions, or to certify the last results.
    fn has_work(&self) -> bool {
        self.mempool.waiting() > 0 || self.open
    }

    /// Answers the engine's wish for a block, when it is time.
    pub(super) fn try_build(&mut self) {
        let Some((height, round, parent)) = self.building else { return };
        if height != self.engine.height() || self.executed.height + 1 != height || self.diverged {
            return;
        }
        // A new round's leader must speak, even of an empty block.
        if round == 0 && !(self.has_work() && self.is_time()) {
            return;
        }
        let batches = self.mempool.next(self.config.block_transactions);
        let Some(transactions) = self.mempool.resolve(&batches) else { return };
        self.building = None;
        self.last_proposed_ms = self.now_ms;
        let header = BlockHeader {
            height,
            epoch: self.consensus.epoch,
            parent,
            time_ms: self.now_ms.max(self.last_time_ms),
            proposer: self.consensus.own,
            transaction_count: u32::try_from(transactions.len()).expect("blocks are bounded"),
            transactions_root: Block::transactions_root(&transactions),
            batches: BatchRef::list_digest(&batches, self.consensus.ledger),
            executed: self.executed,
        };
        self.tell(Input::Built { height, round, header, batches });
    }

    /// Below full pace at once; at full pace every so often, or when enough waits.
    fn is_time(&self) -> bool {
        self.last_count < self.config.small_block
            || self.mempool.waiting() >= self.config.enough
            || self.now_ms.abs_diff(self.last_proposed_ms) >= self.config.propose_every_ms
    }

    pub(super) fn validate(&mut self, header: BlockHeader, batches: Vec<BatchRef>) {
        let block = header.digest(self.consensus.ledger);
        self.validating.insert(block, (header, batches));
        self.try_validate();
        if let Some((_, batches)) = self.validating.get(&block) {
            let batches = batches.clone();
            self.fetch_batches(&batches);
        }
    }

    /// Judges the waiting blocks for which everything is there.
    pub(super) fn try_validate(&mut self) {
        let height = self.engine.height();
        self.validating.retain(|_, (header, _)| header.height >= height);
        let blocks: Vec<Digest> = self.validating.keys().copied().collect();
        for block in blocks {
            let Some((header, batches)) = self.validating.get(&block) else { continue };
            if let Some(valid) = self.verdict(header, batches) {
                self.validating.remove(&block);
                self.tell(Input::Validated { block, valid });
            }
        }
    }

    /// `None` while it cannot be said: batches or the execution of the height before are missing, this
    /// node's own state is wrong, or its clock is behind. A verdict is final, and a block that others
    /// have voted for comes back in every later round.
    fn verdict(&self, header: &BlockHeader, batches: &[BatchRef]) -> Option<bool> {
        if header.executed.height + 1 != header.height || batches.len() > limits::BLOCK_BATCHES_MAX
        {
            return Some(false);
        }
        let is_ahead = header.time_ms > self.now_ms + limits::CLOCK_DRIFT_MS_MAX;
        if self.executed.height < header.executed.height || self.diverged || is_ahead {
            return None;
        }
        let transactions = self.mempool.resolve(batches)?;
        let bytes: usize = transactions.iter().map(|t| t.raw().len()).sum();
        let whole = transactions.len() == header.transaction_count as usize
            && transactions.len() <= limits::BLOCK_TRANSACTIONS_MAX
            && bytes <= limits::BLOCK_BYTES_MAX
            && Block::transactions_root(&transactions) == header.transactions_root;
        let same_root = self.roots.get(&header.executed.height) == Some(&header.executed.root);
        Some(whole && same_root && header.time_ms >= self.last_time_ms)
    }
}
