//! The index beside a sealed segment: where each block is, and which transactions it holds.
//!
//! Derived data: when it is missing or broken the segment is scanned instead. Layout, little
//! endian: `magic 8 | ledger 16 | segment length u64 | first height u64 | blocks u32 | entries u32`,
//! then an offset u64 for each block, then the entries sorted by id prefix
//! (`prefix u64 | height u64 | place u32`), then a CRC-32C over everything before it.

use std::io;

use ledger_types::{Digest, LedgerId};

use crate::disk::{Disk, read_all};

const MAGIC: &[u8; 8] = b"HANSAIDX";
const HEADER: usize = 48;
const ENTRY: usize = 20;

/// A transaction's place: `(first eight bytes of its id, height, index in the block)`.
pub(crate) type Place = (u64, u64, u32);

pub(crate) fn prefix(id: &Digest) -> u64 {
    u64::from_be_bytes(id.0[..8].try_into().expect("a digest has 32 bytes"))
}

/// What a valid index says, without its entries, which stay on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentIndex {
    pub(crate) segment_len: u64,
    pub(crate) first: u64,
    pub(crate) offsets: Vec<u64>,
    entries: u32,
}

impl SegmentIndex {
    /// Writes an index; replaces a broken one.
    pub(crate) fn write(
        disk: &mut dyn Disk,
        name: &str,
        ledger: LedgerId,
        segment_len: u64,
        first: u64,
        offsets: &[u64],
        mut places: Vec<Place>,
    ) -> io::Result<()> {
        places.sort_unstable();
        let count = |n: usize| u32::try_from(n).map_err(io::Error::other);
        let mut bytes = Vec::with_capacity(HEADER + 8 * offsets.len() + ENTRY * places.len() + 4);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&ledger.0);
        bytes.extend_from_slice(&segment_len.to_le_bytes());
        bytes.extend_from_slice(&first.to_le_bytes());
        bytes.extend_from_slice(&count(offsets.len())?.to_le_bytes());
        bytes.extend_from_slice(&count(places.len())?.to_le_bytes());
        offsets.iter().for_each(|offset| bytes.extend_from_slice(&offset.to_le_bytes()));
        for (prefix, height, place) in places {
            bytes.extend_from_slice(&prefix.to_le_bytes());
            bytes.extend_from_slice(&height.to_le_bytes());
            bytes.extend_from_slice(&place.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());

        let temporary = format!("{name}.tmp");
        if disk.list()?.contains(&temporary) {
            disk.remove(&temporary)?;
        }
        disk.create(&temporary)?;
        disk.append(&temporary, &bytes)?;
        disk.sync(&temporary)?;
        disk.rename(&temporary, name)
    }

    /// Reads an index; `None` when it is missing, broken, or of another ledger.
    pub(crate) fn read(disk: &dyn Disk, name: &str, ledger: LedgerId) -> Option<Self> {
        let bytes = read_all(disk, name).ok()?;
        let body = bytes.len().checked_sub(4)?;
        let crc = u32::from_le_bytes(bytes[body..].try_into().ok()?);
        if body < HEADER || crc32c::crc32c(&bytes[..body]) != crc {
            return None;
        }
        let long = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let short = |at: usize| bytes[at..at + 4].try_into().map(u32::from_le_bytes).ok();
        if &bytes[..8] != MAGIC || bytes[8..24] != ledger.0 {
            return None;
        }
        let (blocks, entries) = (short(40)? as usize, short(44)?);
        if body != HEADER + 8 * blocks + ENTRY * entries as usize {
            return None;
        }
        let offsets = (0..blocks).map(|b| long(HEADER + 8 * b)).collect::<Option<_>>()?;
        Some(Self { segment_len: long(24)?, first: long(32)?, offsets, entries })
    }

    /// The places whose id begins like `id`, by binary search in the file.
    pub(crate) fn find(&self, disk: &dyn Disk, name: &str, id: &Digest) -> io::Result<Vec<Place>> {
        let wanted = prefix(id);
        let entry = |at: u32| -> io::Result<Place> {
            let mut bytes = [0; ENTRY];
            let offset = HEADER + 8 * self.offsets.len() + ENTRY * at as usize;
            disk.read_at(name, offset as u64, &mut bytes)?;
            let long = |b: &[u8]| u64::from_le_bytes(b.try_into().expect("eight bytes"));
            let place = u32::from_le_bytes(bytes[16..].try_into().expect("four bytes"));
            Ok((long(&bytes[..8]), long(&bytes[8..16]), place))
        };
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = low + (high - low) / 2;
            if entry(middle)?.0 < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut found = Vec::new();
        for at in low..self.entries {
            let place = entry(at)?;
            if place.0 != wanted {
                break;
            }
            found.push(place);
        }
        Ok(found)
    }
}
