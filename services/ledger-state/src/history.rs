//! Undo records: for each block the first old image of every row that it touched, so that the rows
//! of a past height can be had again ([`crate::past`]).
//!
//! A record is one blob, written in the block's own SQLite transaction: no row of its own for each
//! change. Records are bounded in number and bytes, the oldest go first. A block that changes the
//! schema has none, and ends the range: heights before it are not kept.

use std::collections::VecDeque;

use borsh::{BorshDeserialize, BorshSerialize};
use ledger_types::Value;
use rusqlite::{Connection, params};

use crate::{
    error::StateError,
    tree::{
        key::Key,
        store::{signed, unsigned},
    },
};

/// Records kept at most: so many heights back.
const HEIGHTS_MAX: usize = 1_000;
/// Bytes of all records at most.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of one record at most: a block that touches more ends the range, as a schema change does.
const BLOCK_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS hansa_undo (height INTEGER PRIMARY KEY, old_rows BLOB NOT NULL) STRICT;
";

/// A row from before a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct OldRow {
    pub(crate) table: u32,
    key: Vec<u8>,
    /// All columns in order; `None` when there was no row.
    pub(crate) values: Option<Vec<Value>>,
}

impl OldRow {
    pub(crate) fn key(&self) -> Key {
        Key(self.key.clone().into())
    }

    /// The rows of a record.
    pub(crate) fn read_all(mut record: &[u8]) -> Result<Vec<Self>, StateError> {
        let mut rows = Vec::new();
        while !record.is_empty() {
            let row = Self::deserialize(&mut record)
                .map_err(|_| StateError::Stored("an undo record does not decode"))?;
            rows.push(row);
        }
        Ok(rows)
    }
}

/// The record of the block that runs, written while its rows change.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    record: Vec<u8>,
    /// It would not lead back: the schema has changed, or it is too long.
    useless: bool,
}

impl Undo {
    pub(crate) fn begin(&mut self) {
        self.record.clear();
        self.useless = false;
    }

    /// Notes a row at its first touch in the block.
    pub(crate) fn note(&mut self, table: u32, key: &Key, values: Option<&[Value]>) {
        if self.useless {
            return;
        }
        let written = table
            .serialize(&mut self.record)
            .and_then(|()| key.0.serialize(&mut self.record))
            .and_then(|()| values.serialize(&mut self.record));
        if written.is_err() || self.record.len() > BLOCK_BYTES_MAX {
            self.give_up();
        }
    }

    /// Nothing leads back over this block.
    pub(crate) fn give_up(&mut self) {
        self.useless = true;
        self.record = Vec::new();
    }

    fn record(&self) -> Option<&[u8]> {
        (!self.useless).then_some(&self.record)
    }
}

/// Which records the file holds.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Height and bytes, consecutive, up to the executed height.
    kept: VecDeque<(u64, u64)>,
    bytes: u64,
}

impl History {
    /// Reads what leads back from `executed` without a gap.
    pub(crate) fn read(connection: &Connection, executed: u64) -> Result<Self, StateError> {
        let mut statement = connection
            .prepare("SELECT height, length(old_rows) FROM hansa_undo ORDER BY height DESC")?;
        let mut rows = statement.query([])?;
        let mut history = Self::default();
        while let Some(row) = rows.next()? {
            let (height, bytes) = (unsigned(row.get(0)?)?, unsigned(row.get(1)?)?);
            if height + history.kept.len() as u64 != executed {
                break;
            }
            history.kept.push_front((height, bytes));
            history.bytes += bytes;
        }
        Ok(history)
    }

    /// Stores a block's record and drops what there is no room for any more.
    pub(crate) fn write(
        &mut self,
        connection: &Connection,
        height: u64,
        undo: &Undo,
    ) -> Result<(), StateError> {
        let mut gone = None;
        match undo.record() {
            Some(record) => {
                connection
                    .prepare_cached("INSERT INTO hansa_undo (height, old_rows) VALUES (?1, ?2)")?
                    .execute(params![signed(height), record])?;
                self.kept.push_back((height, record.len() as u64));
                self.bytes += record.len() as u64;
                while self.kept.len() > HEIGHTS_MAX || self.bytes > BYTES_MAX {
                    let Some((oldest, bytes)) = self.kept.pop_front() else { break };
                    self.bytes -= bytes;
                    gone = Some(oldest);
                }
            }
            None => {
                *self = Self::default();
                gone = Some(height);
            }
        }
        if let Some(height) = gone {
            connection
                .prepare_cached("DELETE FROM hansa_undo WHERE height <= ?1")?
                .execute([signed(height)])?;
        }
        Ok(())
    }
}
