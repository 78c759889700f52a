//! One simulated node: the production replica, logs and state, and the shell between them.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use ledger_consensus::{
    Config, Engine, Replica, ReplicaConfig, Restored, Rules, Timing,
    replica::{Entry, Tail},
};
use ledger_state::{Origin, State};
use ledger_storage::{
    BlockLog, BlockLogOptions, Disk as _, Found, SimulatedDisk, StatePlan, VoteLog, VoteLogState,
    recover,
};
use ledger_types::{Genesis, Message, SigningKey, ValidatorIndex, codec, message::BlocksToSend};

use crate::{luck::Luck, running::Running};

/// Small segments, so that runs cross them.
const SEGMENT_BYTES: u64 = 16 * 1024;
/// Blocks sent to a late peer at once.
const BLOCKS_SENT_MAX: u64 = 64;
/// Changing calls after which a failing disk fails, at most.
const CALLS_BEFORE_FAILURE_MAX: u64 = 30;

/// A node and what survives its crashes.
pub(crate) struct Node {
    pub(crate) index: ValidatorIndex,
    pub(crate) key: Arc<SigningKey>,
    genesis: Genesis,
    rules: Rules,
    block_disk: SimulatedDisk,
    vote_disk: SimulatedDisk,
    state_path: PathBuf,
    /// Whether SQLite's file is as the last run left it: a power cut may have lost writes.
    trust_state: bool,
    /// Whether it has come up before.
    pub(crate) ran_before: bool,
    /// Whether its stored blocks may be broken other than by its own crashes.
    pub(crate) may_rot: bool,
    /// Whether somebody else may have written to its SQLite file.
    pub(crate) may_be_edited: bool,
    /// The highest block that it has told anybody to be stored and executed.
    pub(crate) acknowledged: u64,
    /// Counts starts and ends: events of an earlier life are nobody's.
    pub(crate) life: u64,
    pub(crate) running: Option<Running>,
}

impl Node {
    pub(crate) fn new(
        index: u16,
        key: Arc<SigningKey>,
        genesis: &Genesis,
        rules: Rules,
        seed: u64,
        state_path: PathBuf,
    ) -> Self {
        let disk = |salt: u64| SimulatedDisk::new(seed ^ (u64::from(index) << 8) ^ salt);
        Self {
            index: ValidatorIndex(index),
            key,
            genesis: genesis.clone(),
            rules,
            block_disk: disk(0xb10c),
            vote_disk: disk(0x707e),
            state_path,
            trust_state: true,
            ran_before: false,
            may_rot: false,
            may_be_edited: false,
            acknowledged: 0,
            life: 0,
            running: None,
        }
    }

    /// Starts from what the disks hold, exactly as a real node does.
    pub(crate) fn start(&mut self, now_ms: u64) -> Result<()> {
        self.life += 1;
        let ledger = self.genesis.ledger();
        let options = BlockLogOptions { segment_bytes: SEGMENT_BYTES };
        let blocks = BlockLog::open(self.block_disk.clone(), ledger, options)?;
        let damaged = blocks.damaged();
        if !self.may_rot {
            ensure!(damaged.is_empty(), "a crash made corruption: {damaged:?}");
            let (head, told) = (blocks.head(), self.acknowledged);
            ensure!(head >= told, "blocks end at {head}, height {told} was acknowledged");
        }
        let (mut votes, vote_state) = VoteLog::open(self.vote_disk.clone(), ledger)?;
        let opened = match self.state_path.exists().then(|| self.open_state()) {
            // What somebody edited need not open; it is built again.
            Some(Err(_)) if self.may_be_edited => None,
            opened => opened.transpose()?,
        };
        let found = Found {
            whole_to: blocks.whole_to(),
            last: blocks.head(),
            votes: (&vote_state).into(),
            executed: opened.as_ref().map(|state| state.executed().height),
            trustworthy: self.trust_state,
            ran_before: self.ran_before,
        };
        let plan = recover(&found);
        if !plan.votes_intact {
            votes.distrust()?;
        }
        let state = match (plan.state, opened) {
            (StatePlan::Rebuild(_), opened) => {
                drop(opened);
                self.lose_state()?;
                self.open_state()?
            }
            (StatePlan::Keep | StatePlan::Replay { .. }, Some(state)) => state,
            (StatePlan::Keep | StatePlan::Replay { .. }, None) => self.open_state()?,
        };
        let replica = self.replica(&blocks, &state, vote_state, plan.votes_intact, now_ms)?;
        let origin = Origin::new(&self.genesis);
        let mut running = Running::new(replica, blocks, votes, state, origin);
        damaged.iter().for_each(|file| running.suspect(file));
        (self.trust_state, self.ran_before) = (true, true);
        self.running = Some(running);
        Ok(())
    }

    fn open_state(&self) -> Result<State> {
        State::open(&self.state_path, Origin::new(&self.genesis)).context("opening the state")
    }

