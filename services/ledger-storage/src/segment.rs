//! One segment file in memory: where its blocks are.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use ledger_types::{Digest, LedgerId, codec::decode, message::DecidedBlock};

use crate::{
    block_log::Corruption,
    disk::{Disk, read_all},
    frame::{
        FILE_HEADER, FRAME_HEADER, PAYLOAD_MAX, Piece, file_header, payload_len, scan, whole_at,
    },
    segment_index::{Place, SegmentIndex, prefix},
};

pub(crate) const MAGIC: &[u8; 8] = b"HANSABLK";

/// A segment's blocks and transactions.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) first: u64,
    pub(crate) len: u64,
    /// Offset of each block's frame.
    pub(crate) offsets: BTreeMap<u64, u64>,
    pub(crate) transactions: Transactions,
}

/// Where a segment's transaction ids are kept.
#[derive(Debug)]
pub(crate) enum Transactions {
    /// Of the segment being written, or of one without an index.
    Memory(BTreeSet<Place>),
    /// Beside a sealed one.
    Index(SegmentIndex),
}

pub(crate) fn segment_name(first: u64) -> String {
    format!("blocks-{first:020}.log")
}

pub(crate) fn index_name(segment: &str) -> String {
    format!("{}.idx", segment.trim_end_matches(".log"))
}

pub(crate) fn places(decided: &DecidedBlock) -> impl Iterator<Item = Place> + '_ {
    let height = decided.block.header.height;
    let ids = decided.block.transactions.iter().map(|t| prefix(&t.id()));
    ids.zip(0u32..).map(move |(prefix, place)| (prefix, height, place))
}

/// Whether a block is what its record says, and all of it what its certificate is for.
pub(crate) fn holds(decided: &DecidedBlock, height: u64, ledger: LedgerId) -> bool {
    let DecidedBlock { block, certificate } = decided;
    block.header.height == height
        && block.is_whole()
        && certificate.block == block.header.digest(ledger)
}

/// What opening a segment found.
pub(crate) struct Scanned {
    pub(crate) segment: Segment,
    pub(crate) corruptions: Vec<Corruption>,
    /// First byte of an interrupted write at the end.
    pub(crate) broken_tail: Option<u64>,
}

impl Scanned {
    /// Whether nothing broken comes after the last whole block.
    pub(crate) fn ends_whole(&self) -> bool {
        let broken_end = |c: &Corruption| c.offset + c.len == self.segment.len;
        self.broken_tail.is_none() && !self.corruptions.iter().any(broken_end)
    }
}

impl Segment {
    /// A new empty file.
    pub(crate) fn create(disk: &mut dyn Disk, ledger: LedgerId, first: u64) -> io::Result<Self> {
        let name = segment_name(first);
        disk.create(&name)?;
        disk.append(&name, &file_header(MAGIC, ledger))?;
        disk.sync(&name)?;
        disk.sync_directory()?;
        Ok(Self {
            name,
            first,
            len: FILE_HEADER as u64,
            offsets: BTreeMap::new(),
            transactions: Transactions::Memory(BTreeSet::new()),
        })
    }

    /// Opens a sealed segment by its index; `None` when that does not fit.
    pub(crate) fn from_index(disk: &dyn Disk, ledger: LedgerId, name: &str) -> Option<Self> {
        let index = SegmentIndex::read(disk, &index_name(name), ledger)?;
        if disk.len(name).ok()? != index.segment_len || segment_name(index.first) != name {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            first: index.first,
            len: index.segment_len,
            offsets: (index.first..).zip(index.offsets.iter().copied()).collect(),
            transactions: Transactions::Index(index),
        })
    }

    /// Whether a file's first record is whole; cheaper than a scan.
    pub(crate) fn begins_whole(disk: &dyn Disk, name: &str) -> io::Result<bool> {
        let (len, offset) = (disk.len(name)?, FILE_HEADER as u64);
        let mut head = [0; FRAME_HEADER];
        if len < offset + FRAME_HEADER as u64 {
            return Ok(false);
        }
        disk.read_at(name, offset, &mut head)?;
        let frame = FRAME_HEADER + payload_len(&head).min(PAYLOAD_MAX);
        let mut bytes = vec![0; usize::try_from(len - offset).unwrap_or(frame).min(frame)];
        disk.read_at(name, offset, &mut bytes)?;
        Ok(whole_at(&bytes, 0).is_some())
    }

    /// Reads a whole file.
    pub(crate) fn scan(
        disk: &dyn Disk,
        ledger: LedgerId,
        name: &str,
        first: u64,
    ) -> io::Result<Scanned> {
        let bytes = read_all(disk, name)?;
        let mut segment = Self {
            name: name.to_owned(),
            first,
            len: bytes.len() as u64,
            offsets: BTreeMap::new(),
            transactions: Transactions::Memory(BTreeSet::new()),
        };
        let (mut corruptions, mut broken_tail) = (Vec::new(), None);
        let has_header = bytes.starts_with(&file_header(MAGIC, ledger));
        if bytes.len() < FILE_HEADER || (bytes.len() == FILE_HEADER && !has_header) {
            // The header is synced before anything follows it: the file's making was interrupted.
            return Ok(Scanned { segment, corruptions, broken_tail: Some(0) });
        }
        if !has_header {
            corruptions.push(Corruption::new(name, 0, FILE_HEADER as u64));
        }
        for piece in scan(&bytes) {
            match piece {
                Piece::Frame { offset, frame } => match decode::<DecidedBlock>(frame.payload) {
                    Ok(decided) if holds(&decided, frame.height, ledger) => {
                        segment.insert(&decided, offset as u64);
                    }
                    Ok(_) | Err(_) => {
                        let len = frame.end - offset;
                        corruptions.push(Corruption::new(name, offset as u64, len as u64));
                    }
                },
                Piece::Corrupt { from, to } => {
                    let len = (to - from) as u64;
                    corruptions.push(Corruption::new(name, from as u64, len));
                }
                Piece::BrokenTail { from } => broken_tail = Some(from as u64),
            }
        }
        Ok(Scanned { segment, corruptions, broken_tail })
    }

    pub(crate) fn insert(&mut self, decided: &DecidedBlock, offset: u64) {
        self.offsets.insert(decided.block.header.height, offset);
        if let Transactions::Memory(ids) = &mut self.transactions {
            ids.extend(places(decided));
        }
    }

    /// Last height of a whole record.
    pub(crate) fn last(&self) -> Option<u64> {
        self.offsets.last_key_value().map(|(height, _)| *height)
    }

    /// Where the frame at `height` ends: the next frame's beginning or the file's end.
    pub(crate) fn end_of(&self, height: u64) -> u64 {
        self.offsets.range(height + 1..).next().map_or(self.len, |(_, offset)| *offset)
    }

    pub(crate) fn find(&self, disk: &dyn Disk, id: &Digest) -> io::Result<Vec<Place>> {
        match &self.transactions {
            Transactions::Memory(ids) => {
                let wanted = prefix(id);
                Ok(ids.range((wanted, 0, 0)..).take_while(|p| p.0 == wanted).copied().collect())
            }
            Transactions::Index(index) => index.find(disk, &index_name(&self.name), id),
        }
    }
}
