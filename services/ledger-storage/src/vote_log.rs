//! This node's own votes, durable before they are sent.
//!
//! Files of its own, so that it does not share the fate of the blocks: `votes-<generation>.log`
//! with one frame for each record, and `votes.super` with four copies of the current generation.
//! A log whose file is missing, or with a broken record before a whole one, is damaged: the node
//! may have said things that it no longer knows. A broken last record is an interrupted write that
//! was never acknowledged, so nothing was sent on its strength.
//!
//! A loss is remembered until the node speaks again: the superblock says where the file ended then.
//! A node that lost its votes, and restarts before it may speak, would otherwise find a new log that
//! is whole and empty, and take it for all that it ever said.

use std::io;

use ledger_types::LedgerId;

use crate::{
    disk::{Disk, read_all},
    frame::{self, FILE_HEADER, Piece, file_header, scan},
};

const MAGIC: &[u8; 8] = b"HANSAVOT";
const SUPERBLOCK: &str = "votes.super";
const SUPERBLOCK_MAGIC: &[u8; 8] = b"HANSASUP";
const COPIES: usize = 4;
const COPY: usize = 64;
/// A log of this many bytes is written anew with only the records that still matter.
const COMPACT_BYTES: u64 = 64 * 1024 * 1024;

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoteLogState {
    /// It did not exist.
    Fresh,
    /// Whole: the records with their heights, in order.
    Intact(Vec<(u64, Vec<u8>)>),
    /// Whole since a loss. The node has spoken again at height `from`, so everything that was lost
    /// is below it.
    Resumed {
        /// The records with their heights, in order.
        records: Vec<(u64, Vec<u8>)>,
        /// Height of the first record since the loss.
        from: u64,
    },
    /// Not to be relied on; a new one has been begun.
    Damaged(String),
}

/// An open vote log.
#[derive(Debug)]
pub struct VoteLog<D> {
    disk: D,
    ledger: LedgerId,
    generation: u64,
    len: u64,
    /// Where the file ended when votes had been lost; 0 when none have.
    lost_at: u64,
    live: Vec<(u64, Vec<u8>)>,
}