    fn replica(
        &self,
        blocks: &BlockLog<SimulatedDisk>,
        state: &State,
        votes: VoteLogState,
        log_intact: bool,
        now_ms: u64,
    ) -> Result<Replica> {
        let ledger = self.genesis.ledger();
        let head = blocks.head();
        let entries = match votes {
            VoteLogState::Intact(entries) | VoteLogState::Resumed { records: entries, .. } => {
                entries
            }
            VoteLogState::Fresh | VoteLogState::Damaged(_) => Vec::new(),
        };
        let entries = entries.iter().map(|(_, bytes)| codec::decode(bytes));
        let (records, payloads) = Entry::split(entries.collect::<Result<_, _>>()?, head + 1);
        let mut restored = Restored::fresh(self.genesis.digest());
        restored.records = records;
        restored.log_intact = log_intact;
        let mut tail =
            Tail { executed: state.executed(), time_ms: self.genesis.created_at_ms, open: false };
        if head > 0 {
            let last = blocks.read(head)?;
            let header = &last.block.header;
            restored.height = head + 1;
            restored.parent = header.digest(ledger);
            restored.last_proposer = header.proposer;
            restored.decision = Some(last.certificate.clone());
            tail.time_ms = header.time_ms;
            tail.open = header.transaction_count > 0;
        }
        let timing = Timing { round_ms: 400, round_ms_max: 5_000, resend_ms: 150 };
        let config = Config::from_genesis(&self.genesis, self.key.clone(), timing)
            .context("the genesis lists every simulated node")?;
        let engine = Engine::mutant(config.clone(), restored, now_ms, self.rules);
        Ok(Replica::with_engine(ReplicaConfig::default(), config, engine, payloads, tail, now_ms))
    }

    /// The process ends, and the machine with it if `power_cut`. A killed process leaves its
    /// appends to the kernel: the next one reads them, and only a later power cut shows which were
    /// never synced.
    pub(crate) fn crash(&mut self, power_cut: bool) {
        self.running = None;
        self.life += 1;
        if power_cut {
            self.block_disk.crash();
            self.vote_disk.crash();
            self.trust_state = false;
        }
    }

    /// Somebody deletes the vote log of a node that is down.
    pub(crate) fn lose_votes(&mut self) -> Result<()> {
        for name in self.vote_disk.list()? {
            self.vote_disk.remove(&name)?;
        }
        Ok(self.vote_disk.sync_directory()?)
    }

    /// Somebody deletes the SQLite file of a node that is down.
    pub(crate) fn lose_state(&self) -> Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            let path = format!("{}{suffix}", self.state_path.display());
            if fs::exists(&path)? {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// One of its disks will fail in the middle of what the node does, soon.
    pub(crate) fn fail_disk(&self, luck: &mut Luck) {
        let disk = if luck.percent(50) { &self.block_disk } else { &self.vote_disk };
        disk.fail_after(luck.below(CALLS_BEFORE_FAILURE_MAX));
    }

    pub(crate) fn make_room(&self) {
        self.block_disk.make_room();
        self.vote_disk.make_room();
    }

    /// Flips a bit of a stored block or of an index; whether there was one.
    pub(crate) fn rot(&self, luck: &mut Luck) -> Result<bool> {
        let names = self.block_disk.list()?;
        let stored: Vec<&String> =
            names.iter().filter(|n| !n.starts_with("corrupt-") && !n.ends_with(".tmp")).collect();
        if self.acknowledged == 0 || stored.is_empty() {
            return Ok(false);
        }
        let name = stored[luck.index(stored.len())];
        let len = self.block_disk.len(name)?;
        if len == 0 {
            return Ok(false);
        }
        self.block_disk.rot(name, luck.below(len), luck.below(8) as u8);
        Ok(true)
    }

    /// Changes a row as `sqlite3` on the command line would; whether there was one.
    pub(crate) fn edit_row(&self, luck: &mut Luck) -> bool {
        let Ok(other) = rusqlite::Connection::open(&self.state_path) else { return false };
        let edit = "UPDATE counter SET n = n + 1000 WHERE id = ?1";
        other.execute(edit, [i64::try_from(luck.below(16)).unwrap_or(0)]).is_ok_and(|rows| rows > 0)
    }

    /// Stored blocks for a late peer.
    pub(crate) fn blocks_for(&self, from: u64, until: u64) -> Option<Arc<Message>> {
        let running = self.running.as_ref()?;
        let until = until.min(from + BLOCKS_SENT_MAX);
        let mut blocks = BlocksToSend::default();
        for height in from..=until {
            let Ok(decided) = running.blocks.read(height) else { break };
            if !blocks.push(decided) {
                break;
            }
        }
        let blocks = blocks.into_blocks();
        (!blocks.is_empty()).then(|| Arc::new(Message::Blocks(blocks)))
    }

    pub(crate) fn disk_faults(&self) -> [ledger_storage::Faults; 2] {
        [self.block_disk.faults(), self.vote_disk.faults()]
    }

    /// The height that it is deciding; 0 while it is down.
    pub(crate) fn deciding(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| running.replica.engine().height())
    }

    /// What it has executed; 0 while it is down.
    pub(crate) fn executed(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| running.state().executed().height)
    }

    /// Up, with nothing to mend, and not silent for a reason of its own.
    pub(crate) fn is_well(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| !running.mending.is_needed() && !running.replica.is_diverged())
    }

    /// In one line, for a failure's message.
    pub(crate) fn described(&self) -> String {
        let Some(running) = &self.running else { return format!("  node {} is down", self.index) };
        let engine = running.replica.engine();
        format!(
            "  node {}: executed {}, deciding {} round {}, may vote {}, well {}, timeouts from \
             {:?}, waiting {}",
            self.index,
            self.executed(),
            engine.height(),
            engine.round(),
            engine.may_vote(),
            self.is_well(),
            engine.timeouts_in_round(),
            running.replica.waiting()
        )
    }
}
