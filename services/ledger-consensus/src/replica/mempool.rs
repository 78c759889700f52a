//! Sealed batches, and which of them still wait to be ordered.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use ledger_types::{Batch, BatchRef, Digest, LedgerId, Transaction, ValidatorIndex, limits};

/// Batches kept, waiting or recently decided.
const BATCHES_MAX: usize = 8_192;
/// Batches of one peer that may wait.
const BATCHES_OF_PEER_MAX: usize = 2_048;

#[derive(Debug)]
pub(super) struct Mempool {
    ledger: LedgerId,
    own: ValidatorIndex,
    sequence: u64,
    /// The last own batch at the last look for overdue ones.
    overdue: u64,
    batches: HashMap<Digest, Arc<Batch>>,
    /// In order of arrival; entries of decided batches are skipped.
    waiting: VecDeque<BatchRef>,
    waiting_digests: HashSet<Digest>,
    waiting_transactions: usize,
    waiting_of: BTreeMap<ValidatorIndex, usize>,
    /// Ids in own waiting batches: a client's repetition is not sealed twice.
    own_ids: HashSet<Digest>,
    /// Decided batches by height, to be dropped later.
    decided: BTreeMap<u64, Vec<Digest>>,
}

impl Mempool {
    pub(super) fn new(ledger: LedgerId, own: ValidatorIndex) -> Self {
        Self {
            ledger,
            own,
            sequence: 0,
            overdue: 0,
            batches: HashMap::new(),
            waiting: VecDeque::new(),
            waiting_digests: HashSet::new(),
            waiting_transactions: 0,
            waiting_of: BTreeMap::new(),
            own_ids: HashSet::new(),
            decided: BTreeMap::new(),
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting_transactions
    }

    /// Seals a client's transactions into batches, leaving out what waits already.
    pub(super) fn seal(&mut self, transactions: Vec<Arc<Transaction>>) -> Vec<Arc<Batch>> {
        let new: Vec<_> =
            transactions.into_iter().filter(|t| self.own_ids.insert(t.id())).collect();
        let mut sealed = Vec::new();
        let (mut part, mut bytes) = (Vec::new(), 0);
        for transaction in new {
            let size = transaction.raw().len() + 8;
            if !part.is_empty()
                && (part.len() >= limits::BATCH_TRANSACTIONS_MAX
                    || bytes + size > limits::BATCH_BYTES_MAX)
            {
                sealed.push(self.seal_one(std::mem::take(&mut part)));
                bytes = 0;
            }
            bytes += size;
            part.push(transaction);
        }
        if !part.is_empty() {
            sealed.push(self.seal_one(part));
        }
        sealed
    }

    fn seal_one(&mut self, transactions: Vec<Arc<Transaction>>) -> Arc<Batch> {
        self.sequence += 1;
        let batch = Arc::new(Batch { origin: self.own, sequence: self.sequence, transactions });
        self.insert(&batch, true);
        batch
    }

    /// Takes a verified batch; says whether it did. A batch that a block needs is always taken.
    pub(super) fn insert(&mut self, batch: &Arc<Batch>, wanted: bool) -> bool {
        let reference = batch.reference(self.ledger);
        let of_origin = self.waiting_of.entry(batch.origin).or_default();
        let room = self.batches.len() < BATCHES_MAX && *of_origin < BATCHES_OF_PEER_MAX;
        if self.batches.contains_key(&reference.digest) || !(room || wanted) {
            return false;
        }
        *of_origin += 1;
        self.waiting_transactions += batch.transactions.len();
        self.batches.insert(reference.digest, batch.clone());
        self.waiting.push_back(reference);
        self.waiting_digests.insert(reference.digest);
        true
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<&Arc<Batch>> {
        self.batches.get(digest)
    }

    /// The next waiting batches, up to so many transactions.
    pub(super) fn next(&self, transactions_max: usize) -> Vec<BatchRef> {
        let (mut count, mut bytes, mut chosen) = (0, 0, Vec::new());
        for reference in &self.waiting {
            if !self.waiting_digests.contains(&reference.digest) {
                continue;
            }
            let Some(batch) = self.batches.get(&reference.digest) else { continue };
            count += batch.transactions.len();
            bytes += batch.bytes();
            let full = count > transactions_max
                || bytes > limits::BLOCK_BYTES_MAX
                || chosen.len() >= limits::BLOCK_BATCHES_MAX;
            if full && !chosen.is_empty() {
                break;
            }
            chosen.push(*reference);
        }
        chosen
    }

    /// The transactions of some batches in order; `None` while one is missing.
    pub(super) fn resolve(&self, references: &[BatchRef]) -> Option<Vec<Arc<Transaction>>> {
        let mut transactions = Vec::new();
        for reference in references {
            let batch = self.batches.get(&reference.digest)?;
            transactions.extend(batch.transactions.iter().cloned());
        }
        Some(transactions)
    }

    pub(super) fn missing<'a>(&self, references: &'a [BatchRef]) -> Vec<&'a BatchRef> {
        references.iter().filter(|r| !self.batches.contains_key(&r.digest)).collect()
    }

    /// Own batches that still wait: to be sent again, in case they were lost.
    pub(super) fn own_waiting(&self, at_most: usize) -> Vec<Arc<Batch>> {
        let own = self.waiting.iter().filter(|r| r.origin == self.own);
        let waiting = own.filter(|r| self.waiting_digests.contains(&r.digest));
        waiting.take(at_most).filter_map(|r| self.batches.get(&r.digest).cloned()).collect()
    }

    /// Own batches that waited already at the last call.
    pub(super) fn own_overdue(&mut self, at_most: usize) -> Vec<Arc<Batch>> {
        let before = std::mem::replace(&mut self.overdue, self.sequence);
        let mut waiting = self.own_waiting(at_most);
        waiting.retain(|batch| batch.sequence <= before);
        waiting
    }

    /// A decided block held these batches.
    pub(super) fn on_decided(&mut self, height: u64, references: &[BatchRef]) {
        for reference in references {
            if self.waiting_digests.remove(&reference.digest)
                && let Some(batch) = self.batches.get(&reference.digest)
            {
                self.waiting_transactions -= batch.transactions.len();
                if let Some(count) = self.waiting_of.get_mut(&reference.origin) {
                    *count = count.saturating_sub(1);
                }
                if reference.origin == self.own {
                    for transaction in &batch.transactions {
                        self.own_ids.remove(&transaction.id());
                    }
                }
            }
        }
        while self.waiting.front().is_some_and(|r| !self.waiting_digests.contains(&r.digest)) {
            self.waiting.pop_front();
        }
        self.decided.entry(height).or_default().extend(references.iter().map(|r| r.digest));
    }

    /// A block came whole, by catching up: batches that it covers no longer wait.
    pub(super) fn on_caught_up(&mut self, height: u64, transactions: &[Arc<Transaction>]) {
        let ids: HashSet<Digest> = transactions.iter().map(|t| t.id()).collect();
        let covered: Vec<BatchRef> = self
            .waiting
            .iter()
            .filter(|r| {
                self.batches
                    .get(&r.digest)
                    .is_some_and(|b| b.transactions.iter().all(|t| ids.contains(&t.id())))
            })
            .copied()
            .collect();
        self.on_decided(height, &covered);
    }

    /// Drops batches decided before a height.
    pub(super) fn forget_below(&mut self, height: u64) {
        let later = self.decided.split_off(&height);
        for digest in std::mem::replace(&mut self.decided, later).into_values().flatten() {
            self.batches.remove(&digest);
        }
    }
}
