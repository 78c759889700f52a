//! A validator around the engine: waiting transactions, sealed batches, blocks in order, and
//! fetching what was missed. Like the engine it does no IO: events in, effects out.
//!
//! Whoever votes for a block keeps its transactions on disk first: a block that may be decided must
//! not vanish with the memory of the nodes that voted for it.
//!
//! A transaction goes: verified by the shell → sealed into a batch by the node that took it → sent
//! once to all → named by a proposal → decided → stored and executed by the shell, in order.

mod blocks;
mod exchange;
mod journal;
mod mempool;
mod proposals;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ledger_types::{
    Batch, BatchRef, BlockHeader, Certificate, Digest, Executed, Message, Transaction,
    ValidatorIndex,
    message::{DecidedBlock, Head},
};

use crate::{
    command::{Command, HaltReason, Timer},
    config::Config,
    engine::Engine,
    evidence::Evidence,
    input::Input,
    record::Restored,
};
pub use journal::{Entry, Payload};
use mempool::Mempool;

/// Heights whose batches and headers are kept for peers that are a little late.
const RECENT_HEIGHTS: u64 = 64;
/// How often missing things are asked for again, and own batches sent again, in milliseconds.
const RETRY_MS: u64 = 300;
/// Between two heads of this node.
const HEAD_MS: u64 = 1_000;

/// Sizes and pace.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaConfig {
    /// Transactions of a block at most.
    pub block_transactions: usize,
    /// Transactions that wait or are being ordered, at most; above it the node is busy.
    pub waiting_max: usize,
    /// Shortest time between two proposals of full pace, in milliseconds.
    pub propose_every_ms: u64,
    /// A last block with fewer transactions than this is followed by the next at once.
    pub small_block: usize,
    /// This many waiting transactions are proposed at once.
    pub enough: usize,
}

impl Default for ReplicaConfig {
    fn default() -> Self {
        Self {
            block_transactions: 4_000,
            waiting_max: 20_000,
            propose_every_ms: 20,
            small_block: 20,
            enough: 2_000,
        }
    }
}

/// What the shell tells the replica.
#[derive(Clone, Debug)]
pub enum Event {
    /// A client's transactions, their signatures checked.
    Submit(Vec<Arc<Transaction>>),
    /// From an authenticated peer.
    Message {
        /// Who.
        from: ValidatorIndex,
        /// What.
        message: Message,
    },
    /// The answer to [`Effect::VerifyBatch`].
    BatchVerified {
        /// The batch.
        batch: Arc<Batch>,
        /// Whether every signature in it holds.
        valid: bool,
    },
    /// The entries of [`Effect::Save`] are on disk.
    Saved {
        /// Which.
        token: u64,
    },
    /// The block of [`Effect::Commit`] is stored, synced and executed.
    Executed(Executed),
    /// An engine timer.
    Timer(Timer),
    /// Some time has passed: call it every 10 ms or so while anything waits, and every second.
    Tick,
    /// A connection to a peer is up.
    Connected(ValidatorIndex),
}

/// What the replica asks of the shell, in this order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append to the vote log in order and sync, then [`Event::Saved`].
    Save {
        /// The entries, all of one height.
        entries: Vec<Entry>,
        /// For the answer.
        token: u64,
    },
    /// To one peer.
    Send {
        /// The peer.
        to: ValidatorIndex,
        /// What.
        message: Arc<Message>,
    },
    /// To all peers.
    Broadcast(Arc<Message>),
    /// Wake the replica with [`Event::Timer`] at a time.
    SetTimer {
        /// Which.
        timer: Timer,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// Check a peer's batch, then [`Event::BatchVerified`].
    VerifyBatch(Arc<Batch>),
    /// Store, sync and execute the next decided block, then [`Event::Executed`].
    Commit(DecidedBlock),
    /// Send stored blocks `from..=to`, as many as fit a frame, to a peer.
    SendBlocks {
        /// The peer.
        to: ValidatorIndex,
        /// First height.
        from: u64,
        /// Last height.
        until: u64,
    },
    /// The validators certified another execution root than this node's: it is wrong and has
    /// stopped voting.
    Diverged {
        /// What was certified.
        certified: Executed,
        /// What this node has.
        own: Executed,
    },
    /// Somebody cheated.
    Report(Box<Evidence>),
    /// The node must stop.
    Halt(HaltReason),
}

