//! A block's changes applied to a table, with a check of everything they touch.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use ledger_types::Digest;

use super::{
    BucketChange, Tree,
    key::Key,
    node::{Bucket, Change, Node, Row, Rows, bucket_digest},
    recent::RecentRows,
};

/// The keys that a block touched in one table, with each row's hash and length from before.
pub(crate) type Touched = BTreeMap<Key, Option<(Digest, u32)>>;

/// Touched keys of a bucket whose other rows are known, up to which reading row by row is cheaper
/// than reading all of them in one go.
const SINGLE_ROWS_MAX: usize = 4;

/// Rows are not what this node wrote: somebody edited the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) table: u32,
    pub(crate) min: Key,
    pub(crate) max: Key,
}

/// Why changes cannot be applied.
#[derive(Debug)]
pub(crate) enum ApplyError<E> {
    Rows(E),
    Mismatch(Mismatch),
}

impl Tree {
    /// Applies what a block touched in `table`. First every touched bucket is checked: its rows as
    /// they were before the block must give its stored digest.
    pub(crate) fn apply<R: Rows>(
        &mut self,
        table: u32,
        touched: &Touched,
        rows: &mut R,
        changes: &mut Vec<BucketChange>,
    ) -> Result<(), ApplyError<R::Error>> {
        let mut ranges = Ranges { source: rows, read: Vec::new() };
        let mut resolved = Vec::with_capacity(touched.len());
        let groups = groups(self.tables.get(&table), touched);
        for (bucket, group) in groups {
            resolve(table, bucket, &group, &mut ranges, &mut self.recent, &mut resolved)?;
        }
        let (mut gone, mut made) = (Vec::new(), Vec::new());
        let node = self.take(table);
        let node = Node::apply(node, table, &resolved, &mut ranges, &mut gone, &mut made)?;
        self.set(table, node);
        for bucket in &made {
            if let Some(rows) = ranges.of_bucket(bucket) {
                self.recent.put(bucket.digest, rows);
            }
        }
        changes.extend(gone.into_iter().map(|min| (table, min, None)));
        changes.extend(made.into_iter().map(|b| (table, b.min.clone(), Some(b))));
        Ok(())
    }
}

type Group<'a> = Vec<(&'a Key, &'a Option<(Digest, u32)>)>;

/// Touched keys by the bucket that each lies in or next to.
fn groups<'a>(
    node: Option<&'a Node>,
    touched: &'a Touched,
) -> Vec<(Option<&'a Bucket>, Group<'a>)> {
    let mut groups: Vec<(Option<&Bucket>, Group<'_>)> = Vec::new();
    for entry in touched {
        let bucket = node.map(|node| node.neighbour(entry.0));
        match groups.last_mut() {
            Some((last, group)) if last.map(|b| &b.min) == bucket.map(|b| &b.min) => {
                group.push(entry);
            }
            Some(_) | None => groups.push((bucket, vec![entry])),
        }
    }
    groups
}

/// Checks a bucket as it was before the block, and finds what the touched keys hold now.
fn resolve<R: Rows>(
    table: u32,
    bucket: Option<&Bucket>,
    group: &Group<'_>,
    ranges: &mut Ranges<'_, R>,
    recent: &mut RecentRows,
    resolved: &mut Vec<Change>,
) -> Result<(), ApplyError<R::Error>> {
    let (first, last) = (group[0].0, group[group.len() - 1].0);
    let min = bucket.map_or(first, |b| first.min(&b.min));
    let max = bucket.map_or(last, |b| last.max(&b.max));
    let known = bucket.and_then(|b| recent.take(&b.digest));
    let (now, as_stored) = match known {
        Some(before) if group.len() <= SINGLE_ROWS_MAX => {
            let now = ranges.replace(&before, group, min, max).map_err(ApplyError::Rows)?;
            (now, touches_what_was_there(&before, group))
        }
        Some(_) | None => {
            let now = ranges.rows(min, max).map_err(ApplyError::Rows)?;
            let as_stored = leads_back(table, bucket, group, &now);
            (now, as_stored)
        }
    };
    if !as_stored {
        let (min, max) = (min.clone(), max.clone());
        return Err(ApplyError::Mismatch(Mismatch { table, min, max }));
    }
    for (key, _) in group {
        let at = now.binary_search_by(|row| row.key.cmp(key));
        let row = at.ok().map(|at| now[at].clone());
        resolved.push(Change { key: (*key).clone(), row });
    }
    Ok(())
}

/// Whether the touched rows, as they were found before they changed, are those of the bucket.
fn touches_what_was_there(before: &[Row], group: &Group<'_>) -> bool {
    group.iter().all(|(key, old)| {
        let at = before.binary_search_by(|row| row.key.cmp(key));
        at.ok().map(|at| (before[at].hash, before[at].len)) == **old
    })
}

/// Whether all rows, the touched ones as they were before, give the bucket's stored digest.
fn leads_back(table: u32, bucket: Option<&Bucket>, group: &Group<'_>, now: &[Row]) -> bool {
    let was_touched = |key: &Key| group.binary_search_by(|(k, _)| (*k).cmp(key)).is_ok();
    let old: Vec<Row> = group
        .iter()
        .filter_map(|(key, old)| old.map(|(hash, len)| Row { key: (*key).clone(), hash, len }))
        .collect();
    let untouched = now.iter().filter(|row| !was_touched(&row.key));
    let mut before: Vec<&Row> = untouched.chain(&old).collect();
    before.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    match bucket {
        Some(bucket) => {
            before.len() as u64 == bucket.count
                && bucket_digest(table, before.into_iter()) == bucket.digest
        }
        None => before.is_empty(),
    }
}

/// The smallest and the largest key of a range.
type Range = (Key, Key);

/// Rows as they are now; the check and the change of a bucket want the same ones.
struct Ranges<'a, R> {
    source: &'a mut R,
    /// By range, sorted.
    read: Vec<(Range, Arc<[Row]>)>,
}

