//! Blocks that a node cannot read, and what peers have sent instead.

use std::collections::{BTreeMap, BTreeSet};

use ledger_storage::{BlockLog, Disk, StorageError};
use ledger_types::{Genesis, message::DecidedBlock};

/// Heights asked for at once.
const ASK_MAX: u64 = 64;

/// The damaged files of one node.
#[derive(Debug, Default)]
pub(crate) struct Mending {
    damaged: BTreeSet<String>,
    fetched: BTreeMap<u64, DecidedBlock>,
}

impl Mending {
    pub(crate) fn note(&mut self, file: &str) {
        self.damaged.insert(file.to_owned());
    }

    pub(crate) fn is_needed(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// Heights of a file that neither it nor a peer has given, in order.
    fn missing<D: Disk>(&self, log: &BlockLog<D>, file: &str) -> Vec<u64> {
        let heights = log.heights_of(file).into_iter().flat_map(|(from, to)| from..=to);
        let is_missing = |h: &u64| !self.fetched.contains_key(h) && log.read(*h).is_err();
        heights.filter(is_missing).collect()
    }

    /// What to ask a peer for: consecutive heights, `from..=to`.
    pub(crate) fn wanted<D: Disk>(&self, log: &BlockLog<D>) -> Option<(u64, u64)> {
        let missing = self.damaged.iter().find_map(|file| {
            let missing = self.missing(log, file);
            (!missing.is_empty()).then_some(missing)
        })?;
        let from = missing[0];
        let to = (from..from + ASK_MAX).take_while(|height| missing.contains(height)).last()?;
        Some((from, to))
    }

    /// Takes blocks of a peer, each by its certificate alone.
    pub(crate) fn take(&mut self, genesis: &Genesis, blocks: &[DecidedBlock]) {
        let (ledger, keys, quorum) = (genesis.ledger(), genesis.consensus_keys(), genesis.quorum());
        for decided in blocks {
            let DecidedBlock { block, certificate } = decided;
            let holds = block.is_whole()
                && certificate.decides()
                && certificate.height == block.header.height
                && certificate.block == block.header.digest(ledger)
                && certificate.verify(ledger, &keys, &quorum).is_ok();
            if holds {
                self.fetched.insert(block.header.height, decided.clone());
            }
        }
    }

    /// Writes every file again for which everything is there; how many.
    pub(crate) fn finish<D: Disk>(&mut self, log: &mut BlockLog<D>) -> Result<u64, StorageError> {
        let fetched: Vec<DecidedBlock> = self.fetched.values().cloned().collect();
        let mut written = 0;
        for file in self.damaged.clone() {
            if !self.missing(log, &file).is_empty() {
                continue;
            }
            match log.repair(&file, &fetched) {
                Ok(_) => {
                    self.damaged.remove(&file);
                    written += 1;
                }
                Err(StorageError::Incomplete { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if self.damaged.is_empty() {
            self.fetched.clear();
        }
        Ok(written)
    }
}
