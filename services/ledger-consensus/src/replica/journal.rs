//! What the vote log holds: the engine's records, and the payload of blocks voted for.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use ledger_types::{Batch, BatchRef, BlockHeader};

use super::Replica;
use crate::record::Record;

/// A block with everything that is needed to propose and execute it again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Payload {
    /// The block.
    pub header: BlockHeader,
    /// The names of its batches, in order.
    pub references: Vec<BatchRef>,
    /// The batches.
    pub batches: Vec<Arc<Batch>>,
}

/// One entry of the vote log.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Entry {
    /// Something this node says.
    Record(Box<Record>),
    /// A block that it is about to vote for.
    Payload(Box<Payload>),
}

impl Entry {
    /// The height it belongs to; when that is decided, the entry may go.
    pub const fn height(&self) -> u64 {
        match self {
            Self::Record(record) => record.height(),
            Self::Payload(payload) => payload.header.height,
        }
    }

    /// The entries of a height and later ones, apart.
    pub fn split(entries: Vec<Self>, height: u64) -> (Vec<Record>, Vec<Payload>) {
        let (mut records, mut payloads) = (Vec::new(), Vec::new());
        for entry in entries.into_iter().filter(|entry| entry.height() >= height) {
            match entry {
                Self::Record(record) => records.push(*record),
                Self::Payload(payload) => payloads.push(*payload),
            }
        }
        (records, payloads)
    }
}

impl Replica {
    /// A record's entries: a prepare vote comes after the payload of its block, once.
    pub(super) fn journal(&mut self, record: Record) -> Vec<Entry> {
        let mut entries = Vec::new();
        if let Record::Prepare(vote) = &record
            && self.journaled.insert(vote.block)
            && let Some((header, references)) = self.engine.seen(&vote.block)
        {
            let batches = references.iter().filter_map(|r| self.mempool.get(&r.digest).cloned());
            entries.push(Entry::Payload(Box::new(Payload {
                header: header.clone(),
                references: references.to_vec(),
                batches: batches.collect(),
            })));
        }
        entries.push(Entry::Record(Box::new(record)));
        entries
    }

    /// Takes up the restored payloads of the height in progress.
    pub(super) fn recall(&mut self) {
        let height = self.engine.height();
        let (now, later) =
            std::mem::take(&mut self.restored).into_iter().partition(|p| p.header.height <= height);
        self.restored = later;
        let now: Vec<Payload> = now;
        for Payload { header, references, batches } in now {
            for batch in &batches {
                self.mempool.insert(batch, true);
            }
            self.journaled.insert(header.digest(self.consensus.ledger));
            self.engine.recall(header, references);
        }
    }
}
