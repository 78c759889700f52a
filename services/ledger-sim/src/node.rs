//! One simulated node: the production replica, logs and state, and the shell between them.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use ledger_consensus::{
    Config, Engine, Replica, ReplicaConfig, Restored, Rules, Timing,
    replica::{Entry, Tail},
};
use ledger_state::{BlockInput, ExecutedBlock, Origin, State};
use ledger_storage::{
    BlockLog, BlockLogOptions, Disk as _, Found, SimulatedDisk, StatePlan, VoteLog, VoteLogState,
    recover,
};
use ledger_types::{Genesis, Message, SigningKey, ValidatorIndex, codec, message::DecidedBlock};

/// Small segments, so that runs cross them.
const SEGMENT_BYTES: u64 = 16 * 1024;
/// Blocks sent to a late peer at once.
const BLOCKS_SENT_MAX: u64 = 64;

/// What a crash takes away.
pub(crate) struct Running {
    pub(crate) replica: Replica,
    pub(crate) blocks: BlockLog<SimulatedDisk>,
    pub(crate) votes: VoteLog<SimulatedDisk>,
    pub(crate) state: State,
}

/// A node and what survives its crashes.
pub(crate) struct Node {
    pub(crate) index: ValidatorIndex,
    pub(crate) key: Arc<SigningKey>,
    genesis: Genesis,
    rules: Rules,
    block_disk: SimulatedDisk,
    vote_disk: SimulatedDisk,
    state_path: PathBuf,
    /// Counts starts: events of an earlier life are nobody's.
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
            life: 0,
            running: None,
        }
    }

    /// Starts from what the disks hold, exactly as a real node does.
    pub(crate) fn start(&mut self, now_ms: u64, trust_state: bool) -> Result<()> {
        self.life += 1;
        let ledger = self.genesis.ledger();
        let options = BlockLogOptions { segment_bytes: SEGMENT_BYTES };
        let blocks = BlockLog::open(self.block_disk.clone(), ledger, options)?;
        ensure!(
            blocks.corruptions().is_empty(),
            "a crash made corruption: {:?}",
            blocks.corruptions()
        );
        let (votes, vote_state) = VoteLog::open(self.vote_disk.clone(), ledger)?;
        let opened = self.state_path.exists().then(|| self.open_state()).transpose()?;
        let found = Found {
            whole_to: blocks.whole_to(),
            last: blocks.head(),
            votes: (&vote_state).into(),
            executed: opened.as_ref().map(|state| state.executed().height),
            trustworthy: trust_state,
        };
        let plan = recover(&found);
        let mut state = match (plan.state, opened) {
            (StatePlan::Rebuild(_), opened) => {
                drop(opened);
                self.remove_state()?;
                self.open_state()?
            }
            (StatePlan::Keep | StatePlan::Replay { .. }, Some(state)) => state,
            (StatePlan::Keep | StatePlan::Replay { .. }, None) => self.open_state()?,
        };
        for height in state.executed().height + 1..=blocks.head() {
            execute(&mut state, &blocks.read(height)?)?;
        }
        let replica = self.replica(&blocks, &state, vote_state, plan.votes_intact, now_ms)?;
        self.running = Some(Running { replica, blocks, votes, state });
        Ok(())
    }

    fn open_state(&self) -> Result<State> {
        State::open(&self.state_path, Origin::new(&self.genesis)).context("opening the state")
    }

    fn remove_state(&self) -> Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            let path = format!("{}{suffix}", self.state_path.display());
            if fs::exists(&path)? {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
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
            VoteLogState::Intact(entries) => entries,
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

    /// The process ends, and the machine with it if `power_cut`; says whether SQLite's file may be
    /// trusted afterwards. A killed process leaves its appends to the kernel: the next one reads
    /// them, and only a later power cut shows which were never synced.
    pub(crate) fn crash(&mut self, power_cut: bool, lose_votes: bool) -> Result<bool> {
        self.running = None;
        self.life += 1;
        if power_cut {
            self.block_disk.crash();
            self.vote_disk.crash();
        }
        if lose_votes {
            for name in self.vote_disk.list()? {
                self.vote_disk.remove(&name)?;
            }
        }
        Ok(!power_cut)
    }

    /// Stored blocks for a late peer.
    pub(crate) fn blocks_for(&self, from: u64, until: u64) -> Option<Arc<Message>> {
        let running = self.running.as_ref()?;
        let until = until.min(from + BLOCKS_SENT_MAX);
        let blocks: Vec<DecidedBlock> =
            (from..=until).map_while(|height| running.blocks.read(height).ok()).collect();
        (!blocks.is_empty()).then(|| Arc::new(Message::Blocks(blocks)))
    }

    pub(crate) fn faults(&self) -> [ledger_storage::Faults; 2] {
        [self.block_disk.faults(), self.vote_disk.faults()]
    }
}

impl Running {
    /// Writes entries to the vote log; they are durable after its next sync.
    pub(crate) fn write_votes(&mut self, entries: &[Entry]) -> Result<()> {
        for entry in entries {
            self.votes.append(entry.height(), &codec::encode(entry))?;
        }
        Ok(())
    }

    /// Makes one appended block durable and executes it.
    pub(crate) fn commit(&mut self, decided: &DecidedBlock) -> Result<ExecutedBlock> {
        self.blocks.sync()?;
        self.votes.forget_below(decided.block.header.height + 1)?;
        execute(&mut self.state, decided)
    }
}

fn execute(state: &mut State, decided: &DecidedBlock) -> Result<ExecutedBlock> {
    let header = &decided.block.header;
    let transactions = &decided.block.transactions;
    let input = BlockInput { height: header.height, time_ms: header.time_ms, transactions };
    Ok(state.execute(&input)?)
}
