//! Rows of buckets that were touched lately: what is touched again need not be read again.
//!
//! A bucket's rows are kept under its digest, which is a hash over them. So they are what the bucket
//! held, whatever has happened to the tree since: nothing here can be out of date, and a block that is
//! taken back leaves nothing to mend.

use std::{collections::HashMap, sync::Arc};

use ledger_types::Digest;

use super::node::Row;

/// Rows of one generation at most, about 100 bytes each, 350 with the longest keys; two generations are
/// kept.
const GENERATION_ROWS_MAX: usize = 256 * 1024;

/// Rows by the digest of their bucket. What has not been used for a generation is forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentRows {
    young: HashMap<Digest, Arc<[Row]>>,
    old: HashMap<Digest, Arc<[Row]>>,
    /// Rows in `young`.
    rows: usize,
}

impl RecentRows {
    /// Takes the rows of a bucket that is about to change; those of an unchanged one stay.
    pub(crate) fn take(&mut self, bucket: &Digest) -> Option<Arc<[Row]>> {
        if let Some(rows) = self.young.remove(bucket) {
            self.rows -= rows.len();
            return Some(rows);
        }
        self.old.remove(bucket)
    }

    /// Keeps the rows of a bucket.
    pub(crate) fn put(&mut self, bucket: Digest, rows: Arc<[Row]>) {
        self.put_bounded(bucket, rows, GENERATION_ROWS_MAX);
    }

    fn put_bounded(&mut self, bucket: Digest, rows: Arc<[Row]>, rows_max: usize) {
        if self.rows + rows.len() > rows_max {
            self.old = std::mem::take(&mut self.young);
            self.rows = 0;
        }
        self.rows += rows.len();
        if let Some(before) = self.young.insert(bucket, rows) {
            self.rows -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::key::Key;
    use ledger_types::Value;

    fn rows(count: i64) -> Arc<[Row]> {
        let row = |n: i64| Row {
            key: Key::encode([&Value::from(n)]).expect("an integer is a key"),
            hash: Digest::ZERO,
            len: 1,
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn what_is_not_used_is_forgotten_and_what_is_used_stays() {
        // Memory must be bounded however many buckets a ledger has.
        let mut recent = RecentRows::default();
        let digest = |n: u8| Digest([n; 32]);
        for n in 0..100 {
            recent.put_bounded(digest(n), rows(2), 10);
            // The first one is used again and again.
            let first = recent.take(&digest(0)).expect("used lately");
            recent.put_bounded(digest(0), first, 10);
            let held = recent.young.values().chain(recent.old.values()).map(|r| r.len()).sum();
            assert!((2..=20usize).contains(&held), "{held} rows are held");
            assert_eq!(recent.rows, recent.young.values().map(|r| r.len()).sum::<usize>());
        }
        assert_eq!(recent.take(&digest(50)), None);
        assert_eq!(recent.take(&digest(99)).map(|r| r.len()), Some(2));
    }
}
