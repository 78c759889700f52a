//! Runs one transaction: its statements in a savepoint, over values no longer than they need.

use std::sync::Arc;

use ledger_types::{Outcome, Payload, Reason, Roles, Statement, Transaction};
use rusqlite::{StatementStatus, limits::Limit};

use crate::{
    access,
    error::StateError,
    execute::{BlockInput, Interrupted, Member, Worked},
    meter::{Meter, Size, WORK_MAX},
    refusal::{StatementError, bounded, refusal_of, refused, too_much},
    row::{bind, size},
    sql::{self, Action, Checked, Refusal},
    state::State,
    tree::{BucketChange, node::Node},
};

/// Row changes of one transaction at most. Consensus-critical.
const CHANGES_MAX: u64 = 100_000;
/// Rows of a table whose column may still be dropped: all of them are rewritten in one block.
const DROP_COLUMN_ROWS_MAX: u64 = 100_000;
/// Checked statement texts kept.
const CHECKED_MAX: usize = 4_096;

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

impl State {
    pub(crate) fn transaction(
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
        // Access may always change: it is how a member stops a key that takes its work.
        if matches!(body.payload, Payload::Sql(_)) && worked.is_used_up(member) {
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
}
