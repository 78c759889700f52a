//! Checksummed records in an append-only file, and what a broken one means.
//!
//! A file is a header and frames: `length u32 | crc32c u32 | height u64 | payload`, little endian;
//! the checksum covers height and payload. A broken frame with a whole one after it is corruption.
//! A broken frame at the end is a write that a crash interrupted: it was never acknowledged and
//! may be dropped.

use ledger_types::LedgerId;

/// Bytes before a frame's payload.
pub(crate) const FRAME_HEADER: usize = 16;
/// Bytes of a file's header: `magic 8 | version u32 | ledger 16 | crc32c u32`.
pub(crate) const FILE_HEADER: usize = 32;
/// Bytes of one payload at most; a longer length is a broken frame.
pub(crate) const PAYLOAD_MAX: usize = 64 * 1024 * 1024;

const VERSION: u32 = 1;

/// No ledger gets this high: a cheap test before checksumming what may be garbage.
const HEIGHT_END: u64 = 1 << 40;

pub(crate) fn file_header(magic: &[u8; 8], ledger: LedgerId) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(magic);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..28].copy_from_slice(&ledger.0);
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

pub(crate) fn frame(height: u64, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("payloads are below 64 MiB");
    let mut bytes = Vec::with_capacity(FRAME_HEADER + payload.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(height, payload).to_le_bytes());
    bytes.extend_from_slice(&height.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn checksum(height: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&height.to_le_bytes()), payload)
}

/// The length that a frame's header states.
pub(crate) fn payload_len(header: &[u8; FRAME_HEADER]) -> usize {
    let [a, b, c, d, ..] = *header;
    u32::from_le_bytes([a, b, c, d]) as usize
}

/// A whole frame in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole<'a> {
    pub(crate) height: u64,
    pub(crate) payload: &'a [u8],
    /// Offset of the next frame.
    pub(crate) end: usize,
}

/// The frame at `offset`, if it is whole.
pub(crate) fn whole_at(bytes: &[u8], offset: usize) -> Option<Whole<'_>> {
    let header: &[u8; FRAME_HEADER] = bytes.get(offset..offset + FRAME_HEADER)?.try_into().ok()?;
    let length = payload_len(header);
    let crc = u32::from_le_bytes(header[4..8].try_into().ok()?);
    let height = u64::from_le_bytes(header[8..].try_into().ok()?);
    if length > PAYLOAD_MAX || height == 0 || height >= HEIGHT_END {
        return None;
    }
    let end = offset + FRAME_HEADER + length;
    let payload = bytes.get(offset + FRAME_HEADER..end)?;
    (checksum(height, payload) == crc).then_some(Whole { height, payload, end })
}

/// What a scan of a file finds, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A whole frame.
    Frame {
        /// Where it begins.
        offset: usize,
        /// The frame.
        frame: Whole<'a>,
    },
    /// Broken bytes with a whole frame behind them.
    Corrupt {
        /// First broken byte.
        from: usize,
        /// Where whole frames go on.
        to: usize,
    },
    /// Broken bytes up to the end of the file.
    BrokenTail {
        /// First broken byte.
        from: usize,
    },
}

/// Reads a file's frames; after a broken one it looks for the next whole one byte by byte.
pub(crate) fn scan(bytes: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut offset = FILE_HEADER.min(bytes.len());
    while offset < bytes.len() {
        if let Some(frame) = whole_at(bytes, offset) {
            pieces.push(Piece::Frame { offset, frame });
            offset = frame.end;
            continue;
        }
        match (offset + 1..bytes.len()).find(|at| whole_at(bytes, *at).is_some()) {
            Some(next) => {
                pieces.push(Piece::Corrupt { from: offset, to: next });
                offset = next;
            }
            None => {
                pieces.push(Piece::BrokenTail { from: offset });
                break;
            }
        }
    }
    pieces
}
