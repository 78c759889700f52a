//! Runs a block: one SQLite transaction, one savepoint for each of its transactions.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use ledger_types::{
    Digest, Executed, Outcome, Reason, Transaction, codec::encode, limits, merkle_root,
    outcome::execution_root,
};
use rusqlite::params;

use crate::{
    error::StateError,
    meter::{MEMBER_WORK_MAX, STEPS_UNIT, WORK_MAX},
    row::TableRows,
    state::State,
    tree::{ApplyError, BucketChange, Mismatch, store},
};

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
pub(crate) type Member = Option<u32>;

/// What each member's transactions of this block have worked so far.
#[derive(Debug, Default)]
pub(crate) struct Worked(HashMap<Member, u64>);

impl Worked {
    pub(crate) fn add(&mut self, member: Member, work: u64) {
        let sum = self.0.entry(member).or_default();
        *sum = sum.saturating_add(work);
    }

    pub(crate) fn is_used_up(&self, member: Member) -> bool {
        self.0.get(&member).is_some_and(|work| *work >= MEMBER_WORK_MAX)
    }
}

/// Why a block's run ends early.
pub(crate) enum Interrupted {
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

    /// Brings the tree in line with the rows that were touched since the last time.
    pub(crate) fn apply_touched(
        &mut self,
        changes: &mut Vec<BucketChange>,
    ) -> Result<(), StateError> {
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

pub(crate) fn tampered(table: &str, mismatch: &Mismatch) -> StateError {
    let hex = |key: &crate::tree::key::Key| {
        key.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (from, to) = (hex(&mismatch.min), hex(&mismatch.max));
    StateError::Tampered { table: table.to_owned(), from, to }
}
