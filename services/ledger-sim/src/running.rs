//! A node's process: what a crash takes away.

use anyhow::{Context as _, Result, ensure};
use ledger_consensus::{Replica, replica::Entry};
use ledger_state::{BlockInput, ExecutedBlock, Origin, Scrub, State, StateError};
use ledger_storage::{BlockLog, Scrubber, SimulatedDisk, StorageError, VoteLog};
use ledger_types::{codec, message::DecidedBlock};

use crate::mending::Mending;

/// Times in a row that a state is built again before the run is given up.
const REBUILDS_MAX: u32 = 3;

pub(crate) struct Running {
    pub(crate) replica: Replica,
    pub(crate) blocks: BlockLog<SimulatedDisk>,
    votes: VoteLog<SimulatedDisk>,
    /// Absent only while it is exchanged.
    state: Option<State>,
    origin: Origin,
    pub(crate) mending: Mending,
    /// Whether asking peers for blocks is planned already.
    pub(crate) asks: bool,
    /// Somebody has told this node to keep silent.
    pub(crate) resting: bool,
    /// Last height that is synced and may be executed.
    stored: u64,
    /// Last height whose execution the replica has heard of.
    pub(crate) told: u64,
    /// States built again.
    pub(crate) rebuilt: u64,
}

impl Running {
    pub(crate) fn new(
        replica: Replica,
        blocks: BlockLog<SimulatedDisk>,
        votes: VoteLog<SimulatedDisk>,
        state: State,
        origin: Origin,
    ) -> Self {
        let (stored, told) = (blocks.head(), state.executed().height);
        Self {
            replica,
            blocks,
            votes,
            state: Some(state),
            origin,
            mending: Mending::default(),
            asks: false,
            resting: false,
            stored,
            told,
            rebuilt: 0,
        }
    }

    pub(crate) fn state(&self) -> &State {
        self.state.as_ref().expect("it is absent only while it is exchanged")
    }

    /// Writes entries to the vote log; they are durable after [`Running::sync_votes`].
    pub(crate) fn write_votes(&mut self, entries: &[Entry]) -> Result<()> {
        for entry in entries {
            self.votes.append(entry.height(), &codec::encode(entry))?;
        }
        Ok(())
    }

    pub(crate) fn sync_votes(&mut self) -> Result<()> {
        Ok(self.votes.sync()?)
    }

    /// Makes appended blocks up to a height durable; the votes for them may go.
    pub(crate) fn store(&mut self, height: u64) -> Result<()> {
        self.blocks.sync()?;
        self.votes.forget_below(height + 1)?;
        self.stored = self.stored.max(height);
        Ok(())
    }

    /// Executes what is stored, as far as it can be read. A state that is found wrong is built
    /// again from the first block.
    pub(crate) fn execute_stored(&mut self) -> Result<Vec<(DecidedBlock, ExecutedBlock)>> {
        let (mut done, mut rebuilds) = (Vec::new(), 0);
        while self.state().executed().height < self.stored {
            let own = self.state().executed();
            let decided = match self.blocks.read(own.height + 1) {
                Ok(decided) => decided,
                Err(StorageError::Corrupt { file, .. }) => {
                    self.suspect(&file);
                    return Ok(done);
                }
                Err(StorageError::NoBlock(_)) => {
                    let damaged = self.blocks.damaged();
                    ensure!(!damaged.is_empty(), "no block {} in a whole log", own.height + 1);
                    damaged.iter().for_each(|file| self.suspect(file));
                    return Ok(done);
                }
                Err(error) => return Err(error.into()),
            };
            // The header states what the validators have certified of the block before.
            let certified = decided.block.header.executed;
            let outcome = if certified.height == own.height && certified != own {
                Err(StateError::Root)
            } else {
                self.execute(&decided)
            };
            match outcome {
                Ok(executed) => done.push((decided, executed)),
                Err(error) if error.is_machine_failure() => return Err(error.into()),
                Err(error) => {
                    rebuilds += 1;
                    ensure!(rebuilds <= REBUILDS_MAX, "built again and still wrong: {error}");
                    self.distrust()?;
                }
            }
        }
        Ok(done)
    }

    fn execute(&mut self, decided: &DecidedBlock) -> Result<ExecutedBlock, StateError> {
        let header = &decided.block.header;
        let transactions = &decided.block.transactions;
        let input = BlockInput { height: header.height, time_ms: header.time_ms, transactions };
        self.state.as_mut().expect("it is absent only while it is exchanged").execute(&input)
    }

    /// A file of the block log is broken: silent until it is mended.
    pub(crate) fn suspect(&mut self, file: &str) {
        self.mending.note(file);
        self.replica.withdraw();
    }

    /// The state is not what this node wrote: silent until it is built again.
    pub(crate) fn distrust(&mut self) -> Result<()> {
        self.replica.withdraw();
        self.rebuilt += 1;
        let path = self.state().path().to_owned();
        if let Some(state) = self.state.take() {
            // It may fail on what was done to its file; the file goes in any case.
            let _ = state.abandon();
        }
        for suffix in ["", "-wal", "-shm"] {
            let file = format!("{}{suffix}", path.display());
            if std::fs::exists(&file)? {
                std::fs::remove_file(&file)?;
            }
        }
        self.state = Some(State::open(&path, self.origin.clone()).context("beginning anew")?);
        Ok(())
    }

    /// Reads everything on disk again.
    pub(crate) fn patrol(&mut self) -> Result<()> {
        let rotten = Scrubber::whole_tour(&self.blocks)?;
        rotten.iter().for_each(|corruption| self.suspect(&corruption.file));
        match Scrub::whole_tour(self.state()) {
            Ok(_) => Ok(()),
            Err(error) if error.is_machine_failure() => Err(error.into()),
            Err(_) => self.distrust(),
        }
    }

    /// Votes again if nothing is wrong any more; whether it does so from now on.
    pub(crate) fn recover(&mut self) -> bool {
        let executed = self.state().executed();
        let well = !self.resting && !self.mending.is_needed() && executed.height == self.stored;
        let back = well && self.replica.is_diverged();
        if back {
            self.replica.repaired(executed);
        }
        back
    }
}
