//! The state tree: a trie for each table, and one root over all tables.

mod apply;
pub(crate) mod key;
pub(crate) mod node;
mod recent;
pub(crate) mod store;

use std::collections::BTreeMap;

use ledger_types::{Digest, merkle_root};
use sha2::{Digest as _, Sha256};

pub(crate) use apply::{ApplyError, Mismatch, Touched};
use key::Key;
use node::{Bucket, Node};
use recent::RecentRows;

use crate::schema::{Schema, Table};

/// All tables' tries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    tables: BTreeMap<u32, Node>,
    recent: RecentRows,
}

/// A stored bucket that ended, began or changed: `(table, min, bucket)`.
pub(crate) type BucketChange = (u32, Key, Option<Bucket>);

impl Tree {
    /// The tree of stored buckets, sorted by table and key.
    pub(crate) fn link(buckets: BTreeMap<(u32, Key), Bucket>) -> Self {
        let mut by_table: BTreeMap<u32, Vec<Bucket>> = BTreeMap::new();
        for ((table, _), bucket) in buckets {
            by_table.entry(table).or_default().push(bucket);
        }
        let link = |(table, buckets): (u32, Vec<Bucket>)| Some((table, Node::link(&buckets)?));
        let tables = by_table.into_iter().filter_map(link).collect();
        Self { tables, recent: RecentRows::default() }
    }

    pub(crate) fn table(&self, table: u32) -> Option<&Node> {
        self.tables.get(&table)
    }

    /// Replaces a table's trie; `None` empties it.
    pub(crate) fn set(&mut self, table: u32, node: Option<Node>) {
        match node {
            Some(node) => self.tables.insert(table, node),
            None => self.tables.remove(&table),
        };
    }

    pub(crate) fn take(&mut self, table: u32) -> Option<Node> {
        self.tables.remove(&table)
    }

    /// Tables that have rows in the tree.
    pub(crate) fn tables(&self) -> impl Iterator<Item = u32> + '_ {
        self.tables.keys().copied()
    }

    /// The state root: a Merkle root over the tables' digests, by id.
    pub(crate) fn root(&self, schema: &Schema) -> Digest {
        merkle_root(schema.tables().map(|table| self.table_digest(table)))
    }

    /// `H(20 | table u32 | schema hash | count u64 | trie or zeros)`.
    fn table_digest(&self, table: &Table) -> Digest {
        let node = self.tables.get(&table.id);
        let mut hash = Sha256::new_with_prefix([0x20]);
        hash.update(table.id.to_be_bytes());
        hash.update(table.schema_hash().0);
        hash.update(node.map_or(0, Node::count).to_be_bytes());
        hash.update(node.map_or(Digest::ZERO, Node::digest).0);
        Digest(hash.finalize().into())
    }

    /// Visits buckets in order of table and key, from a place on, until `visit` says no.
    pub(crate) fn visit_from(
        &self,
        from: Option<&(u32, Key)>,
        visit: &mut dyn FnMut(u32, &Bucket) -> bool,
    ) {
        let first = from.map_or(0, |(table, _)| *table);
        for (table, node) in self.tables.range(first..) {
            let from = from.filter(|(t, _)| t == table).map(|(_, key)| key);
            if !node.visit_from(from, &mut |bucket| visit(*table, bucket)) {
                return;
            }
        }
    }
}
