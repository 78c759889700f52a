//! The state file: opening, checking, and what it knows of past blocks.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use ledger_types::{
    Digest, Executed, Genesis, LedgerId, Outcome, PublicKey, codec::decode, limits, merkle_root,
    outcome::execution_root,
};
use rusqlite::{Connection, OptionalExtension as _, config::DbConfig, functions::FunctionFlags};

use crate::{
    access,
    authorizer::{self, Gate},
    error::StateError,
    functions,
    history::{self, History},
    meter::Meter,
    preupdate::Captured,
    row::TableRows,
    schema::{self, Schema},
    sql::Checked,
    tree::{
        Tree,
        node::Node,
        store::{self, Cursor, signed, unsigned},
    },
};

/// Prepared statements kept.
const STATEMENTS_MAX: usize = 512;
/// How long a checkpoint waits for readers: a long query or the making of a view must not hold up
/// blocks. What they still read is moved the next time.
const READERS_WAIT: Duration = Duration::from_millis(100);
/// Pages of SQLite's cache, in KiB.
const CACHE_KIB: i64 = 64 * 1024;

const BLOCK_SCHEMA: &str = "
CREATE TABLE hansa_block (
    height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, state_root BLOB NOT NULL,
    execution_root BLOB NOT NULL, outcomes BLOB NOT NULL
) STRICT;
";

/// Where a state begins.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The ledger.
    pub ledger: LedgerId,
    /// Consensus keys, which may write incident records.
    pub validators: Vec<PublicKey>,
    genesis: Genesis,
}

impl Origin {
    /// The origin of a checked genesis.
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            ledger: genesis.ledger(),
            validators: genesis.consensus_keys(),
            genesis: genesis.clone(),
        }
    }
}

/// What functions of the block see while it runs.
#[derive(Debug, Default)]
pub(crate) struct BlockClock {
    pub(crate) height: AtomicI64,
    pub(crate) time_ms: AtomicI64,
}

/// What is kept of an executed block, for receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBlock {
    /// Root over all rows and the schema after the block.
    pub state_root: Digest,
    /// Each transaction's id and what became of it, in order.
    pub outcomes: Vec<(Digest, Outcome)>,
    /// What both lead to. Nothing covers this record but the next header, which states the root that
    /// was certified: whoever relies on the record compares.
    pub execution_root: Digest,
}

/// A ledger's state: one write connection and the tree over its rows.
#[derive(Debug)]
pub struct State {
    pub(crate) captured: Captured,
    pub(crate) origin: Origin,
    pub(crate) path: PathBuf,
    pub(crate) schema: Schema,
    pub(crate) tree: Tree,
    pub(crate) cursor: Cursor,
    pub(crate) history: History,
    pub(crate) executed: Executed,
    pub(crate) state_root: Digest,
    /// Ids that have had their effect, with the block time until which they are remembered.
    pub(crate) seen: HashMap<Digest, u64>,
    pub(crate) checked: HashMap<String, Arc<Checked>>,
    pub(crate) clock: Arc<BlockClock>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) gate: Gate,
    pub(crate) data_version: i64,
    pub(crate) failed: bool,
}

