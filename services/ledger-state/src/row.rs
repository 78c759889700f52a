//! Rows as bytes under a hash.

use std::sync::Arc;

use borsh::BorshSerialize as _;
use ledger_types::{Digest, Value};
use rusqlite::{CachedStatement, Connection, Row as SqlRow, types::ValueRef};
use sha2::{Digest as _, Sha256};

use crate::{
    error::StateError,
    schema::{Column, Kind, Table, quoted},
    tree::{
        key::{Key, decode},
        node::{Row, Rows},
    },
};

/// A column's value; floating point cannot be in a ledger table.
pub(crate) fn value(from: ValueRef<'_>) -> Result<Value, StateError> {
    match from {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(i) => Ok(Value::Integer(i)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(_) => Err(StateError::Stored("a text is not UTF-8")),
        },
        ValueRef::Blob(bytes) => Ok(Value::Blob { hex: bytes.to_vec() }),
        ValueRef::Real(_) => Err(StateError::Stored("a value is a floating point number")),
    }
}

/// `H(00 | table u32 | len u16 | key | (column id u32 | value)*)` over the columns that are
/// neither key nor their creation default; `None` when the key cannot be encoded.
pub(crate) fn tree_row(table: &Table, values: &[Value]) -> Option<Row> {
    let key = Key::encode(table.key.iter().map(|at| &values[*at as usize]))?;
    let mut bytes = Vec::with_capacity(64);
    bytes.push(0);
    bytes.extend_from_slice(&table.id.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(key.0.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&key.0);
    for (at, (column, value)) in table.columns.iter().zip(values).enumerate() {
        if !table.is_key(at) && *value != column.creation_default {
            bytes.extend_from_slice(&column.id.to_be_bytes());
            value.serialize(&mut bytes).ok()?;
        }
    }
    let len = u32::try_from(bytes.len()).ok()?;
    Some(Row { key, hash: Digest(Sha256::digest(&bytes).into()), len })
}

/// Reads rows of one table by ranges of their keys.
pub(crate) struct TableRows<'a> {
    connection: &'a Connection,
    table: &'a Table,
    kinds: Vec<Kind>,
    /// `SELECT all columns FROM table`.
    select: String,
    /// The key's columns.
    key: String,
    /// Prepared at first use: finding a statement by its text costs more than running it.
    range: Option<CachedStatement<'a>>,
    single: Option<CachedStatement<'a>>,
}

impl<'a> TableRows<'a> {
    pub(crate) fn new(connection: &'a Connection, table: &'a Table) -> Self {
        let names = |columns: &mut dyn Iterator<Item = &Column>| {
            columns.map(|c| quoted(&c.name)).collect::<Vec<_>>().join(", ")
        };
        let all = names(&mut table.columns.iter());
        let key = names(&mut table.key_columns());
        let select = format!("SELECT {all} FROM {}", quoted(&table.name));
        let kinds = table.key_kinds();
        Self { connection, table, kinds, select, key, range: None, single: None }
    }

    /// All rows, in order of their keys; for building a trie from nothing.
    pub(crate) fn all(&self) -> Result<Vec<Row>, StateError> {
        let mut statement =
            self.connection.prepare(&format!("{} ORDER BY {}", self.select, self.key))?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(self::row(self.table, row)?);
        }
        Ok(all)
    }

    /// `(?1, ?2, …)` for the key's columns, from a number on.
    fn places(&self, from: usize) -> String {
        let places: Vec<String> =
            (from..from + self.kinds.len()).map(|at| format!("?{at}")).collect();
        places.join(", ")
    }

    fn decode(&self, key: &Key) -> Result<Vec<Value>, StateError> {
        decode(key, &self.kinds).ok_or(StateError::Stored("a stored key does not decode"))
    }
}

fn row(table: &Table, row: &SqlRow<'_>) -> Result<Row, StateError> {
    let columns = 0..table.columns.len();
    let values: Vec<Value> =
        columns.map(|at| value(row.get_ref(at)?)).collect::<Result<_, StateError>>()?;
    tree_row(table, &values).ok_or(StateError::Stored("a key cannot be encoded"))
}

impl Rows for TableRows<'_> {
    type Error = StateError;

    fn rows(&mut self, min: &Key, max: &Key) -> Result<Arc<[Row]>, StateError> {
        let (low, high) = (self.decode(min)?, self.decode(max)?);
        let statement = match self.range.take() {
            Some(statement) => statement,
            None => {
                let (select, key) = (&self.select, &self.key);
                let (low, high) = (self.places(1), self.places(1 + self.kinds.len()));
                self.connection.prepare_cached(&format!(
                    "{select} WHERE ({key}) >= ({low}) AND ({key}) <= ({high}) ORDER BY {key}"
                ))?
            }
        };
        let statement = self.range.insert(statement);
        for (at, bound) in low.iter().chain(&high).enumerate() {
            bind(statement, at + 1, bound)?;
        }
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(self::row(self.table, row)?);
        }
        Ok(found.into())
    }

    fn row(&mut self, key: &Key) -> Result<Option<Row>, StateError> {
        let values = self.decode(key)?;
        let statement = match self.single.take() {
            Some(statement) => statement,
            None => {
                let (select, key) = (&self.select, &self.key);
                let sql = format!("{select} WHERE ({key}) = ({})", self.places(1));
                self.connection.prepare_cached(&sql)?
            }
        };
        let statement = self.single.insert(statement);
        for (at, value) in values.iter().enumerate() {
            bind(statement, at + 1, value)?;
        }
        let mut rows = statement.raw_query();
        match rows.next()? {
            Some(row) => self::row(self.table, row).map(Some),
            None => Ok(None),
        }
    }
}

/// About how many bytes a value takes.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Integer(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob { hex } => hex.len(),
    }
}

/// Binds one parameter.
pub(crate) fn bind(
    statement: &mut rusqlite::Statement<'_>,
    at: usize,
    value: &Value,
) -> rusqlite::Result<()> {
    match value {
        Value::Null => statement.raw_bind_parameter(at, rusqlite::types::Null),
        Value::Integer(i) => statement.raw_bind_parameter(at, i),
        Value::Text(text) => statement.raw_bind_parameter(at, text),
        Value::Blob { hex } => statement.raw_bind_parameter(at, hex),
    }
}
