//! Runs a block: one SQLite transaction, one savepoint for each of its transactions.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use ledger_types::{
    Digest, Executed, Outcome, Payload, Reason, Roles, Statement, Transaction, codec::encode,
    limits, merkle_root, outcome::execution_root,
};
use rusqlite::{ErrorCode, StatementStatus, ffi, limits::Limit, params};

use crate::{
    access,
    error::StateError,
    row::{TableRows, bind},
    schema::Table,
    sql::{self, Action, Checked, Refusal},
    state::State,
    tree::{ApplyError, BucketChange, Mismatch, node::Node, store},
};

/// Row changes of one transaction at most. Consensus-critical.
const CHANGES_MAX: u64 = 100_000;
/// Virtual machine steps of one transaction at most.
/// Consensus-critical, and tied to the version of SQLite.
const STEPS_MAX: u64 = 20_000_000;
/// Steps by the progress handler's count from which the limit is certainly exceeded. That count may be
/// too high by one unit and the parser's steps (at most 64 units) for each of 256 statements.
const STEPS_CERTAIN: u64 = 2 * STEPS_MAX;
const STEPS_UNIT: i32 = 1_000;
/// Rows of a table whose column may still be dropped: all of them are rewritten in one block.
const DROP_COLUMN_ROWS_MAX: u64 = 100_000;
/// Checked statement texts kept.
const CHECKED_MAX: usize = 4_096;
/// Blocks whose outcomes are kept.
const OUTCOMES_KEPT: u64 = 100_000;

/// A decided block, as execution sees it.
#[derive(Clone, Copy, Debug)]
pub struct BlockInput<'a> {
    /// Its height.
    pub height: u64,
    /// Its time, Unix milliseconds: the only clock that transactions see.
    pub time_ms: u64,
    /// Its transactions in order, their signatures checked.
    pub transactions: &'a [Arc<Transaction>],
}

/// What a block did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// Height and execution root.
    pub executed: Executed,
    /// Root over all rows and the schema.
    pub state_root: Digest,
    /// What became of each transaction, in order.
    pub outcomes: Vec<Outcome>,
}

/// Whether an outcome is the one effect that its id may have. What was not let in (wrong window or
/// ledger, or a repetition) uses nothing up.
pub(crate) fn uses_up_id(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Applied { .. } => true,
        Outcome::Refused { reason, .. } => {
            !matches!(reason, Reason::Duplicate | Reason::NotInWindow | Reason::WrongLedger)
        }
    }
}

fn refused(reason: Reason, detail: impl Into<String>) -> Outcome {
    Outcome::Refused { reason, statement: None, position: None, detail: bounded(detail.into()) }
}

fn bounded(mut detail: String) -> String {
    while detail.len() > limits::DETAIL_BYTES_MAX {
        detail.pop();
    }
    detail
}

/// Why a block's run ends early.
enum Interrupted {
    /// A transaction hit a limit, and SQLite took the whole block back with it.
    Limit {
        place: usize,
        outcome: Outcome,
    },
    Failed(StateError),
}

impl<E: Into<StateError>> From<E> for Interrupted {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl State {
    /// Executes the next block and commits it.
    ///
    /// # Errors
    /// Anything but a transaction's own fault. After an error the state must be opened again, and
    /// after [`StateError::Tampered`] rebuilt.
    pub fn execute(&mut self, block: &BlockInput<'_>) -> Result<ExecutedBlock, StateError> {
        if self.failed {
            return Err(StateError::Failed);
        }
        if block.height != self.executed.height + 1 {
            let executed = self.executed.height;
            return Err(StateError::OutOfOrder { have: block.height, executed });
        }
        self.failed = true;
        let done = self.run_until_done(block)?;
        self.failed = false;
        Ok(done)
    }