/// A decision whose transactions may still be missing.
#[derive(Clone, Debug)]
struct Decision {
    header: BlockHeader,
    batches: Vec<BatchRef>,
    certificate: Certificate,
    transactions: Option<Vec<Arc<Transaction>>>,
}

/// Where the chain ends that this node has.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    /// What it has executed.
    pub executed: Executed,
    /// Time of the last block, or of the genesis.
    pub time_ms: u64,
    /// Whether the last block had transactions: then its results are not certified yet.
    pub open: bool,
}

/// One validator without its disks and sockets.
#[derive(Debug)]
pub struct Replica {
    config: ReplicaConfig,
    consensus: Config,
    engine: Engine,
    mempool: Mempool,
    now_ms: u64,
    executed: Executed,
    /// Own execution roots of recent heights.
    roots: BTreeMap<u64, Digest>,
    last_time_ms: u64,
    last_proposed_ms: u64,
    last_count: usize,
    /// The last decided block had transactions whose results no header states yet.
    open: bool,
    building: Option<(u64, u32, Digest)>,
    /// Proposed blocks that wait for batches or for execution.
    validating: BTreeMap<Digest, (BlockHeader, Vec<BatchRef>)>,
    /// Decided blocks that are not committed yet, by height.
    decided: BTreeMap<u64, Decision>,
    /// The next height to commit.
    next_commit: u64,
    /// Recent decided blocks' headers and batches, for peers that ask.
    recent: BTreeMap<u64, (BlockHeader, Vec<BatchRef>)>,
    heads: BTreeMap<ValidatorIndex, Head>,
    /// Height up to which peers have decided more than this node.
    behind_to: u64,
    retry_at_ms: u64,
    head_at_ms: u64,
    diverged: bool,
    /// Blocks of the height in progress whose payload is in the vote log.
    journaled: BTreeSet<Digest>,
    /// Payloads of later heights, from before a restart.
    restored: Vec<Payload>,
    effects: Vec<Effect>,
}

impl Replica {
    /// A validator that goes on where its disks end.
    pub fn new(
        config: ReplicaConfig,
        consensus: Config,
        restored: Restored,
        payloads: Vec<Payload>,
        tail: Tail,
        now_ms: u64,
    ) -> Self {
        let engine = Engine::new(consensus.clone(), restored, now_ms);
        Self::around(config, consensus, engine, payloads, tail, now_ms)
    }

    /// A validator around a given engine, for simulations of broken ones.
    #[cfg(feature = "mutants")]
    pub fn with_engine(
        config: ReplicaConfig,
        consensus: Config,
        engine: Engine,
        payloads: Vec<Payload>,
        tail: Tail,
        now_ms: u64,
    ) -> Self {
        Self::around(config, consensus, engine, payloads, tail, now_ms)
    }

    fn around(
        config: ReplicaConfig,
        consensus: Config,
        engine: Engine,
        payloads: Vec<Payload>,
        tail: Tail,
        now_ms: u64,
    ) -> Self {
        let mut replica = Self {
            config,
            mempool: Mempool::new(consensus.ledger, consensus.own),
            next_commit: engine.height(),
            consensus,
            engine,
            now_ms,
            executed: tail.executed,
            roots: BTreeMap::from([(tail.executed.height, tail.executed.root)]),
            last_time_ms: tail.time_ms,
            last_proposed_ms: 0,
            last_count: 0,
            open: tail.open,
            building: None,
            validating: BTreeMap::new(),
            decided: BTreeMap::new(),
            recent: BTreeMap::new(),
            heads: BTreeMap::new(),
            behind_to: 0,
            retry_at_ms: 0,
            head_at_ms: 0,
            diverged: false,
            journaled: BTreeSet::new(),
            restored: payloads,
            effects: Vec::new(),
        };
        replica.recall();
        replica.obey();
        replica
    }

