//! One table's trie: a pure function of its rows, changed in place.
//!
//! With M = 16 and the rows sorted by key: at most M rows (of at most 8 KiB together, if more than
//! one) are a *bucket*; more are an *inner* node that splits them at the first bit in which the
//! smallest and the largest key differ. Rows' own hashes are not stored: a bucket's digest is
//! computed from its rows, which lie together in the table's B-tree.

use std::{borrow::Cow, sync::Arc};

use ledger_types::Digest;
use sha2::{Digest as _, Sha256};

use super::{
    apply::{ApplyError, Mismatch},
    key::Key,
};

/// Rows of a bucket at most. Consensus-critical.
const BUCKET_ROWS_MAX: u64 = 16;
/// Encoded bytes of a bucket with more than one row at most. Consensus-critical.
const BUCKET_BYTES_MAX: u64 = 8 * 1024;

/// A row as the tree sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) hash: Digest,
    /// Bytes of its encoding.
    pub(crate) len: u32,
}

/// A run of neighbouring rows and its digest: all that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) min: Key,
    pub(crate) max: Key,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    pub(crate) digest: Digest,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Bucket(Bucket),
    Inner(Box<Inner>),
}

#[derive(Clone, Debug)]
pub(crate) struct Inner {
    bit: u16,
    count: u64,
    bytes: u64,
    digest: Digest,
    left: Node,
    right: Node,
}

/// One key of a block's changes and the row that is there now.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) row: Option<Row>,
}

/// Where the trie gets rows of buckets that it must split, merge or hash again.
pub(crate) trait Rows {
    /// Why rows cannot be had.
    type Error;
    /// The rows from `min` to `max`, in order, as they are now.
    fn rows(&mut self, min: &Key, max: &Key) -> Result<Arc<[Row]>, Self::Error>;
    /// The row at `key` as it is now.
    fn row(&mut self, key: &Key) -> Result<Option<Row>, Self::Error>;
}

/// The digest of a bucket: `H(10 | table u32 | n u32 | (len u16 | key | row hash)*)`.
pub(crate) fn bucket_digest<'r>(
    table: u32,
    rows: impl ExactSizeIterator<Item = &'r Row>,
) -> Digest {
    let mut hash = Sha256::new_with_prefix([0x10]);
    hash.update(table.to_be_bytes());
    hash.update(u32::try_from(rows.len()).expect("a bucket is small").to_be_bytes());
    for row in rows {
        hash.update(u16::try_from(row.key.0.len()).expect("keys are short").to_be_bytes());
        hash.update(&row.key.0);
        hash.update(row.hash.0);
    }
    Digest(hash.finalize().into())
}

fn inner_digest(bit: u16, count: u64, left: &Digest, right: &Digest) -> Digest {
    let mut hash = Sha256::new_with_prefix([0x11]);
    hash.update(bit.to_be_bytes());
    hash.update(count.to_be_bytes());
    hash.update(left.0);
    hash.update(right.0);
    Digest(hash.finalize().into())
}

/// Changes for which `keep` holds; nearly always all of them.
fn only(changes: &[Change], keep: impl Fn(&&Change) -> bool) -> Cow<'_, [Change]> {
    if changes.iter().all(|change| keep(&change)) {
        Cow::Borrowed(changes)
    } else {
        Cow::Owned(changes.iter().filter(keep).cloned().collect())
    }
}

fn fits_bucket(count: u64, bytes: u64) -> bool {
    count <= 1 || (count <= BUCKET_ROWS_MAX && bytes <= BUCKET_BYTES_MAX)
}

