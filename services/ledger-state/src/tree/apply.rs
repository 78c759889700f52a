//! A block's changes applied to a table, with a check of everything they touch.

use std::collections::BTreeMap;

use ledger_types::Digest;

use super::{
    BucketChange, Tree,
    key::Key,
    node::{Bucket, Change, Node, Row, Rows, bucket_digest},
};

/// The keys that a block touched in one table, with each row's hash and length from before.
pub(crate) type Touched = BTreeMap<Key, Option<(Digest, u32)>>;

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
        let mut resolved = Vec::with_capacity(touched.len());
        for (bucket, group) in groups(self.table(table), touched) {
            check_group(table, bucket, &group, rows, &mut resolved)?;
        }
        let (mut gone, mut made) = (Vec::new(), Vec::new());
        let node = self.take(table);
        let node = Node::apply(node, table, &resolved, rows, &mut gone, &mut made)
            .map_err(ApplyError::Rows)?;
        self.set(table, node);
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

fn check_group<R: Rows>(
    table: u32,
    bucket: Option<&Bucket>,
    group: &Group<'_>,
    rows: &mut R,
    resolved: &mut Vec<Change>,
) -> Result<(), ApplyError<R::Error>> {
    let (first, last) = (group[0].0, group[group.len() - 1].0);
    let min = bucket.map_or(first, |b| first.min(&b.min));
    let max = bucket.map_or(last, |b| last.max(&b.max));
    let now = rows.rows(min, max).map_err(ApplyError::Rows)?;

    let was_touched = |key: &Key| group.binary_search_by(|(k, _)| (*k).cmp(key)).is_ok();
    let old: Vec<Row> = group
        .iter()
        .filter_map(|(key, old)| old.map(|(hash, len)| Row { key: (*key).clone(), hash, len }))
        .collect();
    let untouched = now.iter().filter(|row| !was_touched(&row.key));
    let mut before: Vec<&Row> = untouched.chain(&old).collect();
    before.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let as_stored = match bucket {
        Some(bucket) => {
            before.len() as u64 == bucket.count
                && bucket_digest(table, before.into_iter()) == bucket.digest
        }
        None => before.is_empty(),
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
