//! The blocks on disk: read with suspicion, mended with what peers send.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use ledger_storage::{BlockLog, FileDisk, StorageError};
use ledger_types::{Digest, Genesis, LedgerId, PublicKey, Quorum, message::DecidedBlock};

use crate::finding::{Finding, Repaired};

/// Heights asked of a peer at once.
const ASK_MAX: u64 = 256;

/// A file under repair.
#[derive(Debug)]
struct Mending {
    file: String,
    /// Heights that the file cannot give.
    wanted: BTreeSet<u64>,
    fetched: BTreeMap<u64, DecidedBlock>,
}

/// The block log and what is known to be wrong with it.
#[derive(Debug)]
pub(crate) struct BlockKeeper {
    pub(crate) log: BlockLog<FileDisk>,
    ledger: LedgerId,
    keys: Vec<PublicKey>,
    quorum: Quorum,
    /// Damaged files, each with heights whose records look whole and are not what was certified.
    damaged: BTreeMap<String, BTreeSet<u64>>,
    mending: Option<Mending>,
    found: Vec<Finding>,
}

impl BlockKeeper {
    pub(crate) fn new(log: BlockLog<FileDisk>, genesis: &Genesis) -> Self {
        let damaged = log.damaged();
        let mut keeper = Self {
            log,
            ledger: genesis.ledger(),
            keys: genesis.consensus_keys(),
            quorum: genesis.quorum(),
            damaged: BTreeMap::new(),
            mending: None,
            found: Vec::new(),
        };
        for file in damaged {
            let height = keeper.log.whole_to() + 1;
            keeper.suspect(&file, Some(height), "blocks in it are broken or missing");
        }
        keeper
    }

    /// What was found since the last call.
    pub(crate) fn take_found(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.found)
    }

    /// Whether nothing is known to be wrong.
    pub(crate) fn is_whole(&self) -> bool {
        self.damaged.is_empty()
    }

    /// Notes a file as damaged; each file is one finding until it is mended.
    pub(crate) fn suspect(&mut self, file: &str, height: Option<u64>, detail: &str) {
        if !self.damaged.contains_key(file) {
            self.found.push(Finding::Block {
                file: file.to_owned(),
                height,
                detail: detail.to_owned(),
                kept: None,
            });
        }
        let forged = self.damaged.entry(file.to_owned()).or_default();
        if let Some(height) = height {
            forged.insert(height);
        }
    }

    /// Reads a block and checks it; a corrupt one is a finding, and `None`.
    pub(crate) fn read(&mut self, height: u64) -> Result<Option<DecidedBlock>> {
        match self.log.read(height) {
            Ok(decided) => Ok(Some(decided)),
            Err(StorageError::NoBlock(_)) => Ok(None),
            Err(StorageError::Corrupt { file, height, offset }) => {
                let detail = format!("the record at offset {offset} is broken");
                self.suspect(&file, Some(height), &detail);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where a transaction is; `None` when no block is known to hold it, an error only when the
    /// disk fails.
    pub(crate) fn locate(&mut self, id: &Digest) -> Result<Option<(u64, u32)>> {
        match self.log.locate(id) {
            Ok(place) => Ok(place),
            Err(StorageError::Corrupt { file, height, .. }) => {
                self.suspect(&file, Some(height), "a record that was looked for is broken");
                Ok(None)
            }
            // An index file is gone or shorter; the patrol names it.
            Err(StorageError::Disk(error))
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a block is what the validators decided, by its certificate alone.
    pub(crate) fn is_certified(&self, decided: &DecidedBlock) -> bool {
        let DecidedBlock { block, certificate } = decided;
        block.is_whole()
            && certificate.decides()
            && certificate.height == block.header.height
            && certificate.epoch == block.header.epoch
            && certificate.block == block.header.digest(self.ledger)
            && certificate.verify(self.ledger, &self.keys, &self.quorum).is_ok()
    }

    /// Begins with the next damaged file, or finishes one that needs nothing (more).
    pub(crate) fn mend(&mut self) -> Result<Option<Repaired>> {
        if self.mending.is_none()
            && let Some((file, forged)) = self.damaged.first_key_value()
        {
            let range = self.log.heights_of(file);
            // A file that is an index has no heights of its own.
            let heights = range.into_iter().flat_map(|(from, to)| from..=to);
            let unreadable = |height: &u64| self.log.read(*height).is_err();
            let wanted = heights.filter(|h| forged.contains(h) || unreadable(h)).collect();
            let file = file.clone();
            self.mending = Some(Mending { file, wanted, fetched: BTreeMap::new() });
        }
        match &self.mending {
            Some(mending) if mending.wanted.is_empty() => self.finish(),
            Some(_) | None => Ok(None),
        }
    }

    /// What peers are to be asked for: consecutive heights, `from..=to`.
    pub(crate) fn need(&self) -> Option<(u64, u64)> {
        let wanted = &self.mending.as_ref()?.wanted;
        let from = *wanted.first()?;
        let to = (from..from + ASK_MAX).take_while(|height| wanted.contains(height)).last()?;
        Some((from, to))
    }

    /// Takes blocks that a peer sent; whether one of them was wanted and holds.
    pub(crate) fn take(&mut self, blocks: Vec<DecidedBlock>) -> bool {
        let mut helped = false;
        for decided in blocks {
            let height = decided.block.header.height;
            let is_wanted = self.mending.as_ref().is_some_and(|m| m.wanted.contains(&height));
            if is_wanted
                && self.is_certified(&decided)
                && let Some(mending) = &mut self.mending
            {
                mending.wanted.remove(&height);
                mending.fetched.insert(height, decided);
                helped = true;
            }
        }
        helped
    }

    /// Everything is there: writes the file again.
    fn finish(&mut self) -> Result<Option<Repaired>> {
        let Some(mending) = &mut self.mending else { return Ok(None) };
        let fetched: Vec<DecidedBlock> = mending.fetched.values().cloned().collect();
        match self.log.repair(&mending.file, &fetched) {
            Ok(kept) => {
                let file = mending.file.clone();
                self.mending = None;
                self.damaged.remove(&file);
                Ok(Some(Repaired::Block { file, kept }))
            }
            Err(StorageError::Incomplete { height, .. }) => {
                mending.wanted.insert(height);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
