//! Rows as bytes under a hash.

use std::rc::Rc;

use borsh::BorshSerialize as _;
use ledger_types::{Digest, Value};
use rusqlite::{Connection, Row as SqlRow, types::ValueRef};
use sha2::{Digest as _, Sha256};

use crate::{
    error::StateError,
    schema::{Column, Table, quoted},
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
    range: String,
    /// The last ranges read: the check and the change of a bucket want the same one.
    recent: Vec<(Range, Rc<[Row]>)>,
}

/// The smallest and the largest key of a range.
type Range = (Key, Key);

/// Ranges remembered: a block touches many, but uses each again soon or never.
const RECENT_MAX: usize = 4_096;

impl<'a> TableRows<'a> {
    pub(crate) fn new(connection: &'a Connection, table: &'a Table) -> Self {
        let names = |columns: &mut dyn Iterator<Item = &Column>| {
            columns.map(|c| quoted(&c.name)).collect::<Vec<_>>().join(", ")
        };
        let all = names(&mut table.columns.iter());
        let key = names(&mut table.key_columns());
        let n = table.key.len();
        let low: Vec<String> = (1..=n).map(|i| format!("?{i}")).collect();
        let high: Vec<String> = (n + 1..=2 * n).map(|i| format!("?{i}")).collect();
        let range = format!(
            "SELECT {all} FROM {} WHERE ({key}) >= ({}) AND ({key}) <= ({}) ORDER BY {key}",
            quoted(&table.name),
            low.join(", "),
            high.join(", ")
        );
        Self { connection, table, range, recent: Vec::new() }
    }

    /// All rows, in order of their keys; for building a trie from nothing.
    pub(crate) fn all(&self) -> Result<Vec<Row>, StateError> {
        let end = self.range.find(" WHERE ").expect("the text above");
        let order = self.range.rfind(" ORDER BY ").expect("the text above");
        let sql = format!("{}{}", &self.range[..end], &self.range[order..]);
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(self.tree_row(row)?);
        }
        Ok(all)
    }

    fn tree_row(&self, row: &SqlRow<'_>) -> Result<Row, StateError> {
        let columns = 0..self.table.columns.len();
        let values: Vec<Value> =
            columns.map(|at| value(row.get_ref(at)?)).collect::<Result<_, StateError>>()?;
        tree_row(self.table, &values).ok_or(StateError::Stored("a key cannot be encoded"))
    }
}

impl Rows for TableRows<'_> {
    type Error = StateError;

    fn rows(&mut self, min: &Key, max: &Key) -> Result<Rc<[Row]>, StateError> {
        let known = self.recent.binary_search_by(|((a, b), _)| (a, b).cmp(&(min, max)));
        let place = match known {
            Ok(at) => return Ok(self.recent[at].1.clone()),
            Err(place) => place,
        };
        let kinds = self.table.key_kinds();
        let bounds = [decode(min, &kinds), decode(max, &kinds)];
        let [Some(low), Some(high)] = bounds else {
            return Err(StateError::Stored("a stored key does not decode"));
        };
        let mut statement = self.connection.prepare_cached(&self.range)?;
        for (at, bound) in low.iter().chain(&high).enumerate() {
            bind(&mut statement, at + 1, bound)?;
        }
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(self.tree_row(row)?);
        }
        let found: Rc<[Row]> = found.into();
        if self.recent.len() < RECENT_MAX {
            self.recent.insert(place, ((min.clone(), max.clone()), found.clone()));
        }
        Ok(found)
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
