//! Runs a block: one SQLite transaction, one savepoint for each of its transactions.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use ledger_types::{
    Digest, Executed, Outcome, Payload, Reason, Roles, Statement, Transaction, codec::encode,
    limits, merkle_root, outcome::execution_root,
};
use rusqlite::{StatementStatus, limits::Limit, params};

use crate::{
    access,
    error::StateError,
    meter::{MEMBER_WORK_MAX, Meter, STEPS_UNIT, Size, WORK_MAX},
    refusal::{StatementError, bounded, refusal_of, refused, too_much},
    row::{TableRows, bind, size},
    schema::Table,
    sql::{self, Action, Checked, Refusal},
    state::State,
    tree::{ApplyError, BucketChange, Mismatch, node::Node, store},
};

/// Row changes of one transaction at most. Consensus-critical.
const CHANGES_MAX: u64 = 100_000;
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

/// The number of a signer's member; none for a key without a role.
type Member = Option<u32>;

/// What each member's transactions of this block have worked so far.
#[derive(Debug, Default)]
struct Worked(HashMap<Member, u64>);

impl Worked {
    fn add(&mut self, member: Member, work: u64) {
        let sum = self.0.entry(member).or_default();
        *sum = sum.saturating_add(work);
    }

    fn is_used_up(&self, member: Member) -> bool {
        self.0.get(&member).is_some_and(|work| *work >= MEMBER_WORK_MAX)
    }
}

/// One transaction of statements while it runs.
struct Run<'a> {
    place: usize,
    statements: &'a [Statement],
    member: Member,
    roles: Roles,
    size: Size,
    /// Done so far.
    work: u64,
    schema_changed: bool,
}

impl Run<'_> {
    /// The refusal of one of the statements.
    fn refused(at: usize, reason: Reason, detail: String) -> Outcome {
        let statement = Some(u16::try_from(at).expect("statements are bounded"));
        Outcome::Refused { reason, statement, position: None, detail: bounded(detail) }
    }
}

