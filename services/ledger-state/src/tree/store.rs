//! The tree's buckets on disk, in the block's own SQLite transaction.
//!
//! Each block writes one `hansa_delta` row with the buckets it changed. A cursor walks over all
//! buckets in key order and writes a `hansa_page` of the next few; when it has been round, the
//! deltas from before that lap are no longer needed. Opening reads pages, applies newer deltas,
//! and relinks the inner nodes, which are never stored.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use ledger_types::{
    Digest,
    codec::{decode, encode},
};
use rusqlite::{Connection, params};

use super::{BucketChange, Tree, key::Key, node::Bucket};
use crate::error::StateError;

/// A lap takes about this many blocks: at most twice as many deltas are kept.
const LAP_BLOCKS: u64 = 64;
/// Buckets of one page at least.
const PAGE_BUCKETS_MIN: u64 = 16;

pub(crate) const SCHEMA: &str = "
CREATE TABLE hansa_delta (height INTEGER PRIMARY KEY, changes BLOB NOT NULL) STRICT;
CREATE TABLE hansa_page (
    lap INTEGER NOT NULL, page INTEGER NOT NULL, height INTEGER NOT NULL,
    from_place BLOB NOT NULL, to_place BLOB, buckets BLOB NOT NULL,
    PRIMARY KEY (lap, page)
) STRICT, WITHOUT ROWID;
";

#[derive(BorshSerialize, BorshDeserialize)]
struct Stored {
    table: u32,
    min: Vec<u8>,
    bucket: Option<(Vec<u8>, u64, u64, Digest)>,
}

impl From<&BucketChange> for Stored {
    fn from((table, min, bucket): &BucketChange) -> Self {
        let bucket = bucket.as_ref().map(|b| (b.max.0.to_vec(), b.count, b.bytes, b.digest));
        Self { table: *table, min: min.0.to_vec(), bucket }
    }
}

impl Stored {
    fn place(&self) -> (u32, Key) {
        (self.table, Key(self.min.clone().into()))
    }

    fn bucket(&self) -> Option<Bucket> {
        let (max, count, bytes, digest) = self.bucket.clone()?;
        let min = Key(self.min.clone().into());
        Some(Bucket { min, max: Key(max.into()), count, bytes, digest })
    }
}

/// A place in the order of all buckets: `table u32 big-endian | min key`.
fn place_bytes(place: &(u32, Key)) -> Vec<u8> {
    [&place.0.to_be_bytes()[..], &place.1.0].concat()
}

fn place_of(bytes: &[u8]) -> Option<(u32, Key)> {
    let (table, key) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*table), Key(key.into())))
}

/// All buckets by table and first key.
type Buckets = BTreeMap<(u32, Key), Bucket>;

/// Where the rolling rewrite is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    lap: i64,
    page: i64,
    started: u64,
    next: Option<(u32, Key)>,
}

/// Writes a block's changes and goes on with the lap.
pub(crate) fn write(
    connection: &Connection,
    cursor: &mut Cursor,
    tree: &Tree,
    height: u64,
    changes: &[BucketChange],
) -> Result<(), StateError> {
    let stored: Vec<Stored> = changes.iter().map(Stored::from).collect();
    connection
        .prepare_cached("INSERT INTO hansa_delta (height, changes) VALUES (?1, ?2)")?
        .execute(params![signed(height), encode(&stored)])?;
    if cursor.next.is_none() && cursor.page == 0 {
        cursor.started = height;
    }
    let wanted = (bucket_count(tree) / LAP_BLOCKS).max(PAGE_BUCKETS_MIN);
    let (mut buckets, mut next) = (Vec::new(), None);
    tree.visit_from(cursor.next.as_ref(), &mut |table, bucket| {
        if buckets.len() as u64 >= wanted {
            next = Some((table, bucket.min.clone()));
            return false;
        }
        buckets.push(Stored::from(&(table, bucket.min.clone(), Some(bucket.clone()))));
        true
    });
    let from = cursor.next.as_ref().map_or_else(Vec::new, place_bytes);
    connection
        .prepare_cached(
            "INSERT INTO hansa_page (lap, page, height, from_place, to_place, buckets)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            cursor.lap,
            cursor.page,
            signed(height),
            from,
            next.as_ref().map(place_bytes),
            encode(&buckets)
        ])?;
    cursor.page += 1;
    cursor.next = next;
    if cursor.next.is_none() {
        // This lap covers everything: earlier pages and deltas have served.
        connection.execute("DELETE FROM hansa_page WHERE lap < ?1", [cursor.lap])?;
        connection
            .execute("DELETE FROM hansa_delta WHERE height < ?1", [signed(cursor.started)])?;
        *cursor = Cursor { lap: cursor.lap + 1, ..Cursor::default() };
    }
    Ok(())
}

