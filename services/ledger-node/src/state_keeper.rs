//! The state on disk: executed with suspicion, built again when it is not what this node wrote.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use ledger_state::{BlockInput, ExecutedBlock, KeptBlock, Origin, Scrub, State, StateError};
use ledger_types::{Digest, Executed, Genesis, message::DecidedBlock};

use crate::{distrusted::put_aside, finding::Finding};

/// Times in a row that a state may be built again before the node gives up: the same blocks that
/// lead to another root twice show a fault that building again does not mend.
const REBUILDS_MAX: u32 = 3;
/// Attempts to move everything into the main file at the end, each a tenth of a second.
const FINISH_ATTEMPTS_MAX: u32 = 50;

/// The state and what is known to be wrong with it.
pub(crate) struct StateKeeper {
    path: PathBuf,
    genesis: Arc<Genesis>,
    /// Absent only while it is exchanged.
    state: Option<State>,
    scrub: Scrub,
    /// It is being built from the blocks.
    rebuilding: bool,
    rebuilds: u32,
    found: Vec<Finding>,
}

/// Opens a state file, or begins one.
pub(crate) fn open(path: &Path, genesis: &Genesis) -> Result<State, StateError> {
    State::open(path, Origin::new(genesis))
}

impl StateKeeper {
    /// Takes over a state; `found` is what the start has found wrong with its file.
    pub(crate) fn new(state: State, genesis: Arc<Genesis>, found: Option<Finding>) -> Self {
        Self {
            path: state.path().to_owned(),
            genesis,
            state: Some(state),
            scrub: Scrub::default(),
            rebuilding: found.is_some(),
            rebuilds: 0,
            found: found.into_iter().collect(),
        }
    }

    /// Where it is.
    pub(crate) fn executed(&self) -> Executed {
        self.state().executed()
    }

    fn state(&self) -> &State {
        self.state.as_ref().expect("it is absent only while it is exchanged")
    }

    /// Whether it is being built again.
    pub(crate) fn is_rebuilding(&self) -> bool {
        self.rebuilding
    }

    /// What was found since the last call.
    pub(crate) fn take_found(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.found)
    }

    /// It has come to the last block; whether that ends a repair.
    pub(crate) fn at_head(&mut self) -> bool {
        self.rebuilds = 0;
        std::mem::take(&mut self.rebuilding)
    }

    /// Executes the next block. `None`: the file was found wrong and is begun anew.
    pub(crate) fn execute(&mut self, decided: &DecidedBlock) -> Result<Option<ExecutedBlock>> {
        let header = &decided.block.header;
        // The header states what the validators have certified of the block before.
        let own = self.executed();
        if header.executed.height == own.height && header.executed != own {
            self.distrust(None, "its root is not the one that was certified")?;
            return Ok(None);
        }
        let transactions = &decided.block.transactions;
        let input = BlockInput { height: header.height, time_ms: header.time_ms, transactions };
        let state = self.state.as_mut().expect("it is absent only while it is exchanged");
        match state.execute(&input) {
            Ok(done) => Ok(Some(done)),
            Err(error) => self.judge(error).map(|()| None),
        }
    }

    /// What became of a block's transactions; `certified` is the root that the next header states, if
    /// there is one. A record that does not lead there is not what this node wrote.
    pub(crate) fn outcomes(
        &mut self,
        height: u64,
        certified: Option<Digest>,
    ) -> Result<Option<KeptBlock>> {
        let own = self.executed();
        let certified = certified.or((own.height == height).then_some(own.root));
        match self.state().outcomes(height) {
            Ok(Some(kept)) if certified.is_some_and(|root| root != kept.execution_root) => {
                let detail = format!("the outcomes of height {height} do not give its root");
                self.distrust(None, &detail).map(|()| None)
            }
            Ok(kept) => Ok(kept),
            Err(error) => self.judge(error).map(|()| None),
        }
    }

    /// Moves the write-ahead file into the main one; whether all of it could be.
    pub(crate) fn checkpoint(&mut self) -> Result<bool> {
        match self.state().checkpoint() {
            Ok(whole) => Ok(whole),
            Err(error) => self.judge(error).map(|()| true),
        }
    }

    /// Compares about `rows` rows with the tree; whether that ended a tour. Nothing while the state
    /// is being built.
    pub(crate) fn patrol(&mut self, rows: u64) -> Result<bool> {
        if self.rebuilding {
            return Ok(false);
        }
        let state = self.state.as_ref().expect("it is absent only while it is exchanged");
        match self.scrub.step(state, rows) {
            Ok(report) => Ok(report.finished),
            Err(error) => self.judge(error).map(|()| false),
        }
    }

    /// As [`StateKeeper::patrol`], all of it from the beginning.
    pub(crate) fn patrol_everything(&mut self) -> Result<()> {
        self.scrub = Scrub::default();
        self.patrol(u64::MAX).map(|_| ())
    }

    /// The machine's failure ends the node; everything else is the file's fault.
    fn judge(&mut self, error: StateError) -> Result<()> {
        if error.is_machine_failure() {
            return Err(error.into());
        }
        let table = match &error {
            StateError::Tampered { table, .. } => Some(table.clone()),
            _ => None,
        };
        self.distrust(table, &error.to_string())
    }

    /// Keeps the file as evidence and begins anew from the genesis.
    pub(crate) fn distrust(&mut self, table: Option<String>, detail: &str) -> Result<()> {
        let height = self.executed().height;
        self.rebuilds += 1;
        anyhow::ensure!(
            self.rebuilds <= REBUILDS_MAX,
            "the state was built again {REBUILDS_MAX} times and is still wrong: {detail}"
        );
        // The open file is let go before its name is given away.
        if let Some(Err(error)) = self.state.take().map(State::abandon) {
            tracing::warn!("the distrusted state did not close as it was: {error}");
        }
        let kept = put_aside(&self.path, height)?;
        self.state = Some(open(&self.path, &self.genesis).context("beginning the state anew")?);
        self.scrub = Scrub::default();
        self.rebuilding = true;
        let (detail, kept) = (detail.to_owned(), Some(kept));
        self.found.push(Finding::State { table, height, detail, kept });
        Ok(())
    }

    /// Ends in order.
    pub(crate) fn finish(mut self) -> Result<()> {
        // Queries that still run keep a part of the write-ahead file; they are bounded.
        for _ in 0..FINISH_ATTEMPTS_MAX {
            if self.checkpoint()? {
                break;
            }
        }
        fs::File::open(&self.path)?.sync_all()?;
        Ok(())
    }
}
