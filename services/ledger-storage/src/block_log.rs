//! All decided blocks, in segment files.

use std::{collections::BTreeSet, io};

use ledger_types::{Digest, LedgerId, codec, message::DecidedBlock};

use crate::{
    disk::Disk,
    frame::{self, FILE_HEADER, FRAME_HEADER, file_header, whole_at},
    segment::{self, Scanned, Segment, Transactions, index_name, segment_name},
    segment_index::SegmentIndex,
};

/// Corrupt originals that are kept as evidence.
const CORRUPT_COPIES_MAX: usize = 8;

/// Sizes.
#[derive(Clone, Copy, Debug)]
pub struct BlockLogOptions {
    /// A segment that has reached this many bytes is sealed.
    pub segment_bytes: u64,
}

impl Default for BlockLogOptions {
    /// Segments of 128 MiB.
    fn default() -> Self {
        Self { segment_bytes: 128 * 1024 * 1024 }
    }
}

/// Bytes of a segment that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The file.
    pub file: String,
    /// First broken byte.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

impl Corruption {
    pub(crate) fn new(file: &str, offset: u64, len: u64) -> Self {
        Self { file: file.to_owned(), offset, len }
    }
}

/// Why a block cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk fails. The node must stop: what is durable is no longer known.
    #[error("disk: {0}")]
    Disk(#[from] io::Error),
    /// No such height here.
    #[error("no block at height {0}")]
    NoBlock(u64),
    /// The record is broken.
    #[error("{file}: the block at height {height} is corrupt (offset {offset})")]
    Corrupt {
        /// The file.
        file: String,
        /// The height.
        height: u64,
        /// Where its record begins.
        offset: u64,
    },
    /// Blocks are appended in order.
    #[error("the block at height {have} does not follow {head}")]
    OutOfOrder {
        /// What was given.
        have: u64,
        /// The last one.
        head: u64,
    },
    /// A repair lacks a block.
    #[error("repairing {file} needs the block at height {height}")]
    Incomplete {
        /// The file.
        file: String,
        /// The height.
        height: u64,
    },
}

/// The blocks of one ledger, heights from 1.
#[derive(Debug)]
pub struct BlockLog<D> {
    disk: D,
    ledger: LedgerId,
    options: BlockLogOptions,
    segments: Vec<Segment>,
    corruptions: Vec<Corruption>,
    dropped_tail: u64,
}

impl<D: Disk> BlockLog<D> {
    /// Opens the log, or begins one. Drops an interrupted write at the very end; anything else
    /// that is broken stays where it is and is listed by [`BlockLog::corruptions`].
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(mut disk: D, ledger: LedgerId, options: BlockLogOptions) -> io::Result<Self> {
        let names = disk.list()?;
        for temporary in names.iter().filter(|n| n.ends_with(".tmp")) {
            disk.remove(temporary)?;
        }
        let mut files: Vec<(u64, String)> =
            names.iter().filter_map(|n| Some((first_of(n)?, n.clone()))).collect();
        files.sort();
        let mut log = Self {
            disk,
            ledger,
            options,
            segments: Vec::new(),
            corruptions: Vec::new(),
            dropped_tail: 0,
        };
        if files.first().is_some_and(|(first, _)| *first != 1) {
            // Somebody removed the beginning; its place is kept, so that it can be repaired.
            let first = Segment::create(&mut log.disk, ledger, 1)?;
            files.insert(0, (1, first.name));
        }
        log.drop_empty_end(&mut files)?;
        let count = files.len();
        for (at, (first, name)) in files.into_iter().enumerate() {
            log.open_segment(first, &name, at + 1 == count)?;
        }
        if log.segments.is_empty() {
            log.segments.push(Segment::create(&mut log.disk, ledger, 1)?);
        }
        // A killed process may have left its last blocks to the kernel; a start acts on them.
        log.sync()?;
        log.disk.sync_directory()?;
        Ok(log)
    }

    /// A last segment without a whole block behind one whose end is broken: the blocks end before the
    /// break, and the next one belongs into the broken segment, not behind it.
    fn drop_empty_end(&mut self, files: &mut Vec<(u64, String)>) -> io::Result<()> {
        while let [.., (first, before), (last_first, last)] = &files[..] {
            let is_used = Segment::begins_whole(&self.disk, last)?
                || Segment::scan(&self.disk, self.ledger, last, *last_first)?
                    .segment
                    .last()
                    .is_some();
            if is_used || Segment::scan(&self.disk, self.ledger, before, *first)?.ends_whole() {
                break;
            }
            self.keep_tail(last, FILE_HEADER as u64)?;
            self.disk.remove(last)?;
            self.disk.sync_directory()?;
            files.pop();
        }
        Ok(())
    }