impl<R: Rows> Ranges<'_, R> {
    fn place(&self, min: &Key, max: &Key) -> Result<usize, usize> {
        self.read.binary_search_by(|((a, b), _)| (a, b).cmp(&(min, max)))
    }

    fn note(&mut self, place: usize, min: &Key, max: &Key, rows: &Arc<[Row]>) {
        self.read.insert(place, ((min.clone(), max.clone()), rows.clone()));
    }

    /// The rows of a bucket whose rows from before are known: only touched ones are read.
    fn replace(
        &mut self,
        before: &[Row],
        group: &Group<'_>,
        min: &Key,
        max: &Key,
    ) -> Result<Arc<[Row]>, R::Error> {
        let mut now = Vec::with_capacity(before.len() + group.len());
        let mut rest = before;
        for (key, _) in group {
            let until = rest.partition_point(|row| row.key < **key);
            now.extend_from_slice(&rest[..until]);
            rest = &rest[until..];
            if let [row, after @ ..] = rest
                && row.key.cmp(key) == Ordering::Equal
            {
                rest = after;
            }
            now.extend(self.source.row(key)?);
        }
        now.extend_from_slice(rest);
        let now: Arc<[Row]> = now.into();
        if let Err(place) = self.place(min, max) {
            self.note(place, min, max, &now);
        }
        Ok(now)
    }

    /// The rows of a bucket that lies within something that was read.
    fn of_bucket(&self, bucket: &Bucket) -> Option<Arc<[Row]>> {
        let after = self.read.partition_point(|((min, _), _)| *min <= bucket.min);
        let ((_, max), rows) = self.read[..after].last()?;
        if *max < bucket.max {
            return None;
        }
        let from = rows.partition_point(|row| row.key < bucket.min);
        let to = from + usize::try_from(bucket.count).ok()?;
        let found = rows.get(from..to)?;
        Some(if found.len() == rows.len() { rows.clone() } else { found.into() })
    }
}

impl<R: Rows> Rows for Ranges<'_, R> {
    type Error = R::Error;

    fn rows(&mut self, min: &Key, max: &Key) -> Result<Arc<[Row]>, R::Error> {
        match self.place(min, max) {
            Ok(at) => Ok(self.read[at].1.clone()),
            Err(place) => {
                let rows = self.source.rows(min, max)?;
                self.note(place, min, max, &rows);
                Ok(rows)
            }
        }
    }

    fn row(&mut self, key: &Key) -> Result<Option<Row>, R::Error> {
        self.source.row(key)
    }
}
