//! Decided blocks: made whole, committed in order, compared with what was certified.

use std::sync::Arc;

use ledger_types::{
    BatchRef, Block, BlockHeader, Certificate, Executed, Transaction, message::DecidedBlock,
};

use super::{Decision, Effect, RECENT_HEIGHTS, Replica};
use crate::input::Input;

impl Replica {
    pub(super) fn on_decided(
        &mut self,
        header: BlockHeader,
        batches: Vec<BatchRef>,
        certificate: Certificate,
        transactions: Option<Vec<Arc<Transaction>>>,
    ) {
        let height = header.height;
        self.building = None;
        self.journaled.clear();
        self.recall();
        self.last_time_ms = header.time_ms;
        self.last_count = header.transaction_count as usize;
        self.open = header.transaction_count > 0;
        self.compare(header.executed);
        if transactions.is_none() {
            self.recent.insert(height, (header.clone(), batches.clone()));
        }
        self.recent.retain(|h, _| h + RECENT_HEIGHTS > height);
        self.decided.insert(height, Decision { header, batches, certificate, transactions });
        self.commit_whole();
        if let Some(decision) = self.decided.get(&height) {
            let batches = decision.batches.clone();
            self.fetch_batches(&batches);
        }
        self.try_validate();
        self.on_more_work();
    }

    /// The header is certified: if it states another root for a height that this node has
    /// executed, this node is wrong.
    fn compare(&mut self, certified: Executed) {
        if let Some(root) = self.roots.get(&certified.height)
            && *root != certified.root
            && !self.diverged
        {
            let own = Executed { height: certified.height, root: *root };
            self.withdraw();
            self.effects.push(Effect::Diverged { certified, own });
        }
    }

    /// Commits decided blocks in order, as far as their transactions are there.
    pub(super) fn commit_whole(&mut self) {
        while let Some(decision) = self.decided.get_mut(&self.next_commit) {
            if decision.transactions.is_none() {
                decision.transactions = self.mempool.resolve(&decision.batches);
            }
            let Some(transactions) = decision.transactions.take() else { return };
            let decision = self.decided.remove(&self.next_commit).expect("found above");
            if decision.batches.is_empty() {
                self.mempool.on_caught_up(self.next_commit, &transactions);
            } else {
                self.mempool.on_decided(self.next_commit, &decision.batches);
            }
            self.mempool.forget_below(self.next_commit.saturating_sub(RECENT_HEIGHTS));
            let block = Arc::new(Block { header: decision.header, transactions });
            let certificate = decision.certificate;
            self.effects.push(Effect::Commit(DecidedBlock { block, certificate }));
            self.next_commit += 1;
        }
    }

    pub(super) fn on_executed(&mut self, executed: Executed) {
        self.executed = executed;
        self.roots.insert(executed.height, executed.root);
        self.roots.retain(|height, _| height + RECENT_HEIGHTS > executed.height);
        // The next block may have been decided before this one was executed here.
        let next = executed.height + 1;
        let recent = self.recent.get(&next).map(|(header, _)| header.executed);
        let certified = recent.or(self.decided.get(&next).map(|decision| decision.header.executed));
        if let Some(certified) = certified {
            self.compare(certified);
        }
        self.after_execution();
    }

    pub(super) fn after_execution(&mut self) {
        self.try_validate();
        self.on_more_work();
    }

    /// Blocks that a peer sent: each is checked by its own certificate.
    pub(super) fn on_blocks(&mut self, blocks: Vec<DecidedBlock>) {
        for DecidedBlock { block, certificate } in blocks {
            let header = &block.header;
            let digest = header.digest(self.consensus.ledger);
            if !block.is_whole() || certificate.block != digest {
                return;
            }
            let height = header.height;
            if let Some(decision) = self.decided.get_mut(&height) {
                if decision.certificate.block == digest {
                    decision.transactions = Some(block.transactions.clone());
                    self.commit_whole();
                }
            } else if height == self.engine.height() {
                let synced =
                    Input::Synced { header: header.clone(), certificate: certificate.clone() };
                self.engine.handle(self.now_ms, synced);
                if self.engine.height() > height {
                    let transactions = Some(block.transactions.clone());
                    self.on_decided(header.clone(), vec![], certificate, transactions);
                }
                self.obey();
            }
        }
        if self.behind_to >= self.engine.height() {
            self.retry_at_ms = self.now_ms;
        }
    }
}