impl<D: Disk> VoteLog<D> {
    /// Opens the log, or begins one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(disk: D, ledger: LedgerId) -> io::Result<(Self, VoteLogState)> {
        let mut log = Self { disk, ledger, generation: 0, len: 0, lost_at: 0, live: Vec::new() };
        let state = log.find()?;
        match &state {
            VoteLogState::Intact(records) | VoteLogState::Resumed { records, .. } => {
                log.live = records.clone();
            }
            VoteLogState::Fresh => log.begin(false)?,
            VoteLogState::Damaged(_) => log.begin(true)?,
        }
        Ok((log, state))
    }

    /// Notes that votes have been lost although the log itself is whole or new: something else that
    /// it goes with is gone. Remembered until the next record.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn distrust(&mut self) -> io::Result<()> {
        if self.lost_at == self.len { Ok(()) } else { self.begin(true) }
    }

    fn find(&mut self) -> io::Result<VoteLogState> {
        let damaged = |reason: &str| Ok(VoteLogState::Damaged(reason.to_owned()));
        let names = self.disk.list()?;
        if !names.iter().any(|n| n == SUPERBLOCK) {
            return if self.holds_no_record()? {
                Ok(VoteLogState::Fresh)
            } else {
                damaged("votes.super is missing")
            };
        }
        let Some((generation, lost_at)) = self.read_superblock()? else {
            return damaged("no copy in votes.super is whole");
        };
        (self.generation, self.lost_at) = (generation, lost_at);
        let name = file_name(generation);
        if !names.contains(&name) {
            return damaged("the current log is missing");
        }
        let bytes = read_all(&self.disk, &name)?;
        if !bytes.starts_with(&file_header(MAGIC, self.ledger)) {
            return damaged("the current log's header is broken");
        }
        self.len = bytes.len() as u64;
        let (mut records, mut since_loss) = (Vec::new(), None);
        for piece in scan(&bytes) {
            match piece {
                Piece::Frame { offset, frame } => {
                    if offset as u64 >= lost_at {
                        since_loss.get_or_insert(frame.height);
                    }
                    records.push((frame.height, frame.payload.to_vec()));
                }
                Piece::Corrupt { from, .. } => {
                    return damaged(&format!("a record at offset {from} is broken"));
                }
                Piece::BrokenTail { from } => {
                    self.disk.truncate(&name, from as u64)?;
                    self.len = from as u64;
                }
            }
        }
        // A killed process may have left all this to the kernel: it must be durable before
        // anything is said on its strength, which a power cut could make untrue.
        self.disk.sync(&name)?;
        self.disk.sync_directory()?;
        match since_loss {
            _ if lost_at == 0 => Ok(VoteLogState::Intact(records)),
            Some(from) => Ok(VoteLogState::Resumed { records, from }),
            None => damaged("votes were lost and nothing has been said since"),
        }
    }

    /// Before the first superblock nothing can have been acknowledged.
    fn holds_no_record(&self) -> io::Result<bool> {
        for generation in self.generations()? {
            if self.disk.len(&file_name(generation))? > FILE_HEADER as u64 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn generations(&self) -> io::Result<Vec<u64>> {
        let names = self.disk.list()?;
        let number = |n: &String| n.strip_prefix("votes-")?.strip_suffix(".log")?.parse().ok();
        let mut generations: Vec<u64> = names.iter().filter_map(number).collect();
        generations.sort_unstable();
        Ok(generations)
    }

    /// The current generation, and where its file ended when votes had been lost.
    fn read_superblock(&self) -> io::Result<Option<(u64, u64)>> {
        let bytes = read_all(&self.disk, SUPERBLOCK)?;
        let whole = bytes.chunks_exact(COPY).filter_map(|copy| {
            let generation = u64::from_le_bytes(copy[24..32].try_into().ok()?);
            let lost_at = u64::from_le_bytes(copy[32..40].try_into().ok()?);
            let is_whole = copy == superblock_copy(self.ledger, generation, lost_at);
            is_whole.then_some((generation, lost_at))
        });
        Ok(whole.max())
    }

    /// Begins a new generation with the live records, and makes it the current one; whether votes
    /// have been lost goes into its superblock.
    fn begin(&mut self, lost: bool) -> io::Result<()> {
        let newest = self.generations()?.last().copied().unwrap_or(0);
        let generation = newest.max(self.generation) + 1;
        let name = file_name(generation);
        let mut bytes = file_header(MAGIC, self.ledger).to_vec();
        for (height, payload) in &self.live {
            bytes.extend(frame::frame(*height, payload));
        }
        self.disk.create(&name)?;
        self.disk.append(&name, &bytes)?;
        self.disk.sync(&name)?;
        self.disk.sync_directory()?;
        let len = bytes.len() as u64;
        let lost_at = if lost { len } else { 0 };
        self.write_superblock(generation, lost_at)?;
        for old in self.generations()?.into_iter().filter(|g| *g < generation) {
            self.disk.remove(&file_name(old))?;
        }
        (self.generation, self.len, self.lost_at) = (generation, len, lost_at);
        Ok(())
    }

    fn write_superblock(&mut self, generation: u64, lost_at: u64) -> io::Result<()> {
        let temporary = format!("{SUPERBLOCK}.tmp");
        if self.disk.list()?.contains(&temporary) {
            self.disk.remove(&temporary)?;
        }
        self.disk.create(&temporary)?;
        self.disk.append(
            &temporary,
            &superblock_copy(self.ledger, generation, lost_at).repeat(COPIES),
        )?;
        self.disk.sync(&temporary)?;
        self.disk.rename(&temporary, SUPERBLOCK)?;
        self.disk.sync_directory()
    }

    /// Writes a record; durable after [`VoteLog::sync`].
    ///
    /// # Errors
    /// When the disk fails; then the node must stop.
    pub fn append(&mut self, height: u64, payload: &[u8]) -> io::Result<()> {
        let bytes = frame::frame(height, payload);
        self.disk.append(&file_name(self.generation), &bytes)?;
        self.len += bytes.len() as u64;
        self.live.push((height, payload.to_vec()));
        Ok(())
    }

    /// Makes everything appended durable: only now may it be said.
    ///
    /// # Errors
    /// When the disk fails; then the node must stop.
    pub fn sync(&mut self) -> io::Result<()> {
        self.disk.sync(&file_name(self.generation))
    }

    /// Forgets records below a height, which is decided; now and then rewrites the file.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget_below(&mut self, height: u64) -> io::Result<()> {
        self.live.retain(|(h, _)| *h >= height);
        if self.len >= COMPACT_BYTES {
            let nothing_said_since_loss = self.lost_at == self.len;
            self.begin(nothing_said_since_loss)?;
        }
        Ok(())
    }
}

fn file_name(generation: u64) -> String {
    format!("votes-{generation:010}.log")
}

fn superblock_copy(ledger: LedgerId, generation: u64, lost_at: u64) -> [u8; COPY] {
    let mut copy = [0; COPY];
    copy[..8].copy_from_slice(SUPERBLOCK_MAGIC);
    copy[8..24].copy_from_slice(&ledger.0);
    copy[24..32].copy_from_slice(&generation.to_le_bytes());
    copy[32..40].copy_from_slice(&lost_at.to_le_bytes());
    let crc = crc32c::crc32c(&copy[..COPY - 4]);
    copy[COPY - 4..].copy_from_slice(&crc.to_le_bytes());
    copy
}
