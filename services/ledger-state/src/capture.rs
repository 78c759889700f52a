//! Which keys a block touched: a source of dirty keys only, the rows themselves are read again.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use ledger_types::{Digest, Value, limits};

use crate::{
    history::Undo,
    row::{size, tree_row},
    schema::Table,
    tree::Touched,
    tree::key::Key,
};

/// Gathers touched keys while statements run.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    tables: HashMap<String, Arc<Table>>,
    touched: HashMap<(u32, Key), Option<(Digest, u32)>>,
    undo: Undo,
    changes: u64,
    /// Of the rows that changed, old and new.
    bytes: u64,
    /// A key is NULL or longer than the ledger takes.
    bad_key: bool,
    /// Something that cannot be: the node must stop.
    fault: Option<&'static str>,
}

impl Capture {
    /// Learns the tables as they are now.
    pub(crate) fn learn<'a>(&mut self, tables: impl Iterator<Item = &'a Arc<Table>>) {
        self.tables = tables.map(|t| (t.name.to_ascii_lowercase(), t.clone())).collect();
    }

    pub(crate) fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.tables.get(name).or_else(|| self.tables.get(&name.to_ascii_lowercase())).cloned()
    }

    /// A row is about to change; either side may be missing.
    pub(crate) fn row(&mut self, table: &Table, old: Option<&[Value]>, new: Option<&[Value]>) {
        self.changes += 1;
        self.bytes += [old, new].into_iter().flatten().flatten().map(size).sum::<usize>() as u64;
        if let Some(values) = old {
            match tree_row(table, values) {
                Some(row) => {
                    let before = Some((row.hash, row.len));
                    self.touch(table.id, row.key, before, Some(values));
                }
                None => self.fault = Some("a stored row has no key"),
            }
        }
        if let Some(values) = new {
            match Key::encode(table.key.iter().map(|at| &values[*at as usize])) {
                Some(key) => self.touch(table.id, key, None, None),
                None => self.bad_key = true,
            }
        }
    }

    /// Keeps what was before the block: the first touch of a key counts.
    fn touch(
        &mut self,
        table: u32,
        key: Key,
        before: Option<(Digest, u32)>,
        values: Option<&[Value]>,
    ) {
        if let Entry::Vacant(place) = self.touched.entry((table, key)) {
            self.undo.note(table, &place.key().1, values);
            place.insert(before);
        }
    }

    /// The block changes the schema: nothing leads back over it.
    pub(crate) fn end_history(&mut self) {
        self.undo.give_up();
    }

    /// What leads back over the block.
    pub(crate) fn take_undo(&mut self) -> Undo {
        std::mem::take(&mut self.undo)
    }

    pub(crate) fn fail(&mut self, fault: &'static str) {
        self.fault = Some(fault);
    }

    pub(crate) fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    /// Rows changed since the last call of [`Capture::begin_transaction`].
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether those rows are more than one transaction may change.
    pub(crate) fn is_too_much(&self) -> bool {
        self.bytes > limits::CHANGED_BYTES_MAX
    }

    pub(crate) fn has_bad_key(&self) -> bool {
        self.bad_key
    }

    pub(crate) fn begin_transaction(&mut self) {
        self.changes = 0;
        self.bytes = 0;
        self.bad_key = false;
    }

    /// Forgets everything: the block begins, or begins again.
    pub(crate) fn begin_block(&mut self) {
        self.touched.clear();
        self.undo.begin();
        self.begin_transaction();
    }

    /// Forgets what was noted of a table that is gone or rebuilt.
    pub(crate) fn forget_table(&mut self, table: u32) {
        self.touched.retain(|(id, _), _| *id != table);
    }

    /// What was touched, by table and key.
    pub(crate) fn take(&mut self) -> BTreeMap<u32, Touched> {
        let mut by_table: BTreeMap<u32, Touched> = BTreeMap::new();
        for ((table, key), old) in self.touched.drain() {
            by_table.entry(table).or_default().insert(key, old);
        }
        by_table
    }
}