    /// Takes one event at a time given by the shell, Unix milliseconds.
    pub fn handle(&mut self, now_ms: u64, event: Event) {
        self.now_ms = now_ms;
        match event {
            Event::Submit(transactions) => self.submit(transactions),
            Event::Message { from, message } => self.on_message(from, message),
            Event::BatchVerified { batch, valid } => self.on_batch_verified(&batch, valid),
            Event::Saved { token } => self.tell(Input::Saved { token }),
            Event::Executed(executed) => self.on_executed(executed),
            Event::Timer(timer) => self.tell(Input::Timer(timer)),
            Event::Tick => self.on_tick(),
            Event::Connected(peer) => self.greet(peer),
        }
    }

    /// The effects since the last call, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// This node's index.
    pub fn own(&self) -> ValidatorIndex {
        self.consensus.own
    }

    /// What this node has executed.
    pub fn executed(&self) -> Executed {
        self.executed
    }

    /// Transactions that wait here.
    pub fn waiting(&self) -> usize {
        self.mempool.waiting()
    }

    /// Whether a client's transactions can be taken now.
    pub fn has_room(&self, transactions: usize) -> bool {
        self.mempool.waiting() + transactions <= self.config.waiting_max
    }

    /// The last head of each peer.
    pub fn heads(&self) -> impl Iterator<Item = &Head> {
        self.heads.values()
    }

    /// Whether this node has found its own state wrong and keeps silent.
    pub fn is_diverged(&self) -> bool {
        self.diverged
    }

    /// Stops voting until [`Replica::repaired`]: the shell has found this node's state wrong.
    pub fn withdraw(&mut self) {
        self.diverged = true;
        self.engine.withdraw();
    }

    /// The state is right again at `executed`: vote again.
    pub fn repaired(&mut self, executed: Executed) {
        self.diverged = false;
        self.executed = executed;
        self.roots.insert(executed.height, executed.root);
        self.engine.rejoin();
        self.obey();
        self.after_execution();
    }

    fn tell(&mut self, input: Input) {
        self.engine.handle(self.now_ms, input);
        self.obey();
    }

    /// Carries out what the engine wants.
    fn obey(&mut self) {
        for command in self.engine.take_commands() {
            match command {
                Command::Save { record, token } => {
                    let entries = self.journal(*record);
                    self.effects.push(Effect::Save { entries, token });
                }
                Command::Send { to, message } => {
                    let message = Arc::new(Message::Consensus(message));
                    self.effects.push(Effect::Send { to, message });
                }
                Command::Broadcast(message) => {
                    self.effects.push(Effect::Broadcast(Arc::new(Message::Consensus(message))));
                }
                Command::SetTimer { timer, at_ms } => {
                    self.effects.push(Effect::SetTimer { timer, at_ms });
                }
                Command::Build { height, round, parent } => {
                    self.building = Some((height, round, parent));
                    self.try_build();
                }
                Command::Validate { header, batches } => self.validate(header, batches),
                Command::FetchProposed { height, block } => {
                    let message = Arc::new(Message::FetchProposed { height, block });
                    self.effects.push(Effect::Broadcast(message));
                }
                Command::Decide { header, batches, certificate } => {
                    self.on_decided(header, batches, certificate, None);
                }
                Command::CatchUp { decided } => self.catch_up(decided),
                Command::Report(evidence) => self.effects.push(Effect::Report(evidence)),
                Command::Halt(reason) => self.effects.push(Effect::Halt(reason)),
            }
        }
    }

    fn on_tick(&mut self) {
        self.try_build();
        if is_due(self.now_ms, self.head_at_ms, HEAD_MS) {
            self.head_at_ms = self.now_ms + HEAD_MS;
            let head = Arc::new(self.head());
            self.effects.push(Effect::Broadcast(head));
        }
        if is_due(self.now_ms, self.retry_at_ms, RETRY_MS) {
            self.retry_at_ms = self.now_ms + RETRY_MS;
            self.retry();
        }
    }
}

/// Whether a time that was set at most `ahead` milliseconds ahead has come. Clocks are set back: what
/// then lies further ahead was set by the old one.
fn is_due(now_ms: u64, at_ms: u64, ahead: u64) -> bool {
    now_ms >= at_ms || at_ms - now_ms > ahead
}
