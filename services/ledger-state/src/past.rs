//! Views of the past: a copy of the ledger's tables with undo records applied backwards.
//!
//! A view is made when somebody asks for a height, checked against the state root of that height,
//! and kept in a scratch file beside the state for the next query. Reading a snapshot blocks no
//! block: SQLite's writer goes on beside it.

use std::{
    collections::VecDeque,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ledger_types::Digest;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, config::DbConfig};

use crate::{
    error::StateError,
    history::OldRow,
    reader::Reader,
    row::{TableRows, bind},
    schema::{Column, Schema, Table, quoted},
    state::digest,
    tree::{
        Tree,
        key::decode,
        node::Node,
        store::{signed, unsigned},
    },
};

/// Views kept for the next query; the oldest goes first.
const VIEWS_MAX: usize = 2;
/// Pages of a view's file at most: 2 GiB.
const PAGES_MAX: u64 = 512 * 1024;
const PAGE_BYTES: u64 = 4_096;
/// Rows whose root is computed again from the view; larger states are trusted as the head's file is.
const CHECKED_ROWS_MAX: u64 = 2_000_000;
/// Memory of SQLite while a view is made, KiB.
const CACHE_KIB: u32 = 32 * 1024;
/// Prepared statements kept while a view is made: two for each table.
const STATEMENTS_MAX: usize = 256;
const SCRATCH_PREFIX: &str = "past-";

/// The heights that can be asked for, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptHeights {
    /// The oldest.
    pub from: u64,
    /// The executed height.
    pub to: u64,
}

/// Why there is no view of a height.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// Too far back: beyond the limit, or before the last change of the schema.
    #[error(
        "height {height} is not kept; heights {} to {} are. At most 1,000 heights are kept, and a \
         change of the schema begins anew", .kept.from, .kept.to
    )]
    NotKept {
        /// What was asked for.
        height: u64,
        /// What there is.
        kept: KeptHeights,
    },
    /// Not executed yet.
    #[error("height {height} is not executed here; heights {} to {} are kept", .kept.from, .kept.to)]
    NotReached {
        /// What was asked for.
        height: u64,
        /// What there is.
        kept: KeptHeights,
    },
    /// The copy would be larger than a view may be.
    #[error("the state is too large for a view of the past")]
    TooLarge,
    /// The file cannot be read, or does not lead back to what it was.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<rusqlite::Error> for PastError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::TooLarge,
            _ => Self::State(error.into()),
        }
    }
}

/// The rows at one height; its file goes with it.
#[derive(Debug)]
struct View {
    height: u64,
    /// Which file it is a past of: a state that was built again is another one.
    of: (u64, u64),
    path: PathBuf,
}