    fn open_segment(&mut self, first: u64, name: &str, is_last: bool) -> io::Result<()> {
        if !is_last && let Some(segment) = Segment::from_index(&self.disk, self.ledger, name) {
            self.segments.push(segment);
            return Ok(());
        }
        let Scanned { mut segment, corruptions, broken_tail } =
            Segment::scan(&self.disk, self.ledger, name, first)?;
        self.corruptions.extend(corruptions);
        match broken_tail {
            Some(from) if is_last => {
                self.dropped_tail = segment.len - from;
                self.keep_tail(name, from)?;
                if from < FILE_HEADER as u64 {
                    // Its making was interrupted: nothing was ever in it.
                    self.disk.remove(name)?;
                    self.disk.sync_directory()?;
                    segment = Segment::create(&mut self.disk, self.ledger, first)?;
                } else {
                    self.disk.truncate(name, from)?;
                    self.disk.sync(name)?;
                    segment.len = from;
                }
            }
            Some(from) => self.corruptions.push(Corruption::new(name, from, segment.len - from)),
            None => {}
        }
        if !is_last && self.corruptions.iter().all(|c| c.file != name) {
            self.write_index(&mut segment)?;
        }
        self.segments.push(segment);
        Ok(())
    }

    /// Last height that a whole record has; 0 when there is none.
    pub fn head(&self) -> u64 {
        self.segments.iter().rev().find_map(Segment::last).unwrap_or(0)
    }

    /// Last height up to which no block is missing or known to be broken.
    pub fn whole_to(&self) -> u64 {
        let mut expected = 1;
        for segment in &self.segments {
            for height in segment.offsets.keys() {
                if *height != expected {
                    return expected - 1;
                }
                expected += 1;
            }
        }
        expected - 1
    }

    /// What is known to be broken.
    pub fn corruptions(&self) -> &[Corruption] {
        &self.corruptions
    }

    /// The files in which something is broken or missing, index files not counted.
    pub fn damaged(&self) -> BTreeSet<String> {
        let known = self.corruptions.iter().map(|corruption| corruption.file.clone());
        let gaps = self.segments.iter().enumerate().filter(|(at, segment)| {
            let after = self.segments.get(at + 1).map(|next| next.first);
            let held = segment.offsets.len() as u64;
            let expected = after.or(segment.last().map(|last| last + 1)).unwrap_or(segment.first);
            held != expected - segment.first
        });
        known.chain(gaps.map(|(_, segment)| segment.name.clone())).collect()
    }

    /// Bytes of an interrupted write that opening dropped. They are kept beside the segment.
    pub fn dropped_tail(&self) -> u64 {
        self.dropped_tail
    }

