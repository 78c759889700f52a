//! Reads everything again, a little at a time, and finds what rotted.

use ledger_types::message::DecidedBlock;

use crate::{
    block_log::{BlockLog, Corruption, StorageError},
    disk::Disk,
};

/// A tour over all records, in steps that the caller paces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scrubber {
    segment: usize,
    /// The next height in it; `None` is the file's header.
    height: Option<u64>,
    tours: u64,
}

impl Scrubber {
    /// Starts somewhere: nodes that start together should not read the same place.
    pub fn starting_at(segment: usize) -> Self {
        Self { segment, ..Self::default() }
    }

    /// How often everything has been read.
    pub fn tours(&self) -> u64 {
        self.tours
    }

    /// Reads at least one record and about `bytes` bytes.
    ///
    /// # Errors
    /// When the disk fails. Broken records are results, not errors.
    pub fn step<D: Disk>(
        &mut self,
        log: &BlockLog<D>,
        bytes: u64,
    ) -> Result<Vec<Corruption>, StorageError> {
        self.step_with(log, bytes, &mut |_| ())
    }

    /// As [`Scrubber::step`]; shows each whole block to `look`, in order of height, for checks that
    /// need keys.
    ///
    /// # Errors
    /// As [`Scrubber::step`].
    pub fn step_with<D: Disk>(
        &mut self,
        log: &BlockLog<D>,
        bytes: u64,
        look: &mut dyn FnMut(&DecidedBlock),
    ) -> Result<Vec<Corruption>, StorageError> {
        let (mut read, mut found) = (0, Vec::new());
        let tour = self.tours;
        while read < bytes.max(1) && self.tours == tour {
            if self.segment >= log.segments().len() {
                self.segment = 0;
                self.height = None;
            }
            match log.check(self.segment, self.height, look) {
                Ok(size) => read += size,
                Err(StorageError::Corrupt { file, offset, .. }) => {
                    let end =
                        self.height.map_or(offset, |h| log.segments()[self.segment].end_of(h));
                    found.push(Corruption { file, offset, len: end - offset });
                    read += 1;
                }
                Err(error) => return Err(error),
            }
            self.go_on(log);
        }
        Ok(found)
    }

    /// Reads everything once.
    ///
    /// # Errors
    /// As [`Scrubber::step`].
    pub fn whole_tour<D: Disk>(log: &BlockLog<D>) -> Result<Vec<Corruption>, StorageError> {
        Self::default().step(log, u64::MAX)
    }

    fn go_on<D: Disk>(&mut self, log: &BlockLog<D>) {
        let segment = &log.segments()[self.segment];
        let after = self.height.map_or(0, |height| height + 1);
        self.height = segment.offsets.range(after..).next().map(|(height, _)| *height);
        if self.height.is_none() {
            self.segment += 1;
            if self.segment >= log.segments().len() {
                self.segment = 0;
                self.tours += 1;
            }
        }
    }
}
