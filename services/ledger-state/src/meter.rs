//! How much work a statement may be, and how it is measured.
//!
//! Work is counted in bytes of values: each step of SQLite's virtual machine as the longest value that
//! it may handle, and what searching functions compare on top. So a transaction takes many steps over
//! short values or few over long ones, and both its time and the memory of its temporary tables are
//! bounded. All of it depends on the ledger's content alone: every node counts the same.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use ledger_types::limits;

/// Work of one transaction at most: about ten million steps over values of up to a kibibyte.
/// Consensus-critical, and tied to the version of SQLite.
pub(crate) const WORK_MAX: u64 = 10_000_000_000;
/// Work of a member's transactions in one block at most; those beyond it are refused unseen. One whose
/// work cannot be told, because SQLite was interrupted, counts as [`WORK_MAX`]. Consensus-critical.
pub(crate) const MEMBER_WORK_MAX: u64 = 4 * WORK_MAX;

/// SQLite calls the progress handler about every so many steps.
pub(crate) const STEPS_UNIT: u64 = 1_000;
/// By how many calls the handler may be ahead of a run's own steps, which are read after it. The parser
/// would move it too, but runs before: statements are forgotten with the schema they were prepared for.
const UNITS_AHEAD: u64 = 2;

/// The longest value and row, in bytes, that a transaction makes or reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(usize);

impl Size {
    /// Consensus-critical.
    const ALL: [usize; 4] = [1 << 10, 16 << 10, 128 << 10, limits::VALUE_BYTES_MAX];

    pub(crate) const LARGEST: Self = Self(Self::ALL[3]);

    /// The least that takes a value of so many bytes.
    pub(crate) fn for_value(bytes: usize) -> Self {
        Self::ALL.into_iter().find(|size| bytes <= *size).map_or(Self::LARGEST, Self)
    }

    /// The next larger one.
    pub(crate) fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|size| *size > self.0).map(Self)
    }

    pub(crate) const fn bytes(self) -> usize {
        self.0
    }

    /// Work of so many steps.
    pub(crate) const fn work(self, steps: u64) -> u64 {
        steps.saturating_mul(self.0 as u64)
    }
}

/// What the progress handler and the searching functions watch while a statement runs.
///
/// The handler's calls may differ between nodes. They only end what is certainly above the limit; what
/// counts is the statement's own number of steps.
#[derive(Debug)]
pub(crate) struct Meter {
    running: AtomicBool,
    units: AtomicU64,
    units_max: AtomicU64,
    compared: AtomicU64,
    compared_max: AtomicU64,
    value_bytes: AtomicUsize,
}

impl Default for Meter {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            running: AtomicBool::new(false),
            units: zero(),
            units_max: zero(),
            compared: zero(),
            compared_max: zero(),
            value_bytes: AtomicUsize::new(Size::LARGEST.bytes()),
        }
    }
}

impl Meter {
    /// A statement begins that may do so much work over values of that size.
    pub(crate) fn begin(&self, work: u64, size: Size) {
        let units = work / size.work(STEPS_UNIT) + UNITS_AHEAD;
        self.begin_query(units * STEPS_UNIT, work, size.bytes());
    }

    /// A statement begins that changes the schema. Each of its steps counts as one over short values: it
    /// goes through every row once. SQLite reads the schema again while it runs, and the parser's steps
    /// move the handler as well.
    pub(crate) fn begin_schema(&self, work: u64) {
        let units = work / Self::SCHEMA_STEP.work(STEPS_UNIT) + UNITS_AHEAD;
        self.begin_query(2 * units * STEPS_UNIT, work, Size::LARGEST.bytes());
    }

    /// What a step of a statement counts as that changes the schema.
    pub(crate) const SCHEMA_STEP: Size = Size(Size::ALL[0]);

    /// A query begins that may take so many steps, by the handler's count, and compare so many bytes.
    pub(crate) fn begin_query(&self, steps: u64, compared: u64, value_bytes: usize) {
        self.units.store(0, Relaxed);
        self.units_max.store(steps / STEPS_UNIT, Relaxed);
        self.compared.store(0, Relaxed);
        self.compared_max.store(compared, Relaxed);
        self.value_bytes.store(value_bytes, Relaxed);
        self.running.store(true, Relaxed);
    }

    /// It has ended; the bytes that its functions compared, or would have compared.
    pub(crate) fn end(&self) -> u64 {
        self.running.store(false, Relaxed);
        self.compared.load(Relaxed)
    }

    /// A call of the progress handler; whether the statement must end.
    pub(crate) fn tick(&self) -> bool {
        self.running.load(Relaxed)
            && self.units.fetch_add(1, Relaxed) + 1 > self.units_max.load(Relaxed)
    }

    /// A function is about to compare so many bytes; whether it may.
    pub(crate) fn may_compare(&self, bytes: u64) -> bool {
        if !self.running.load(Relaxed) {
            return true;
        }
        let before = self.compared.load(Relaxed);
        let after = before.saturating_add(bytes);
        self.compared.store(after, Relaxed);
        after <= self.compared_max.load(Relaxed)
    }

    /// The longest value that a function may make.
    pub(crate) fn value_bytes(&self) -> usize {
        self.value_bytes.load(Relaxed)
    }
}