    /// Writes the next block; durable after [`BlockLog::sync`].
    ///
    /// # Errors
    /// When it is not the next one, or the disk fails.
    pub fn append(&mut self, decided: &DecidedBlock) -> Result<(), StorageError> {
        let (have, head) = (decided.block.header.height, self.head());
        if have != head + 1 {
            return Err(StorageError::OutOfOrder { have, head });
        }
        if self.active().len >= self.options.segment_bytes {
            self.seal(have)?;
        }
        let bytes = frame::frame(have, &codec::encode(decided));
        let active = self.segments.last_mut().expect("there is always a segment");
        self.disk.append(&active.name, &bytes)?;
        active.insert(decided, active.len);
        active.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// When the disk fails; then the node must stop.
    pub fn sync(&mut self) -> io::Result<()> {
        let name = self.active().name.clone();
        self.disk.sync(&name)
    }

    fn active(&self) -> &Segment {
        self.segments.last().expect("there is always a segment")
    }

    fn seal(&mut self, next: u64) -> io::Result<()> {
        self.sync()?;
        let mut sealed = self.segments.pop().expect("there is always a segment");
        let written = self.write_index(&mut sealed);
        self.segments.push(sealed);
        written?;
        let segment = Segment::create(&mut self.disk, self.ledger, next)?;
        self.segments.push(segment);
        Ok(())
    }

    fn write_index(&mut self, segment: &mut Segment) -> io::Result<()> {
        let Transactions::Memory(places) = &segment.transactions else { return Ok(()) };
        let name = index_name(&segment.name);
        let offsets: Vec<u64> = segment.offsets.values().copied().collect();
        let places = places.iter().copied().collect();
        let disk = &mut self.disk;
        SegmentIndex::write(
            disk,
            &name,
            self.ledger,
            segment.len,
            segment.first,
            &offsets,
            places,
        )?;
        self.disk.sync_directory()?;
        if let Some(index) = SegmentIndex::read(&self.disk, &name, self.ledger) {
            segment.transactions = Transactions::Index(index);
        }
        Ok(())
    }

    /// Reads a block and checks it: checksum, encoding, its transactions against its header, its
    /// header against its certificate. The certificate's signatures are the caller's to check.
    ///
    /// # Errors
    /// When there is no such block, it is corrupt, or the disk fails.
    pub fn read(&self, height: u64) -> Result<DecidedBlock, StorageError> {
        let segment = self.segment_of(height).ok_or(StorageError::NoBlock(height))?;
        let offset = *segment.offsets.get(&height).ok_or(StorageError::NoBlock(height))?;
        let corrupt = || StorageError::Corrupt { file: segment.name.clone(), height, offset };
        let len = usize::try_from(segment.end_of(height) - offset).map_err(io::Error::other)?;
        let mut bytes = vec![0; len];
        let read = self.disk.read_at(&segment.name, offset, &mut bytes);
        let frame = if is_there(read)? { whole_at(&bytes, 0) } else { None };
        let frame = frame.filter(|f| f.height == height).ok_or_else(corrupt)?;
        let decided: DecidedBlock = codec::decode(frame.payload).map_err(|_| corrupt())?;
        if segment::holds(&decided, height, self.ledger) { Ok(decided) } else { Err(corrupt()) }
    }

    fn segment_of(&self, height: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|s| s.first <= height);
        after.checked_sub(1).map(|at| &self.segments[at])
    }

    /// The first occurrence of a transaction: height and place in the block.
    ///
    /// # Errors
    /// When a block that may hold it cannot be read.
    pub fn locate(&self, id: &Digest) -> Result<Option<(u64, u32)>, StorageError> {
        for segment in &self.segments {
            for (_, height, place) in segment.find(&self.disk, id)? {
                let decided = self.read(height)?;
                let found = decided.block.transactions.get(place as usize);
                if found.is_some_and(|t| t.id() == *id) {
                    return Ok(Some((height, place)));
                }
            }
        }
        Ok(None)
    }

    /// The heights that a segment should hold, `from..=to` (an empty range for an empty one); `None`
    /// when `file` is no segment.
    pub fn heights_of(&self, file: &str) -> Option<(u64, u64)> {
        let at = self.segments.iter().position(|s| s.name == file)?;
        let to = match self.segments.get(at + 1) {
            Some(next) => next.first - 1,
            None => self.segments[at].last().unwrap_or(self.segments[at].first - 1),
        };
        Some((self.segments[at].first, to))
    }

    /// Writes a segment again from its whole records and `fetched` ones, which the caller has
    /// checked against their certificates. The corrupt original is kept beside it, under the name
    /// that is returned. A broken index needs no blocks: it is made again from its segment.
    ///
    /// # Errors
    /// When a block is still missing, or the disk fails; then the original is untouched.
    pub fn repair(
        &mut self,
        file: &str,
        fetched: &[DecidedBlock],
    ) -> Result<Option<String>, StorageError> {
        if let Some(at) = self.segments.iter().position(|s| index_name(&s.name) == file) {
            self.index_again(at)?;
            return Ok(None);
        }
        let Some((from, to)) = self.heights_of(file) else { return Ok(None) };
        let mut bytes = file_header(segment::MAGIC, self.ledger).to_vec();
        for height in from..=to {
            let given = fetched.iter().find(|d| d.block.header.height == height).cloned();
            let decided = match given {
                Some(decided) => decided,
                None => self.read(height).map_err(|error| match error {
                    StorageError::Disk(error) => StorageError::Disk(error),
                    _ => StorageError::Incomplete { file: file.to_owned(), height },
                })?,
            };
            bytes.extend(frame::frame(height, &codec::encode(&decided)));
        }
        let temporary = format!("{file}.tmp");
        if self.disk.list()?.contains(&temporary) {
            self.disk.remove(&temporary)?;
        }
        self.disk.create(&temporary)?;
        self.disk.append(&temporary, &bytes)?;
        self.disk.sync(&temporary)?;
        let kept = self.keep_corrupt_copy(file)?;
        self.disk.rename(&temporary, file)?;
        self.disk.sync_directory()?;
        self.corruptions.retain(|c| c.file != file);
        let scanned = Segment::scan(&self.disk, self.ledger, file, from)?;
        self.corruptions.extend(scanned.corruptions);
        let at = self.segments.iter().position(|s| s.name == file).expect("found above");
        let mut segment = scanned.segment;
        if at + 1 < self.segments.len() {
            self.write_index(&mut segment)?;
        }
        self.segments[at] = segment;
        Ok(kept)
    }