/// Why a block's run ends early.
enum Interrupted {
    /// A transaction hit a limit, and SQLite took the whole block back with it.
    Limit {
        place: usize,
        member: Member,
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
                Err(Interrupted::Limit { place, member, outcome }) => {
                    if !self.connection().is_autocommit() {
                        self.connection().execute_batch("ROLLBACK")?;
                    }
                    self.load()?;
                    over_limit.insert(place, (member, outcome));
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
        over_limit: &BTreeMap<usize, (Member, Outcome)>,
    ) -> Result<ExecutedBlock, Interrupted> {
        if self.read_data_version()? != self.data_version {
            return Err(StateError::ForeignWrite.into());
        }
        self.clock.height.store(store::signed(block.height), Relaxed);
        self.clock.time_ms.store(store::signed(block.time_ms), Relaxed);
        self.captured.capture(crate::capture::Capture::begin_block);
        self.connection().prepare_cached("BEGIN IMMEDIATE")?.execute([])?;

        let mut changes: Vec<BucketChange> = Vec::new();
        let mut worked = Worked::default();
        let mut outcomes = Vec::with_capacity(block.transactions.len());
        for (place, transaction) in block.transactions.iter().enumerate() {
            let outcome = match over_limit.get(&place) {
                Some((member, outcome)) => {
                    worked.add(*member, WORK_MAX);
                    outcome.clone()
                }
                None => self.transaction(block, place, transaction, &mut changes, &mut worked)?,
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
        worked: &mut Worked,
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
        let signer = access::find(self.connection(), &body.signer)?;
        let member = signer.map(|(member, _)| member);
        if worked.is_used_up(member) {
            let text = "other transactions of the same member took all of its work in this block";
            return Ok(refused(Reason::Limit, text));
        }
        self.captured.capture(crate::capture::Capture::begin_transaction);
        self.connection().prepare_cached("SAVEPOINT hansa")?.execute([])?;
        let mut schema_changed = false;
        let mut outcome = match &body.payload {
            Payload::Sql(statements) => {
                let roles = signer.map_or(Roles::NONE, |(_, roles)| roles);
                let parameters = statements.iter().flat_map(|statement| &statement.parameters);
                let size = Size::for_value(parameters.map(size).max().unwrap_or(0));
                let mut run =
                    Run { place, statements, member, roles, size, work: 0, schema_changed };
                let outcome = self.statements(&mut run, changes)?;
                worked.add(member, run.work);
                schema_changed = run.schema_changed;
                outcome
            }
            Payload::Access(wanted) => match signer {
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
            return Err(Interrupted::Limit { place, member, outcome });
        }
        Ok(outcome)
    }

    /// Runs the statements over short values, and again over longer ones when they have to be.
    fn statements(
        &mut self,
        run: &mut Run<'_>,
        changes: &mut Vec<BucketChange>,
    ) -> Result<Outcome, Interrupted> {
        loop {
            let (at, error) = match self.each_statement(run, changes) {
                Ok(outcome) => return Ok(outcome),
                Err(ended) => ended,
            };
            match (error, run.size.next()) {
                (StatementError::TooBig(_), Some(next)) if !run.schema_changed => {
                    self.connection().prepare_cached("ROLLBACK TO hansa")?.execute([])?;
                    self.captured.capture(crate::capture::Capture::begin_transaction);
                    run.size = next;
                }
                (StatementError::Refused(reason, detail), _) => {
                    return Ok(Run::refused(at, reason, detail));
                }
                (StatementError::TooBig(detail), _) => {
                    return Ok(Run::refused(at, Reason::Limit, detail));
                }
                (StatementError::Limit(detail), _) => {
                    let outcome = Run::refused(at, Reason::Limit, detail);
                    let (place, member) = (run.place, run.member);
                    return Err(Interrupted::Limit { place, member, outcome });
                }
                (StatementError::Failed(error), _) => return Err(Interrupted::Failed(error)),
            }
        }
    }

    /// The outcome, or the statement that ended it and why.
    fn each_statement(
        &mut self,
        run: &mut Run<'_>,
        changes: &mut Vec<BucketChange>,
    ) -> Result<Outcome, (usize, StatementError)> {
        let mut counts = Vec::with_capacity(run.statements.len());
        let before = run.work;
        for (at, statement) in run.statements.iter().enumerate() {
            let checked = match self.checked(&statement.sql) {
                Ok(checked) => checked,
                Err(Refusal { reason, detail, location }) => {
                    let refusal = Refusal { reason, detail: String::new(), location };
                    let position = refusal.position(&statement.sql);
                    let statement = Some(u16::try_from(at).expect("statements are bounded"));
                    let detail = bounded(detail);
                    return Ok(Outcome::Refused { reason, statement, position, detail });
                }
            };
            let needed = if checked.action.changes_schema() { Roles::SCHEMA } else { Roles::WRITE };
            if !run.roles.contains(needed) {
                let name = if needed == Roles::SCHEMA { "schema" } else { "write" };
                let detail = format!("the key lacks the role {name}");
                return Ok(Run::refused(at, Reason::NotPermitted, detail));
            }
            if checked.longest_literal > run.size.bytes() {
                return Err((at, StatementError::TooBig("a literal is too long".to_owned())));
            }
            let left = WORK_MAX.saturating_sub(run.work - before);
            match self.statement(&checked, statement, left, run, changes) {
                Ok(count) => counts.push(count),
                Err(error) => return Err((at, error)),
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
        left: u64,
        run: &mut Run<'_>,
        changes: &mut Vec<BucketChange>,
    ) -> Result<u64, StatementError> {
        if matches!(checked.action, Action::Nothing) {
            return Ok(0);
        }
        if let Action::DropColumn(table) = &checked.action {
            let rows = self.tree.table(table.id).map_or(0, Node::count);
            if rows > DROP_COLUMN_ROWS_MAX {
                let text = format!("the table has more than {DROP_COLUMN_ROWS_MAX} rows");
                return Err(StatementError::Refused(Reason::Limit, text));
            }
        }
        if checked.action.changes_schema() {
            // Once the schema is another one, the transaction cannot begin again over longer values.
            run.schema_changed = true;
            run.size = Size::LARGEST;
            // Rows touched so far belong to the tables as they are now.
            self.apply_touched(changes).map_err(StatementError::Failed)?;
            self.captured.capture(crate::capture::Capture::end_history);
        }
        self.gate.for_schema(checked.action.changes_schema());
        let ran = self.run_sql(checked, statement, left, run);
        self.gate.for_schema(false);
        let count = ran?;
        self.follow(&checked.action, changes).map_err(StatementError::Failed)?;
        Ok(if checked.action.changes_schema() { 0 } else { count })
    }

    fn run_sql(
        &self,
        checked: &Checked,
        statement: &Statement,
        left: u64,
        run: &mut Run<'_>,
    ) -> Result<u64, StatementError> {
        let limit = i32::try_from(run.size.bytes()).expect("a small constant");
        let before = self.connection().set_limit(Limit::SQLITE_LIMIT_LENGTH, limit);
        let before = before.map_err(|error| StatementError::Failed(error.into()))?;
        let ran = self.run_limited(checked, statement, left, run);
        let after = self.connection().set_limit(Limit::SQLITE_LIMIT_LENGTH, before);
        after.map_err(|error| StatementError::Failed(error.into()))?;
        ran
    }

    fn run_limited(
        &self,
        checked: &Checked,
        statement: &Statement,
        left: u64,
        run: &mut Run<'_>,
    ) -> Result<u64, StatementError> {
        let mut prepared = match self.connection().prepare_cached(&checked.sql) {
            Ok(prepared) => prepared,
            Err(error) => return Err(refusal_of(error)),
        };
        if prepared.parameter_count() != statement.parameters.len() {
            let text = format!(
                "the statement has {} parameters, {} were given",
                prepared.parameter_count(),
                statement.parameters.len()
            );
            return Err(StatementError::Refused(Reason::Parameter, text));
        }
        for (at, value) in statement.parameters.iter().enumerate() {
            if let Err(error) = bind(&mut prepared, at + 1, value) {
                return Err(refusal_of(error));
            }
        }
        let step = if checked.action.changes_schema() {
            self.meter.begin_schema(left);
            Meter::SCHEMA_STEP
        } else {
            self.meter.begin(left, run.size);
            run.size
        };
        prepared.reset_status(StatementStatus::VmStep);
        let result = prepared.raw_execute();
        let compared = self.meter.end();
        let steps = u64::try_from(prepared.get_status(StatementStatus::VmStep)).unwrap_or(u64::MAX);
        let work = step.work(steps).saturating_add(compared);
        run.work = run.work.saturating_add(work);
        let is_too_much = work > left || self.captured.capture(|c| c.is_too_much());
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

    /// Ends a statement that works or changes too much.
    pub(crate) fn watch_progress(&self) -> Result<(), StateError> {
        let (meter, captured) = (self.meter.clone(), self.captured.watch());
        let unit = i32::try_from(STEPS_UNIT).expect("a small constant");
        self.connection().progress_handler(
            unit,
            Some(move || meter.tick() || captured.capture(|c| c.is_too_much())),
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
