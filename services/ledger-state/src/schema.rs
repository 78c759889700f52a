//! The ledger's tables: ids that are never used twice, columns, keys, defaults.

use std::{collections::BTreeMap, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use ledger_types::{
    Digest, Value,
    codec::{decode, encode},
};
use rusqlite::{Connection, params};

use crate::error::StateError;

/// Ids below this are the ledger's own tables.
pub(crate) const FIRST_USER_TABLE: u32 = 16;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum Kind {
    Integer,
    Text,
    Blob,
}

impl Kind {
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Text => "TEXT",
            Self::Blob => "BLOB",
        }
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Column {
    /// Never used twice in a table; names may change, ids do not.
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// What rows from before the column's addition read: left out of row hashes.
    pub(crate) creation_default: Value,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Table {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// Places of the primary key's columns, in key order.
    pub(crate) key: Vec<u32>,
    pub(crate) next_column: u32,
    /// SQLite's own text of the table and its indexes.
    pub(crate) sql: Vec<String>,
}

impl Table {
    /// Covers names, types, constraints and indexes.
    pub(crate) fn schema_hash(&self) -> Digest {
        Digest::of(&encode(self))
    }

    pub(crate) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().map(|at| &self.columns[*at as usize])
    }

    pub(crate) fn is_key(&self, at: usize) -> bool {
        self.key.iter().any(|k| *k as usize == at)
    }

    pub(crate) fn key_kinds(&self) -> Vec<Kind> {
        self.key_columns().map(|c| c.kind).collect()
    }
}

/// A quoted SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) const SCHEMA: &str = "
CREATE TABLE hansa_table (id INTEGER PRIMARY KEY, definition BLOB NOT NULL) STRICT;
";

/// All tables that the state tree covers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    by_id: BTreeMap<u32, Arc<Table>>,
    next_id: u32,
}

impl Schema {
    /// Reads the registry; ids of dropped tables stay taken.
    pub(crate) fn read(connection: &Connection) -> Result<Self, StateError> {
        let mut schema = Self { by_id: BTreeMap::new(), next_id: FIRST_USER_TABLE };
        let mut statement =
            connection.prepare_cached("SELECT id, definition FROM hansa_table ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = row.get::<_, u32>(0)?;
            schema.next_id = schema.next_id.max(id + 1);
            let definition: Vec<u8> = row.get(1)?;
            if !definition.is_empty() {
                schema.by_id.insert(id, Arc::new(decode(&definition)?));
            }
        }
        Ok(schema)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.by_id.values()
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<&Arc<Table>> {
        self.by_id.get(&id)
    }

    /// SQLite compares names without regard to ASCII case.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Table>> {
        self.by_id.values().find(|t| t.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn next_id(&self) -> u32 {
        self.next_id
    }

    /// Writes a table's definition, with SQLite's text as it is now.
    pub(crate) fn put(
        &mut self,
        connection: &Connection,
        mut table: Table,
    ) -> Result<(), StateError> {
        table.sql = sqlite_text(connection, &table.name)?;
        connection
            .prepare_cached(
                "INSERT INTO hansa_table (id, definition) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET definition = excluded.definition",
            )?
            .execute(params![table.id, encode(&table)])?;
        self.next_id = self.next_id.max(table.id + 1);
        self.by_id.insert(table.id, Arc::new(table));
        Ok(())
    }

    /// Removes a table; its id stays taken.
    pub(crate) fn remove(&mut self, connection: &Connection, id: u32) -> Result<(), StateError> {
        connection
            .prepare_cached("UPDATE hansa_table SET definition = x'' WHERE id = ?1")?
            .execute([id])?;
        self.by_id.remove(&id);
        Ok(())
    }
}

fn sqlite_text(connection: &Connection, table: &str) -> Result<Vec<String>, StateError> {
    let mut statement = connection.prepare_cached(
        "SELECT sql FROM sqlite_schema
         WHERE tbl_name = ?1 COLLATE NOCASE AND sql IS NOT NULL ORDER BY type DESC, name",
    )?;
    let texts = statement.query_map([table], |row| row.get(0))?;
    Ok(texts.collect::<Result<_, _>>()?)
}