impl State {
    /// Opens a state file, or makes a new one at height 0.
    ///
    /// # Errors
    /// When the file is unusable, or its rows do not lead to its stored root.
    pub fn open(path: &Path, origin: Origin) -> Result<Self, StateError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;
             PRAGMA recursive_triggers = ON; PRAGMA wal_autocheckpoint = 0;
             PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = MEMORY;"
        ))?;
        harden(&connection)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.busy_timeout(READERS_WAIT)?;
        let clock = Arc::new(BlockClock::default());
        add_block_functions(&connection, &clock)?;
        let meter = Arc::new(Meter::default());
        functions::install(&connection, &meter)?;
        let fresh = !has_table(&connection, "hansa_block")?;
        let mut state = Self {
            captured: Captured::new(connection),
            origin,
            path: path.to_owned(),
            schema: Schema::default(),
            tree: Tree::default(),
            cursor: Cursor::default(),
            history: History::default(),
            executed: Executed { height: 0, root: Digest::ZERO },
            state_root: Digest::ZERO,
            seen: HashMap::new(),
            checked: HashMap::new(),
            clock,
            meter,
            gate: Gate::default(),
            data_version: 0,
            failed: false,
        };
        if fresh {
            state.begin()?;
        }
        state.connection().execute_batch(history::SCHEMA)?;
        state.load()?;
        state.watch_progress()?;
        authorizer::install_for_writing(state.connection(), &state.gate)?;
        state.data_version = state.read_data_version()?;
        Ok(state)
    }

    /// The file's last executed height and execution root.
    pub fn executed(&self) -> Executed {
        self.executed
    }

    /// The root over all rows and the schema.
    pub fn state_root(&self) -> Digest {
        self.state_root
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What became of a block's transactions, with its state root; `None` when it is not kept.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn outcomes(&self, height: u64) -> Result<Option<KeptBlock>, StateError> {
        let found = self
            .connection()
            .prepare_cached("SELECT state_root, outcomes FROM hansa_block WHERE height = ?1")?
            .query_row([signed(height)], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))
            .optional()?;
        let Some((root, outcomes)) = found else { return Ok(None) };
        let (state_root, outcomes): (Digest, Vec<u8>) = (digest(&root)?, outcomes);
        let outcomes: Vec<(Digest, Outcome)> = decode(&outcomes)?;
        let ledger = self.origin.ledger;
        let results = merkle_root(outcomes.iter().map(|(id, outcome)| outcome.leaf(ledger, *id)));
        let count = u32::try_from(outcomes.len())
            .map_err(|_| StateError::Stored("a block has too many outcomes"))?;
        let execution_root = execution_root(ledger, height, state_root, results, count);
        Ok(Some(KeptBlock { state_root, outcomes, execution_root }))
    }

    /// Moves what is in the write-ahead file into the main one; whether that was everything:
    /// readers keep what they read. Run it now and then, not while a client waits.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn checkpoint(&self) -> Result<bool, StateError> {
        let busy: i64 =
            self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// Closes the file as it is, write-ahead file and all: it is evidence now.
    ///
    /// # Errors
    /// When SQLite refuses; then closing moves the write-ahead file into the main one.
    pub fn abandon(self) -> Result<(), StateError> {
        self.connection().set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(())
    }

    /// Computes the state root from the rows alone, without the stored tree.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn root_from_rows(&self) -> Result<Digest, StateError> {
        let mut tree = Tree::default();
        for table in self.schema.tables() {
            let rows = TableRows::new(self.connection(), table).all()?;
            tree.set(table.id, Node::build(table.id, &rows, &mut Vec::new()));
        }
        Ok(tree.root(&self.schema))
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.captured.connection()
    }

    /// Makes the tables of a new file, in one transaction.
    fn begin(&mut self) -> Result<(), StateError> {
        let mut schema = Schema::default();
        let connection = self.captured.connection();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.execute_batch(schema::SCHEMA)?;
        connection.execute_batch(store::SCHEMA)?;
        connection.execute_batch(BLOCK_SCHEMA)?;
        access::create(connection, &mut schema, &self.origin.genesis)?;
        let mut tree = Tree::default();
        let mut changes = Vec::new();
        for table in schema.tables() {
            let rows = TableRows::new(connection, table).all()?;
            let mut made = Vec::new();
            tree.set(table.id, Node::build(table.id, &rows, &mut made));
            changes.extend(made.into_iter().map(|b| (table.id, b.min.clone(), Some(b))));
        }
        store::write(connection, &mut self.cursor, &tree, 0, &changes)?;
        let root = tree.root(&schema);
        let executed = execution_root(self.origin.ledger, 0, root, Digest::ZERO, 0);
        connection.execute(
            "INSERT INTO hansa_block (height, time_ms, state_root, execution_root, outcomes)
             VALUES (0, ?1, ?2, ?3, x'00000000')",
            rusqlite::params![
                signed(self.origin.genesis.created_at_ms),
                &root.0[..],
                &executed.0[..]
            ],
        )?;
        connection.execute_batch("COMMIT")?;
        Ok(())
    }

    /// Reads everything into memory and checks the stored root.
    pub(crate) fn load(&mut self) -> Result<(), StateError> {
        self.schema = Schema::read(self.connection())?;
        let (buckets, cursor) = store::read(self.connection())?;
        self.tree = Tree::link(buckets);
        self.cursor = cursor;
        let (height, time_ms, root, executed): (i64, i64, Vec<u8>, Vec<u8>) =
            self.connection().query_row(
                "SELECT height, time_ms, state_root, execution_root FROM hansa_block
                 ORDER BY height DESC LIMIT 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?;
        self.state_root = digest(&root)?;
        self.executed = Executed { height: unsigned(height)?, root: digest(&executed)? };
        if self.tree.root(&self.schema) != self.state_root {
            return Err(StateError::Root);
        }
        self.history = History::read(self.connection(), self.executed.height)?;
        self.seen = self.read_seen(unsigned(time_ms)?)?;
        self.learn_tables();
        Ok(())
    }

    /// Ids of blocks that are young enough for one of them to be valid still.
    fn read_seen(&self, now_ms: u64) -> Result<HashMap<Digest, u64>, StateError> {
        let since = signed(now_ms.saturating_sub(limits::VALIDITY_MS_MAX));
        let mut statement = self
            .connection()
            .prepare("SELECT time_ms, outcomes FROM hansa_block WHERE time_ms >= ?1")?;
        let mut rows = statement.query([since])?;
        let mut seen = HashMap::new();
        while let Some(row) = rows.next()? {
            let until = unsigned(row.get(0)?)? + limits::VALIDITY_MS_MAX;
            let outcomes: Vec<(Digest, Outcome)> = decode(&row.get::<_, Vec<u8>>(1)?)?;
            for (id, outcome) in outcomes {
                if crate::execute::uses_up_id(&outcome) {
                    seen.insert(id, until);
                }
            }
        }
        Ok(seen)
    }

    pub(crate) fn learn_tables(&mut self) {
        self.checked.clear();
        // A statement from before is prepared again in the middle of its next run, with a few steps
        // more than on a node that has just started.
        self.connection().flush_prepared_statement_cache();
        self.captured.capture(|capture| capture.learn(self.schema.tables()));
    }

    /// A number that changes when another connection commits.
    pub(crate) fn read_data_version(&self) -> Result<i64, StateError> {
        let mut statement = self.connection().prepare_cached("PRAGMA data_version")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}

/// Turns off what a hostile statement or file could use.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    for (option, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(option, on)?;
    }
    Ok(())
}

fn add_block_functions(connection: &Connection, clock: &Arc<BlockClock>) -> rusqlite::Result<()> {
    use std::sync::atomic::Ordering::Relaxed;
    // Direct only: a constraint or index must not depend on the block.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let (height, time) = (clock.clone(), clock.clone());
    connection.create_scalar_function("block_height", 0, flags, move |_| {
        Ok(height.height.load(Relaxed))
    })?;
    connection
        .create_scalar_function("block_time_ms", 0, flags, move |_| Ok(time.time_ms.load(Relaxed)))
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1",
        [name],
        |row| row.get(0),
    )
}

pub(crate) fn digest(bytes: &[u8]) -> Result<Digest, StateError> {
    let bytes = bytes.try_into().map_err(|_| StateError::Stored("a digest has not 32 bytes"))?;
    Ok(Digest(bytes))
}