    /// A transaction that hits a limit makes SQLite undo the whole block: then the block is run
    /// again with that transaction refused from the start. Every node does the same.
    fn run_until_done(&mut self, block: &BlockInput<'_>) -> Result<ExecutedBlock, StateError> {
        let mut over_limit = BTreeMap::new();
        loop {
            match self.run(block, &over_limit) {
                Ok(done) => return Ok(done),
                Err(Interrupted::Limit { place, outcome }) => {
                    if !self.connection().is_autocommit() {
                        self.connection().execute_batch("ROLLBACK")?;
                    }
                    self.load()?;
                    over_limit.insert(place, outcome);
                }
                Err(Interrupted::Failed(error)) => {
                    if !self.connection().is_autocommit() {
                        self.connection().execute_batch("ROLLBACK")?;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn run(
        &mut self,
        block: &BlockInput<'_>,
        over_limit: &BTreeMap<usize, Outcome>,
    ) -> Result<ExecutedBlock, Interrupted> {
        if self.read_data_version()? != self.data_version {
            return Err(StateError::ForeignWrite.into());
        }
        self.clock.height.store(store::signed(block.height), Relaxed);
        self.clock.time_ms.store(store::signed(block.time_ms), Relaxed);
        self.captured.capture(crate::capture::Capture::begin_block);
        self.connection().prepare_cached("BEGIN IMMEDIATE")?.execute([])?;

        let mut changes: Vec<BucketChange> = Vec::new();
        let mut outcomes = Vec::with_capacity(block.transactions.len());
        for (place, transaction) in block.transactions.iter().enumerate() {
            let outcome = match over_limit.get(&place) {
                Some(outcome) => outcome.clone(),
                None => self.transaction(block, place, transaction, &mut changes)?,
            };
            if uses_up_id(&outcome) {
                let until = block.time_ms + limits::VALIDITY_MS_MAX;
                self.seen.insert(transaction.id(), until);
            }
            outcomes.push((transaction.id(), outcome));
        }
        self.apply_touched(&mut changes)?;
        let done = self.finish(block, &changes, outcomes)?;
        self.connection().prepare_cached("COMMIT")?.execute([])?;
        self.executed = done.executed;
        self.state_root = done.state_root;
        self.forget_old_ids(block.time_ms);
        Ok(done)
    }

    fn transaction(
        &mut self,
        block: &BlockInput<'_>,
        place: usize,
        transaction: &Transaction,
        changes: &mut Vec<BucketChange>,
    ) -> Result<Outcome, Interrupted> {
        let body = transaction.body();
        if body.ledger != self.origin.ledger {
            return Ok(refused(Reason::WrongLedger, ""));
        }
        if block.time_ms < body.valid_from_ms || block.time_ms >= body.valid_until_ms {
            return Ok(refused(Reason::NotInWindow, ""));
        }
        if self.seen.contains_key(&transaction.id()) {
            return Ok(refused(Reason::Duplicate, ""));
        }
        self.captured.capture(crate::capture::Capture::begin_transaction);
        self.connection().prepare_cached("SAVEPOINT hansa")?.execute([])?;
        let mut schema_changed = false;
        let mut outcome = match &body.payload {
            Payload::Sql(statements) => {
                let signer = access::find(self.connection(), &body.signer)?;
                let roles = signer.map_or(Roles::NONE, |(_, roles)| roles);
                self.statements(place, statements, roles, changes, &mut schema_changed)?
            }
            Payload::Access(wanted) => match access::find(self.connection(), &body.signer)? {
                Some(signer) => access::change(self.connection(), signer, wanted, &body.signer)?,
                None => refused(Reason::NotPermitted, "the key has no role"),
            },
            Payload::Record { kind, body: text } => {
                let at = (block.height, u32::try_from(place).expect("blocks are bounded"));
                let keys = &self.origin.validators;
                access::record(self.connection(), at, *kind, text, &body.signer, keys)?
            }
        };
        let (fault, bad_key, rows) =
            self.captured.capture(|c| (c.fault(), c.has_bad_key(), c.changes()));
        if let Some(fault) = fault {
            return Err(StateError::Stored(fault).into());
        }
        if outcome.is_applied() && bad_key {
            outcome = refused(Reason::Limit, "a primary key has more than 255 encoded bytes");
        } else if outcome.is_applied() && rows > CHANGES_MAX {
            outcome = refused(Reason::Limit, format!("more than {CHANGES_MAX} rows changed"));
        }
        if !outcome.is_applied() {
            self.connection().prepare_cached("ROLLBACK TO hansa")?.execute([])?;
        }
        self.connection().prepare_cached("RELEASE hansa")?.execute([])?;
        if schema_changed && !outcome.is_applied() {
            // What the undone statements did to memory must go as well: run the block again
            // without this transaction.
            return Err(Interrupted::Limit { place, outcome });
        }
        Ok(outcome)
    }

    fn statements(
        &mut self,
        place: usize,
        statements: &[Statement],
        roles: Roles,
        changes: &mut Vec<BucketChange>,
        schema_changed: &mut bool,
    ) -> Result<Outcome, Interrupted> {
        let mut counts = Vec::with_capacity(statements.len());
        self.meter.calls.store(0, Relaxed);
        let mut steps = 0;
        for (at, statement) in statements.iter().enumerate() {
            let number = Some(u16::try_from(at).expect("statements are bounded"));
            let checked = match self.checked(&statement.sql) {
                Ok(checked) => checked,
                Err(Refusal { reason, detail, location }) => {
                    let refusal = Refusal { reason, detail: String::new(), location };
                    let position = refusal.position(&statement.sql);
                    let detail = bounded(detail);
                    return Ok(Outcome::Refused { reason, statement: number, position, detail });
                }
            };
            let needed = if checked.action.changes_schema() { Roles::SCHEMA } else { Roles::WRITE };
            if !roles.contains(needed) {
                let name = if needed == Roles::SCHEMA { "schema" } else { "write" };
                return Ok(Outcome::Refused {
                    reason: Reason::NotPermitted,
                    statement: number,
                    position: None,
                    detail: format!("the key lacks the role {name}"),
                });
            }
            match self.statement(&checked, statement, &mut steps, changes, schema_changed) {
                Ok(count) => counts.push(count),
                Err(StatementError::Refused(reason, detail)) => {
                    let (statement, position) = (number, None);
                    return Ok(Outcome::Refused {
                        reason,
                        statement,
                        position,
                        detail: bounded(detail),
                    });
                }
                Err(StatementError::Limit(detail)) => {
                    let reason = Reason::Limit;
                    let outcome =
                        Outcome::Refused { reason, statement: number, position: None, detail };
                    return Err(Interrupted::Limit { place, outcome });
                }
                Err(StatementError::Failed(error)) => return Err(Interrupted::Failed(error)),
            }
        }
        Ok(Outcome::Applied { changes: counts })
    }

    fn checked(&mut self, text: &str) -> Result<Arc<Checked>, Refusal> {
        if let Some(known) = self.checked.get(text) {
            return Ok(known.clone());
        }
        let checked = Arc::new(sql::check(text, &self.schema)?);
        if self.checked.len() >= CHECKED_MAX {
            self.checked.clear();
        }
        self.checked.insert(text.to_owned(), checked.clone());
        Ok(checked)
    }

    fn statement(
        &mut self,
        checked: &Checked,
        statement: &Statement,
        steps: &mut u64,
        changes: &mut Vec<BucketChange>,
        schema_changed: &mut bool,
    ) -> Result<u64, StatementError> {
        if matches!(checked.action, Action::Nothing) {
            return Ok(0);
        }
        *schema_changed |= checked.action.changes_schema();
        if let Action::DropColumn(table) = &checked.action {
            let rows = self.tree.table(table.id).map_or(0, Node::count);
            if rows > DROP_COLUMN_ROWS_MAX {
                let text = format!("the table has more than {DROP_COLUMN_ROWS_MAX} rows");
                return Err(StatementError::Refused(Reason::Limit, text));
            }
        }
        if checked.action.changes_schema() {
            // Rows touched so far belong to the tables as they are now.
            self.apply_touched(changes).map_err(StatementError::Failed)?;
            self.captured.capture(crate::capture::Capture::end_history);
        }
        self.gate.for_schema(checked.action.changes_schema());
        let ran = self.run_sql(&checked.sql, statement, steps);
        self.gate.for_schema(false);
        let count = ran?;
        self.follow(&checked.action, changes).map_err(StatementError::Failed)?;
        Ok(if checked.action.changes_schema() { 0 } else { count })
    }

    fn run_sql(
        &self,
        sql: &str,
        statement: &Statement,
        steps: &mut u64,
    ) -> Result<u64, StatementError> {
        let limit = i32::try_from(limits::VALUE_BYTES_MAX).expect("a small constant");
        let before = self.connection().set_limit(Limit::SQLITE_LIMIT_LENGTH, limit);
        let before = before.map_err(|error| StatementError::Failed(error.into()))?;
        let ran = self.run_limited(sql, statement, steps);
        let after = self.connection().set_limit(Limit::SQLITE_LIMIT_LENGTH, before);
        after.map_err(|error| StatementError::Failed(error.into()))?;
        ran
    }

    fn run_limited(
        &self,
        sql: &str,
        statement: &Statement,
        steps: &mut u64,
    ) -> Result<u64, StatementError> {
        let refuse = |reason, text: &str| Err(StatementError::Refused(reason, text.to_owned()));
        let mut prepared = match self.connection().prepare_cached(sql) {
            Ok(prepared) => prepared,
            Err(error) => return Err(refusal_of(error)),
        };
        if prepared.parameter_count() != statement.parameters.len() {
            let text = format!(
                "the statement has {} parameters, {} were given",
                prepared.parameter_count(),
                statement.parameters.len()
            );
            return refuse(Reason::Parameter, &text);
        }
        for (at, value) in statement.parameters.iter().enumerate() {
            if let Err(error) = bind(&mut prepared, at + 1, value) {
                return Err(refusal_of(error));
            }
        }
        prepared.reset_status(StatementStatus::VmStep);
        self.meter.running.store(true, Relaxed);
        let result = prepared.raw_execute();
        self.meter.running.store(false, Relaxed);
        *steps += u64::try_from(prepared.get_status(StatementStatus::VmStep)).unwrap_or(u64::MAX);
        let is_too_much = *steps > STEPS_MAX || self.captured.capture(|c| c.is_too_much());
        match result.map_err(refusal_of) {
            Err(StatementError::Failed(error)) => Err(StatementError::Failed(error)),
            // Whatever else is wrong with it: some nodes may have been interrupted before they saw it.
            Ok(_) | Err(_) if is_too_much => Err(too_much()),
            Ok(count) => Ok(count as u64),
            Err(refused) => Err(refused),
        }
    }

    /// Brings registry and tree in line with a statement that changed the schema.
    fn follow(
        &mut self,
        action: &Action,
        changes: &mut Vec<BucketChange>,
    ) -> Result<(), StateError> {
        let captured = &self.captured;
        let connection = captured.connection();
        match action {
            Action::Rows | Action::Nothing => return Ok(()),
            Action::CreateTable(table) => self.schema.put(connection, table.clone())?,
            Action::DropTable(id) => {
                self.schema.remove(connection, *id)?;
                forget_table(&mut self.tree, *id, changes);
                // Dropping deletes the rows one by one; they are no longer anybody's. What it did
                // to other tables through foreign keys stays noted.
                captured.capture(|c| c.forget_table(*id));
            }
            Action::AlterTable(table) => {
                self.schema.put(connection, table.clone())?;
                self.refresh_sql()?;
            }
            Action::DropColumn(table) => {
                self.schema.put(connection, table.clone())?;
                self.rebuild_table(table, changes)?;
                self.captured.capture(|c| c.forget_table(table.id));
            }
            Action::Index(id) => {
                if let Some(table) = self.schema.by_id(*id).cloned() {
                    self.schema.put(connection, (*table).clone())?;
                }
            }
        }
        self.learn_tables();
        Ok(())
    }

    /// A rename also changes the text of tables that refer to the renamed one.
    fn refresh_sql(&mut self) -> Result<(), StateError> {
        let tables: Vec<Arc<Table>> = self.schema.tables().cloned().collect();
        for table in tables {
            self.schema.put(self.captured.connection(), (*table).clone())?;
        }
        Ok(())
    }

    fn rebuild_table(
        &mut self,
        table: &Table,
        changes: &mut Vec<BucketChange>,
    ) -> Result<(), StateError> {
        forget_table(&mut self.tree, table.id, changes);
        let rows = TableRows::new(self.captured.connection(), table).all()?;
        let mut made = Vec::new();
        self.tree.set(table.id, Node::build(table.id, &rows, &mut made));
        changes.extend(made.into_iter().map(|b| (table.id, b.min.clone(), Some(b))));
        Ok(())
    }

    /// Brings the tree in line with the rows that were touched since the last time.
    fn apply_touched(&mut self, changes: &mut Vec<BucketChange>) -> Result<(), StateError> {
        let touched = self.captured.capture(crate::capture::Capture::take);
        for (id, keys) in touched {
            let Some(table) = self.schema.by_id(id).cloned() else { continue };
            let mut rows = TableRows::new(self.captured.connection(), &table);
            match self.tree.apply(id, &keys, &mut rows, changes) {
                Ok(()) => {}
                Err(ApplyError::Rows(error)) => return Err(error),
                Err(ApplyError::Mismatch(mismatch)) => {
                    return Err(tampered(&table.name, &mismatch));
                }
            }
        }
        Ok(())
    }

    fn finish(
        &mut self,
        block: &BlockInput<'_>,
        changes: &[BucketChange],
        outcomes: Vec<(Digest, Outcome)>,
    ) -> Result<ExecutedBlock, StateError> {
        let ledger = self.origin.ledger;
        let state_root = self.tree.root(&self.schema);
        let results = merkle_root(outcomes.iter().map(|(id, o)| o.leaf(ledger, *id)));
        let count = u32::try_from(outcomes.len()).expect("blocks are bounded");
        let root = execution_root(ledger, block.height, state_root, results, count);
        let connection = self.captured.connection();
        store::write(connection, &mut self.cursor, &self.tree, block.height, changes)?;
        // Taken out first: writing it runs the hook, which wants the capture for itself.
        let undo = self.captured.capture(crate::capture::Capture::take_undo);
        self.history.write(connection, block.height, &undo)?;
        connection
            .prepare_cached(
                "INSERT INTO hansa_block (height, time_ms, state_root, execution_root, outcomes)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                store::signed(block.height),
                store::signed(block.time_ms),
                &state_root.0[..],
                &root.0[..],
                encode(&outcomes)
            ])?;
        if block.height > OUTCOMES_KEPT {
            connection
                .prepare_cached("DELETE FROM hansa_block WHERE height = ?1")?
                .execute([store::signed(block.height - OUTCOMES_KEPT)])?;
        }
        let executed = Executed { height: block.height, root };
        let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        Ok(ExecutedBlock { executed, state_root, outcomes })
    }

    fn forget_old_ids(&mut self, now_ms: u64) {
        // Looking at all ids at every block would cost more than keeping them a little longer.
        if self.executed.height.is_multiple_of(256) {
            self.seen.retain(|_, until| *until > now_ms);
        }
    }

    /// Ends a statement that takes too many steps or changes too much.
    pub(crate) fn watch_progress(&self) -> Result<(), StateError> {
        let (meter, captured) = (self.meter.clone(), self.captured.watch());
        self.connection().progress_handler(
            STEPS_UNIT,
            Some(move || {
                if !meter.running.load(Relaxed) {
                    return false;
                }
                let units = meter.calls.fetch_add(1, Relaxed) + 1;
                units * u64::from(STEPS_UNIT.unsigned_abs()) > STEPS_CERTAIN
                    || captured.capture(|c| c.is_too_much())
            }),
        )?;
        Ok(())
    }
}

fn forget_table(tree: &mut crate::tree::Tree, id: u32, changes: &mut Vec<BucketChange>) {
    if let Some(node) = tree.take(id) {
        node.visit_from(None, &mut |bucket| {
            changes.push((id, bucket.min.clone(), None));
            true
        });
    }
}

pub(crate) fn tampered(table: &str, mismatch: &Mismatch) -> StateError {
    let hex = |key: &crate::tree::key::Key| {
        key.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (from, to) = (hex(&mismatch.min), hex(&mismatch.max));
    StateError::Tampered { table: table.to_owned(), from, to }
}

/// Why a statement has no effect.
enum StatementError {
    Refused(Reason, String),
    /// SQLite was interrupted and took the block back.
    Limit(String),
    Failed(StateError),
}

/// One text for both: which of them a node meets first is not the same everywhere.
fn too_much() -> StatementError {
    let bytes = limits::CHANGED_BYTES_MAX;
    StatementError::Limit(format!("more than {STEPS_MAX} steps, or {bytes} bytes of changed rows"))
}

/// What SQLite says of an expression that cannot be computed. Everything else with its general
/// error code is about names and structure. The phase in which an error comes does not count: a
/// statement that one node has prepared before is prepared again while it runs.
const EXPRESSION_ERRORS: [&str; 4] = [
    "integer overflow",
    "ESCAPE expression must be a single character",
    "LIKE or GLOB pattern too complex",
    "ORDER BY term out of range",
];

/// Sorts SQLite's errors: the transaction's own faults are outcomes, the machine's end the node.
fn refusal_of(error: rusqlite::Error) -> StatementError {
    let (failure, message) = match &error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            (*failure, message.clone().unwrap_or_default())
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => (*error, msg.clone()),
        rusqlite::Error::ExecuteReturnedResults => {
            return StatementError::Refused(Reason::NotAllowed, "RETURNING is not accepted".into());
        }
        _ => return StatementError::Failed(error.into()),
    };
    // The text after the colon names the constraint's table and columns.
    let named = message.split_once(": ").map_or(message.as_str(), |(_, name)| name).to_owned();
    let refuse = |reason| StatementError::Refused(reason, named.clone());
    match failure.code {
        ErrorCode::ConstraintViolation => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                refuse(Reason::Unique)
            }
            ffi::SQLITE_CONSTRAINT_ROWID => refuse(Reason::Unique),
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => refuse(Reason::ForeignKey),
            ffi::SQLITE_CONSTRAINT_CHECK => refuse(Reason::Check),
            ffi::SQLITE_CONSTRAINT_NOTNULL => refuse(Reason::NotNull),
            ffi::SQLITE_CONSTRAINT_DATATYPE => refuse(Reason::DataType),
            _ => refuse(Reason::Check),
        },
        ErrorCode::TypeMismatch => refuse(Reason::DataType),
        ErrorCode::TooBig => refuse(Reason::Limit),
        ErrorCode::ParameterOutOfRange => refuse(Reason::Parameter),
        ErrorCode::AuthorizationForStatementDenied => refuse(Reason::NotAllowed),
        ErrorCode::OperationInterrupted => too_much(),
        ErrorCode::Unknown if EXPRESSION_ERRORS.contains(&message.as_str()) => {
            StatementError::Refused(Reason::Arithmetic, message)
        }
        ErrorCode::Unknown => StatementError::Refused(Reason::Schema, message),
        _ => StatementError::Failed(error.into()),
    }
}