fn bucket_count(tree: &Tree) -> u64 {
    // Random keys fill a bucket to about eleven rows.
    tree.tables().filter_map(|t| tree.table(t)).map(|node| node.count() / 11 + 1).sum()
}

/// Reads the stored buckets and the place of the cursor.
pub(crate) fn read(connection: &Connection) -> Result<(Buckets, Cursor), StateError> {
    let mut buckets = BTreeMap::new();
    // Which height each part of the key order was written at, by its first place.
    let mut written: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut cursor = Cursor::default();
    let mut pages = connection.prepare(
        "SELECT lap, page, height, from_place, to_place, buckets FROM hansa_page ORDER BY lap, page",
    )?;
    let mut rows = pages.query([])?;
    while let Some(row) = rows.next()? {
        let (lap, page): (i64, i64) = (row.get(0)?, row.get(1)?);
        let height = unsigned(row.get(2)?)?;
        let (from, to): (Vec<u8>, Option<Vec<u8>>) = (row.get(3)?, row.get(4)?);
        let stored: Vec<Stored> = decode(&row.get::<_, Vec<u8>>(5)?)?;
        if page == 0 {
            cursor = Cursor { lap, page: 0, started: height, next: None };
        }
        cursor.page = page + 1;
        cursor.next = to.as_deref().and_then(place_of);
        if cursor.next.is_none() {
            cursor = Cursor { lap: lap + 1, ..Cursor::default() };
        }
        replace_range(&mut buckets, &from, to.as_deref(), &stored);
        mark_written(&mut written, from, to, height);
    }
    drop(rows);
    let mut deltas =
        connection.prepare("SELECT height, changes FROM hansa_delta ORDER BY height")?;
    let mut rows = deltas.query([])?;
    while let Some(row) = rows.next()? {
        let height = unsigned(row.get(0)?)?;
        let stored: Vec<Stored> = decode(&row.get::<_, Vec<u8>>(1)?)?;
        for change in stored {
            let place = change.place();
            let since = written.range(..=place_bytes(&place)).next_back().map_or(0, |(_, h)| *h);
            if height <= since {
                continue;
            }
            match change.bucket() {
                Some(bucket) => buckets.insert(place, bucket),
                None => buckets.remove(&place),
            };
        }
    }
    Ok((buckets, cursor))
}

fn replace_range(buckets: &mut Buckets, from: &[u8], to: Option<&[u8]>, stored: &[Stored]) {
    let inside = |place: &(u32, Key)| {
        let bytes = place_bytes(place);
        bytes[..] >= *from && to.is_none_or(|to| bytes[..] < *to)
    };
    buckets.retain(|place, _| !inside(place));
    buckets.extend(stored.iter().filter_map(|s| Some((s.place(), s.bucket()?))));
}

/// Notes that `from..to` was written at `height`; what follows keeps its own height.
fn mark_written(
    written: &mut BTreeMap<Vec<u8>, u64>,
    from: Vec<u8>,
    to: Option<Vec<u8>>,
    height: u64,
) {
    let after = to
        .as_ref()
        .map(|to| written.range::<Vec<u8>, _>(..=to).next_back().map_or(0, |(_, height)| *height));
    written.retain(|place, _| *place < from || to.as_ref().is_some_and(|to| place >= to));
    written.insert(from, height);
    if let (Some(to), Some(after)) = (to, after) {
        written.entry(to).or_insert(after);
    }
}

/// Heights and counts are far below 2^63.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> Result<u64, StateError> {
    u64::try_from(value).map_err(|_| StateError::Stored("a height is negative"))
}