impl Drop for View {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes views of one state file and keeps a few.
#[derive(Debug)]
pub struct PastViews {
    state: PathBuf,
    ready: Mutex<VecDeque<Arc<View>>>,
    /// One is made at a time: each costs a copy of the rows.
    making: Mutex<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PastViews {
    /// Views of the state file `state`, in its folder. What an earlier process left there goes.
    pub fn new(state: &Path) -> Self {
        let folder = state.parent().unwrap_or(Path::new("."));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(SCRATCH_PREFIX) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Self { state: state.to_owned(), ready: Mutex::default(), making: Mutex::default() }
    }

    /// A reader of the rows as they were at `height`. It blocks while the view is made; one that is
    /// there already serves until it is displaced, also when the kept range has moved on.
    ///
    /// # Errors
    /// When the height is not in the kept range, the state is too large, or reading fails.
    pub fn at(&self, height: u64) -> Result<Reader, PastError> {
        if let Some(reader) = self.ready(height)? {
            return Ok(reader);
        }
        let mut made = lock(&self.making);
        // Somebody else may have made it in the meantime.
        if let Some(reader) = self.ready(height)? {
            return Ok(reader);
        }
        *made += 1;
        let path = self.state.with_file_name(format!("{SCRATCH_PREFIX}{height}-{}.db", *made));
        let view = View { height, of: self.identity()?, path };
        make(&self.state, height, &view.path)?;
        let reader = Reader::open_past(&view.path, height)?;
        let mut ready = lock(&self.ready);
        ready.push_back(Arc::new(view));
        while ready.len() > VIEWS_MAX {
            ready.pop_front();
        }
        Ok(reader)
    }

    fn ready(&self, height: u64) -> Result<Option<Reader>, PastError> {
        let of = self.identity()?;
        let mut ready = lock(&self.ready);
        ready.retain(|view| view.of == of);
        let found = ready.iter().find(|view| view.height == height);
        Ok(found.map(|view| Reader::open_past(&view.path, height)).transpose()?)
    }

    fn identity(&self) -> Result<(u64, u64), PastError> {
        let about = fs::metadata(&self.state)
            .map_err(|_| StateError::Stored("the state file is not there at this moment"))?;
        Ok((about.dev(), about.ino()))
    }
}

/// Copies the head's tables and leads them back to `height`.
fn make(state: &Path, height: u64, to: &Path) -> Result<(), PastError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(to, flags)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         PRAGMA max_page_count = {PAGES_MAX}; PRAGMA foreign_keys = OFF;
         PRAGMA ignore_check_constraints = ON; PRAGMA cache_size = -{CACHE_KIB};"
    ))?;
    for option in [
        DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        DbConfig::SQLITE_DBCONFIG_DQS_DDL,
        DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW,
    ] {
        connection.set_db_config(option, false)?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute("ATTACH ?1 AS head", [read_only_uri(state)])?;
    // One snapshot of the head from here on.
    connection.execute_batch("BEGIN")?;
    let kept = kept_heights(&connection, "head.")?;
    if height > kept.to {
        return Err(PastError::NotReached { height, kept });
    }
    if height < kept.from {
        return Err(PastError::NotKept { height, kept });
    }
    // The head's own table: a view has none of the node's bookkeeping.
    let schema = Schema::read(&connection)?;
    for table in schema.tables() {
        copy(&connection, table)?;
    }
    for undone in (height + 1..=kept.to).rev() {
        let record: Option<Vec<u8>> = connection
            .prepare_cached("SELECT old_rows FROM head.hansa_undo WHERE height = ?1")?
            .query_row([signed(undone)], |row| row.get(0))
            .optional()?;
        let record = record.ok_or(PastError::NotKept { height, kept })?;
        undo(&connection, &schema, &OldRow::read_all(&record)?)?;
    }
    check(&connection, &schema, height)?;
    for index in schema.tables().flat_map(|table| table.sql.iter().skip(1)) {
        connection.execute_batch(index)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// The path as a URI that SQLite opens for reading only: it must not make a file that is missing.
fn read_only_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri + "?mode=ro"
}

/// The kept range of the state in the database `prefix` (`head.`, or nothing for the main one).
pub(crate) fn kept_heights(
    connection: &Connection,
    prefix: &str,
) -> Result<KeptHeights, StateError> {
    let sql = format!(
        "SELECT (SELECT max(height) FROM {prefix}hansa_block),
                (SELECT min(height) FROM {prefix}hansa_undo)"
    );
    let (to, oldest): (i64, Option<i64>) =
        connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let to = unsigned(to)?;
    let from = match oldest {
        Some(oldest) => unsigned(oldest)?.saturating_sub(1),
        None => to,
    };
    Ok(KeptHeights { from, to })
}

fn copy(connection: &Connection, table: &Table) -> Result<(), PastError> {
    let create = table.sql.first().ok_or(StateError::Stored("a table has no definition"))?;
    connection.execute_batch(create)?;
    let name = quoted(&table.name);
    connection.execute_batch(&format!("INSERT INTO main.{name} SELECT * FROM head.{name}"))?;
    Ok(())
}

/// Takes one block back: first everything that it left, then everything that was there before, so
/// that unique values which changed hands are free again.
fn undo(connection: &Connection, schema: &Schema, rows: &[OldRow]) -> Result<(), PastError> {
    let table = |row: &OldRow| {
        let found = schema.by_id(row.table);
        found.ok_or(StateError::Stored("an undo record names a table that is gone"))
    };
    for row in rows {
        let table = table(row)?;
        let key = decode(&row.key(), &table.key_kinds());
        let key = key.ok_or(StateError::Stored("a key in an undo record does not decode"))?;
        let names: Vec<String> = table
            .key_columns()
            .zip(1..)
            .map(|(column, at)| format!("{} = ?{at}", quoted(&column.name)))
            .collect();
        let sql = format!("DELETE FROM main.{} WHERE {}", quoted(&table.name), names.join(" AND "));
        run(connection, &sql, &key)?;
    }
    for row in rows {
        let (table, Some(values)) = (table(row)?, &row.values) else { continue };
        let names: Vec<String> = table.columns.iter().map(|c: &Column| quoted(&c.name)).collect();
        let places: Vec<String> = (1..=values.len()).map(|at| format!("?{at}")).collect();
        let (names, places) = (names.join(", "), places.join(", "));
        let name = quoted(&table.name);
        run(connection, &format!("INSERT INTO main.{name} ({names}) VALUES ({places})"), values)?;
    }
    Ok(())
}

fn run(
    connection: &Connection,
    sql: &str,
    values: &[ledger_types::Value],
) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    for (at, value) in values.iter().enumerate() {
        bind(&mut statement, at + 1, value)?;
    }
    statement.raw_execute()?;
    Ok(())
}

/// The rows must give the state root that the node had at this height.
fn check(connection: &Connection, schema: &Schema, height: u64) -> Result<(), PastError> {
    let stored: Option<Vec<u8>> = connection
        .query_row(
            "SELECT state_root FROM head.hansa_block WHERE height = ?1",
            [signed(height)],
            |row| row.get(0),
        )
        .optional()?;
    let stored: Digest = digest(&stored.ok_or(StateError::Stored("a kept height has no root"))?)?;
    let mut total = 0;
    for table in schema.tables() {
        let count = format!("SELECT count(*) FROM main.{}", quoted(&table.name));
        total += unsigned(connection.query_row(&count, [], |row| row.get(0))?)?;
    }
    if total > CHECKED_ROWS_MAX {
        return Ok(());
    }
    let mut tree = Tree::default();
    for table in schema.tables() {
        let rows = TableRows::new(connection, table).all()?;
        tree.set(table.id, Node::build(table.id, &rows, &mut Vec::new()));
    }
    if tree.root(schema) == stored { Ok(()) } else { Err(StateError::Root.into()) }
}