    /// Makes a sealed segment's index from the segment.
    fn index_again(&mut self, at: usize) -> io::Result<()> {
        let (name, first) = (self.segments[at].name.clone(), self.segments[at].first);
        let scanned = Segment::scan(&self.disk, self.ledger, &name, first)?;
        self.corruptions.extend(scanned.corruptions);
        let mut segment = scanned.segment;
        self.write_index(&mut segment)?;
        self.segments[at] = segment;
        Ok(())
    }

    /// What an opening is about to cut off: an interrupted write, or evidence.
    fn keep_tail(&mut self, file: &str, from: u64) -> io::Result<()> {
        let bytes = crate::disk::read_all(&self.disk, file)?;
        let from = usize::try_from(from).map_err(io::Error::other)?;
        if from < FILE_HEADER || from >= bytes.len() {
            return Ok(());
        }
        self.keep(&format!("tail-{file}"), &bytes[from..]).map(|_| ())
    }

    /// `None` when there is nothing to keep: the file is gone.
    fn keep_corrupt_copy(&mut self, file: &str) -> io::Result<Option<String>> {
        match crate::disk::read_all(&self.disk, file) {
            Ok(bytes) => self.keep(file, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(&mut self, name: &str, bytes: &[u8]) -> io::Result<String> {
        let names = self.disk.list()?;
        let number =
            |name: &str| -> Option<u32> { name.strip_prefix("corrupt-")?.get(..6)?.parse().ok() };
        let mut copies: Vec<&String> = names.iter().filter(|n| number(n).is_some()).collect();
        let next = copies.last().and_then(|n| number(n)).map_or(1, |n| n + 1);
        while copies.len() >= CORRUPT_COPIES_MAX {
            self.disk.remove(copies.remove(0))?;
        }
        let copy = format!("corrupt-{next:06}-{name}");
        self.disk.create(&copy)?;
        self.disk.append(&copy, bytes)?;
        self.disk.sync(&copy)?;
        Ok(copy)
    }

    /// Checks one record of a segment where it lies, and shows a whole block to `look`; for the
    /// scrubber.
    pub(crate) fn check(
        &self,
        at: usize,
        height: Option<u64>,
        look: &mut dyn FnMut(&DecidedBlock),
    ) -> Result<u64, StorageError> {
        let segment = &self.segments[at];
        match height {
            Some(height) => {
                let size = segment.end_of(height) - segment.offsets[&height];
                look(&self.read(height)?);
                Ok(size.max(FRAME_HEADER as u64))
            }
            None => {
                let mut header = [0; FILE_HEADER];
                let there = is_there(self.disk.read_at(&segment.name, 0, &mut header))?;
                let corrupt = |file: String| {
                    Err(StorageError::Corrupt { file, height: segment.first, offset: 0 })
                };
                if !there || header != file_header(segment::MAGIC, self.ledger) {
                    return corrupt(segment.name.clone());
                }
                let index = index_name(&segment.name);
                match &segment.transactions {
                    Transactions::Index(known)
                        if SegmentIndex::read(&self.disk, &index, self.ledger).as_ref()
                            != Some(known) =>
                    {
                        corrupt(index)
                    }
                    Transactions::Index(_) | Transactions::Memory(_) => Ok(FILE_HEADER as u64),
                }
            }
        }
    }

    /// Remembers what a scrub or a read found.
    pub fn note_corruption(&mut self, corruption: Corruption) {
        if !self.corruptions.contains(&corruption) {
            self.corruptions.push(corruption);
        }
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

/// Whether a read found its bytes. A file that has become shorter or is gone is corrupt; that is no
/// failure of the disk.
fn is_there(read: io::Result<()>) -> io::Result<bool> {
    match read {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound => Ok(false),
            _ => Err(error),
        },
    }
}

fn first_of(name: &str) -> Option<u64> {
    let first = name.strip_prefix("blocks-")?.strip_suffix(".log")?.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}
