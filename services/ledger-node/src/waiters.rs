//! Clients that wait for something to become of their transactions.

use std::collections::{BTreeMap, HashMap};

use ledger_types::{Block, Digest, Executed, Outcome};
use tokio::sync::oneshot;

use crate::api::{Progress, Wait};

/// Transactions that clients wait for, at most.
const WAITING_MAX: usize = 100_000;

#[derive(Debug)]
struct Waiter {
    wait: Wait,
    answer: oneshot::Sender<Progress>,
}

/// Who waits for which transaction.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    by_id: HashMap<Digest, Vec<Waiter>>,
    /// How many wait, sweeps aside.
    count: usize,
    /// Results that no decided header states yet, by height: few, the next block does it.
    executed: BTreeMap<u64, (Digest, Vec<(Digest, Outcome)>)>,
    /// What decided headers state of heights that are not executed here yet: the ledger may be
    /// ahead of this node.
    stated: BTreeMap<u64, Digest>,
}

impl Waiters {
    /// Whether there is room; the client is told to come back otherwise.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.count + more <= WAITING_MAX
    }

    pub(crate) fn add(&mut self, id: Digest, wait: Wait) -> oneshot::Receiver<Progress> {
        let (answer, receiver) = oneshot::channel();
        self.by_id.entry(id).or_default().push(Waiter { wait, answer });
        self.count += 1;
        receiver
    }

    /// A decided block: the order is final; and it states what an earlier block did.
    pub(crate) fn on_committed(&mut self, block: &Block) {
        let (height, stated) = (block.header.height, block.header.executed);
        for id in block.transactions.iter().map(|t| t.id()) {
            self.answer(&id, Wait::Committed, &Progress::Committed { height });
        }
        match self.executed.remove(&stated.height) {
            Some((root, outcomes)) => self.certify(stated, root, outcomes),
            None => {
                self.stated.insert(stated.height, stated.root);
            }
        }
        self.executed.retain(|height, _| *height > stated.height);
    }

    pub(crate) fn on_executed(&mut self, executed: Executed, outcomes: Vec<(Digest, Outcome)>) {
        let Executed { height, root } = executed;
        for (id, outcome) in &outcomes {
            let progress = Progress::Executed { height, outcome: outcome.clone() };
            self.answer(id, Wait::Executed, &progress);
        }
        match self.stated.remove(&height) {
            Some(stated) => self.certify(Executed { height, root: stated }, root, outcomes),
            None => {
                self.executed.insert(height, (root, outcomes));
            }
        }
        self.stated.retain(|stated, _| *stated > height);
    }

    /// A certified header states `stated`. If this node's root is another one its outcomes are
    /// wrong, and nobody is told that they are certified.
    fn certify(&mut self, stated: Executed, own: Digest, outcomes: Vec<(Digest, Outcome)>) {
        if stated.root == own {
            for (id, outcome) in outcomes {
                let progress = Progress::Executed { height: stated.height, outcome };
                self.answer(&id, Wait::Certified, &progress);
            }
        }
    }

    /// Forgets clients that have gone.
    pub(crate) fn sweep(&mut self) {
        self.by_id.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.answer.is_closed());
            !waiters.is_empty()
        });
        self.count = self.by_id.values().map(Vec::len).sum();
    }

    fn answer(&mut self, id: &Digest, wait: Wait, progress: &Progress) {
        let Some(waiters) = self.by_id.get_mut(id) else { return };
        let (now, later) = std::mem::take(waiters).into_iter().partition(|w| w.wait <= wait);
        *waiters = later;
        if waiters.is_empty() {
            self.by_id.remove(id);
        }
        let now: Vec<Waiter> = now;
        self.count = self.count.saturating_sub(now.len());
        for waiter in now {
            let _ = waiter.answer.send(progress.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger_types::{BlockHeader, ValidatorIndex};
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    fn block(height: u64, root: u8) -> Block {
        let header = BlockHeader {
            height,
            epoch: 0,
            parent: Digest::ZERO,
            time_ms: 0,
            proposer: ValidatorIndex(0),
            transaction_count: 0,
            transactions_root: Digest::ZERO,
            batches: Digest::ZERO,
            executed: Executed { height: height - 1, root: Digest([root; 32]) },
        };
        Block { header, transactions: vec![] }
    }

    fn outcome() -> Vec<(Digest, Outcome)> {
        vec![(ID, Outcome::Applied { changes: vec![1] })]
    }

    const ID: Digest = Digest([9; 32]);
    const DONE: Executed = Executed { height: 4, root: Digest([7; 32]) };

    /// `certified` is not `executed`: the client is told when a decided header states the result.
    #[test]
    fn certified_waits_for_the_covering_header() {
        let mut waiters = Waiters::default();
        let mut told = waiters.add(ID, Wait::Certified);
        waiters.on_executed(DONE, outcome());
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty), "executed is not certified");
        waiters.on_committed(&block(5, 7));
        assert!(matches!(told.try_recv(), Ok(Progress::Executed { height: 4, .. })));
    }

    /// A node that is behind hears of the covering header before it has the result itself.
    #[test]
    fn certified_is_told_when_the_header_was_first() {
        let mut waiters = Waiters::default();
        let mut told = waiters.add(ID, Wait::Certified);
        waiters.on_committed(&block(5, 7));
        waiters.on_executed(DONE, outcome());
        assert!(matches!(told.try_recv(), Ok(Progress::Executed { height: 4, .. })));
    }

    /// The header of a node that has diverged states another root: its own result is not certified.
    #[test]
    fn another_root_certifies_nothing() {
        let mut waiters = Waiters::default();
        let mut told = waiters.add(ID, Wait::Certified);
        waiters.on_executed(DONE, outcome());
        waiters.on_committed(&block(5, 8));
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
    }
}