impl Node {
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.count,
            Self::Inner(inner) => inner.count,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.bytes,
            Self::Inner(inner) => inner.bytes,
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        match self {
            Self::Bucket(bucket) => bucket.digest,
            Self::Inner(inner) => inner.digest,
        }
    }

    fn min(&self) -> &Key {
        match self {
            Self::Bucket(bucket) => &bucket.min,
            Self::Inner(inner) => inner.left.min(),
        }
    }

    fn max(&self) -> &Key {
        match self {
            Self::Bucket(bucket) => &bucket.max,
            Self::Inner(inner) => inner.right.max(),
        }
    }

    fn inner(bit: u16, left: Self, right: Self) -> Self {
        let count = left.count() + right.count();
        let bytes = left.bytes() + right.bytes();
        let digest = inner_digest(bit, count, &left.digest(), &right.digest());
        Self::Inner(Box::new(Inner { bit, count, bytes, digest, left, right }))
    }

    /// The trie of some rows, sorted by key; notes the buckets it makes.
    pub(crate) fn build(table: u32, rows: &[Row], made: &mut Vec<Bucket>) -> Option<Self> {
        let (first, last) = (rows.first()?, rows.last()?);
        let count = rows.len() as u64;
        let bytes = rows.iter().map(|r| u64::from(r.len)).sum();
        if fits_bucket(count, bytes) {
            let (min, max) = (first.key.clone(), last.key.clone());
            let bucket =
                Bucket { min, max, count, bytes, digest: bucket_digest(table, rows.iter()) };
            made.push(bucket.clone());
            return Some(Self::Bucket(bucket));
        }
        let bit = first.key.first_difference(&last.key).expect("keys of one table differ");
        let split = rows.partition_point(|row| !row.key.bit(bit));
        let left = Self::build(table, &rows[..split], made)?;
        let right = Self::build(table, &rows[split..], made)?;
        Some(Self::inner(bit, left, right))
    }

    /// The trie over stored buckets, sorted by key: inner nodes follow from them.
    pub(crate) fn link(buckets: &[Bucket]) -> Option<Self> {
        let (first, last) = (buckets.first()?, buckets.last()?);
        if buckets.len() == 1 {
            return Some(Self::Bucket(first.clone()));
        }
        let bit = first.min.first_difference(&last.max)?;
        let split = buckets.partition_point(|bucket| !bucket.min.bit(bit));
        let left = Self::link(&buckets[..split])?;
        let right = Self::link(&buckets[split..])?;
        Some(Self::inner(bit, left, right))
    }

    /// The bucket next to which `key` lies: no row of another bucket is between them.
    pub(crate) fn neighbour(&self, key: &Key) -> &Bucket {
        // Bits alone lead to a bucket that shares with the key the longest prefix of any; where the
        // key leaves that prefix, it lies before or behind everything below.
        let alike = self.descend(|bit| key.bit(bit));
        match key.first_difference(&alike.min) {
            None => alike,
            Some(leaves) => self.descend(|bit| key.bit(bit.min(leaves))),
        }
    }

    fn descend(&self, goes_right: impl Fn(u16) -> bool) -> &Bucket {
        let mut node = self;
        loop {
            match node {
                Self::Bucket(bucket) => return bucket,
                Self::Inner(inner) if goes_right(inner.bit) => node = &inner.right,
                Self::Inner(inner) => node = &inner.left,
            }
        }
    }

    /// Visits buckets in key order from the first whose `min` is at or after `from`, until `visit`
    /// says no.
    pub(crate) fn visit_from(
        &self,
        from: Option<&Key>,
        visit: &mut dyn FnMut(&Bucket) -> bool,
    ) -> bool {
        match self {
            Self::Bucket(bucket) if from.is_some_and(|from| bucket.min < *from) => true,
            Self::Bucket(bucket) => visit(bucket),
            Self::Inner(inner) => {
                let skip_left = from.is_some_and(|from| inner.right.min() <= from);
                (skip_left || inner.left.visit_from(from, visit))
                    && inner.right.visit_from(from, visit)
            }
        }
    }

    /// Applies sorted changes. Buckets that end are noted in `gone` by their `min`, buckets that
    /// begin or change in `made`.
    pub(crate) fn apply<R: Rows>(
        node: Option<Self>,
        table: u32,
        changes: &[Change],
        rows: &mut R,
        gone: &mut Vec<Key>,
        made: &mut Vec<Bucket>,
    ) -> Result<Option<Self>, ApplyError<R::Error>> {
        if changes.is_empty() {
            return Ok(node);
        }
        match node {
            None => {
                let new: Vec<Row> = changes.iter().filter_map(|c| c.row.clone()).collect();
                Ok(Self::build(table, &new, made))
            }
            Some(Self::Bucket(bucket)) => {
                let first = changes.first().map_or(&bucket.min, |c| Ord::min(&c.key, &bucket.min));
                let last = changes.last().map_or(&bucket.max, |c| Ord::max(&c.key, &bucket.max));
                let now = rows.rows(first, last).map_err(ApplyError::Rows)?;
                gone.push(bucket.min);
                Ok(Self::build(table, &now, made))
            }
            Some(Self::Inner(inner)) => Self::apply_inner(*inner, table, changes, rows, gone, made),
        }
    }

    fn apply_inner<R: Rows>(
        inner: Inner,
        table: u32,
        changes: &[Change],
        rows: &mut R,
        gone: &mut Vec<Key>,
        made: &mut Vec<Bucket>,
    ) -> Result<Option<Self>, ApplyError<R::Error>> {
        let bit = inner.bit;
        let min = inner.left.min().clone();
        // New rows outside the node's common prefix split above it.
        let above = changes
            .iter()
            .filter(|c| c.row.is_some())
            .filter_map(|c| c.key.first_difference(&min))
            .filter(|difference| *difference < bit)
            .min();
        if let Some(above) = above {
            let node_is_right = min.bit(above);
            // Deletions outside the prefix never had a row here.
            let inside = |c: &&Change| {
                c.row.is_some() || c.key.first_difference(&min).is_none_or(|d| d > above)
            };
            let kept = only(changes, inside);
            let split = kept.partition_point(|c| !c.key.bit(above));
            let (low, high) = kept.split_at(split);
            let node = Some(Self::Inner(Box::new(inner)));
            let (left, right) = if node_is_right { (None, node) } else { (node, None) };
            let left = Self::apply(left, table, low, rows, gone, made)?;
            let right = Self::apply(right, table, high, rows, gone, made)?;
            return Self::join(above, left, right, table, rows, gone, made);
        }
        let inside =
            |c: &&Change| c.key.first_difference(&min).is_none_or(|difference| difference >= bit);
        let kept = only(changes, inside);
        let split = kept.partition_point(|c| !c.key.bit(bit));
        let (low, high) = kept.split_at(split);
        let Inner { left, right, .. } = inner;
        let left = Self::apply(Some(left), table, low, rows, gone, made)?;
        let right = Self::apply(Some(right), table, high, rows, gone, made)?;
        Self::join(bit, left, right, table, rows, gone, made)
    }

    /// Two halves, of which one may be empty, or both small enough to be one bucket.
    fn join<R: Rows>(
        bit: u16,
        left: Option<Self>,
        right: Option<Self>,
        table: u32,
        rows: &mut R,
        gone: &mut Vec<Key>,
        made: &mut Vec<Bucket>,
    ) -> Result<Option<Self>, ApplyError<R::Error>> {
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            (one, None) | (None, one) => return Ok(one),
        };
        if fits_bucket(left.count() + right.count(), left.bytes() + right.bytes()) {
            let now = rows.rows(left.min(), right.max()).map_err(ApplyError::Rows)?;
            let mut unchecked = &now[..];
            for half in [&left, &right] {
                let is_whole = half.visit_from(None, &mut |bucket| {
                    // One of them may not have been touched: nobody has looked at its rows yet.
                    let count = usize::try_from(bucket.count).unwrap_or(usize::MAX);
                    let Some((rows, rest)) = unchecked.split_at_checked(count) else {
                        return false;
                    };
                    unchecked = rest;
                    if bucket_digest(table, rows.iter()) != bucket.digest {
                        return false;
                    }
                    match made.iter().position(|m| m.min == bucket.min) {
                        Some(at) => {
                            made.remove(at);
                        }
                        None => gone.push(bucket.min.clone()),
                    }
                    true
                });
                if !is_whole {
                    let (min, max) = (left.min().clone(), right.max().clone());
                    return Err(ApplyError::Mismatch(Mismatch { table, min, max }));
                }
            }
            return Ok(Self::build(table, &now, made));
        }
        Ok(Some(Self::inner(bit, left, right)))
    }
}
