//! Clients that wait for something to become of their transactions.

use std::collections::HashMap;

use ledger_types::{Digest, Outcome};
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
    /// Executed, certified by the next block.
    executed: HashMap<u64, Vec<(Digest, Outcome)>>,
}

impl Waiters {
    /// Whether there is room; the client is told to come back otherwise.
    pub(crate) fn has_room(&self) -> bool {
        self.by_id.len() < WAITING_MAX
    }

    pub(crate) fn add(&mut self, id: Digest, wait: Wait) -> oneshot::Receiver<Progress> {
        let (answer, receiver) = oneshot::channel();
        self.by_id.entry(id).or_default().push(Waiter { wait, answer });
        receiver
    }

    /// A decided block: the order is final; and what the block before did is certified.
    pub(crate) fn on_committed(&mut self, height: u64, ids: impl Iterator<Item = Digest>) {
        for id in ids {
            self.answer(&id, Wait::Committed, &Progress::Committed { height });
        }
        for (id, outcome) in self.executed.remove(&(height - 1)).unwrap_or_default() {
            self.answer(&id, Wait::Certified, &Progress::Executed { height: height - 1, outcome });
        }
    }

    pub(crate) fn on_executed(&mut self, height: u64, outcomes: Vec<(Digest, Outcome)>) {
        for (id, outcome) in &outcomes {
            let progress = Progress::Executed { height, outcome: outcome.clone() };
            self.answer(id, Wait::Executed, &progress);
        }
        let waited: Vec<_> =
            outcomes.into_iter().filter(|(id, _)| self.by_id.contains_key(id)).collect();
        if !waited.is_empty() {
            self.executed.insert(height, waited);
        }
    }

    /// Forgets clients that have gone.
    pub(crate) fn sweep(&mut self) {
        self.by_id.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.answer.is_closed());
            !waiters.is_empty()
        });
    }

    fn answer(&mut self, id: &Digest, wait: Wait, progress: &Progress) {
        let Some(waiters) = self.by_id.get_mut(id) else { return };
        let (now, later) = std::mem::take(waiters).into_iter().partition(|w| w.wait <= wait);
        *waiters = later;
        if waiters.is_empty() {
            self.by_id.remove(id);
        }
        let now: Vec<Waiter> = now;
        for waiter in now {
            let _ = waiter.answer.send(progress.clone());
        }
    }
}
