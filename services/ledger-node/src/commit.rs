//! The commit thread: decided blocks become durable and take effect, in order; what lies on disk is
//! looked at again and again, and mended.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use ledger_storage::Scrubber;
use ledger_types::{
    Digest, Genesis, LedgerId, MerklePath, Receipt, ValidatorIndex,
    message::{BlocksToSend, DecidedBlock},
};
use tokio::sync::oneshot;

use crate::{
    api::{Progress, Wait},
    block_keeper::BlockKeeper,
    boot::Stored,
    finding::{Finding, Repaired},
    net::Event,
    patrol::{LOOK_EVERY, Patrol},
    state_keeper::StateKeeper,
};

/// Statements are trees: room for the deepest that is accepted, many times over.
const STACK_BYTES: usize = 64 << 20;
/// Blocks between two moves of SQLite's write-ahead file.
const CHECKPOINT_BLOCKS: u64 = 256;
/// Blocks executed before the thread looks at its jobs again.
const BLOCKS_AT_ONCE: usize = 16;
/// Bytes of blocks and rows of state that one look reads: a tour of 100 MB takes ten seconds over
/// blocks, and forty over rows of fifty bytes.
const PATROL_BYTES: u64 = 2 << 20;
const PATROL_ROWS: u64 = 10_000;
/// Before a block that no peer has sent is asked for again.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Work for the thread.
pub(crate) enum Job {
    /// Store, sync, execute.
    Commit(DecidedBlock),
    /// Blocks for a late peer.
    Blocks { to: ValidatorIndex, from: u64, until: u64 },
    /// Blocks from a peer, for a repair.
    Mend(Vec<DecidedBlock>),
    /// Something was wrong when the node ended: read everything again.
    Recheck,
    /// The validators have certified another root than this node's.
    Diverged(String),
    /// Read everything on disk once.
    Patrol(oneshot::Sender<usize>),
    /// A block for a client.
    Block(u64, oneshot::Sender<Option<DecidedBlock>>),
    /// A transaction's receipt.
    Receipt(Digest, oneshot::Sender<ReceiptAnswer>),
    /// How far a transaction has come; `waits` when it is not in a block yet.
    Find { id: Digest, waits: bool, answer: oneshot::Sender<Found> },
}

/// How far a transaction has come.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// `None` when nobody here has heard of it.
    pub(crate) progress: Option<Progress>,
    /// Whether the header that covers its result is decided.
    is_certified: bool,
}

impl Found {
    pub(crate) fn has_come_to(&self, wait: Wait) -> bool {
        match (wait, &self.progress) {
            (_, None) => false,
            (Wait::None, Some(_)) => true,
            (Wait::Committed, Some(progress)) => *progress != Progress::Accepted,
            (Wait::Executed, Some(progress)) => matches!(progress, Progress::Executed { .. }),
            (Wait::Certified, Some(progress)) => {
                self.is_certified && matches!(progress, Progress::Executed { .. })
            }
        }
    }
}

/// What is known of a transaction.
pub(crate) enum ReceiptAnswer {
    /// Never seen in a block here.
    Unknown,
    /// In a block, whose results no certified header states yet.
    NotCertified { height: u64 },
    /// The proof.
    Receipt(Box<Receipt>),
}

struct Commit {
    blocks: BlockKeeper,
    state: StateKeeper,
    ledger: LedgerId,
    events: tokio::sync::mpsc::Sender<Event>,
    scrubber: Scrubber,
    /// Up to where the net thread knows the execution.
    told: u64,
    /// The last block from before the start: of those only its execution is told, nobody waits for the
    /// others.
    began_at: u64,
    block_patrol: Patrol,
    row_patrol: Patrol,
    asked: Option<Instant>,
    recheck: bool,
}

/// The running thread: it ends when the sender is dropped, with the state moved to its file and
/// synced, or when something fails for good.
pub(crate) type Running = (mpsc::Sender<Job>, thread::JoinHandle<Result<()>>);

/// Starts the thread.
pub(crate) fn start(
    stored: Stored,
    genesis: Arc<Genesis>,
    events: tokio::sync::mpsc::Sender<Event>,
) -> Result<Running> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let Stored { blocks, state, found } = stored;
    let (told, began_at) = (state.executed().height, blocks.head());
    let mut commit = Commit {
        blocks: BlockKeeper::new(blocks, &genesis),
        ledger: genesis.ledger(),
        state: StateKeeper::new(state, genesis, found),
        events,
        began_at,
        scrubber: Scrubber::default(),
        told,
        block_patrol: Patrol::new(Instant::now()),
        row_patrol: Patrol::new(Instant::now()),
        asked: None,
        recheck: false,
    };
    let thread =
        thread::Builder::new().name("commit".into()).stack_size(STACK_BYTES).spawn(move || {
            let done = commit.run(&jobs);
            match done {
                Ok(()) => commit.state.finish(),
                Err(error) => {
                    let _ =
                        commit.events.blocking_send(Event::Failed(format!("commit: {error:#}")));
                    Err(error)
                }
            }
        })?;
    Ok((sender, thread))
}

impl Commit {
    fn run(&mut self, jobs: &mpsc::Receiver<Job>) -> Result<()> {
        loop {
            let behind = self.care()?;
            let wait = if behind { Duration::ZERO } else { LOOK_EVERY };
            match jobs.recv_timeout(wait) {
                Ok(job) => self.work(job)?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn work(&mut self, job: Job) -> Result<()> {
        match job {
            Job::Commit(decided) => {
                self.blocks.log.append(&decided)?;
                self.blocks.log.sync()?;
                if self.state.executed().height + 1 == decided.block.header.height {
                    self.execute(&decided)?;
                }
            }
            Job::Blocks { to, from, until } => {
                let mut blocks = BlocksToSend::default();
                for height in from..=until {
                    let Some(decided) = self.blocks.read(height)? else { break };
                    if !blocks.push(decided) {
                        break;
                    }
                }
                self.tell(Event::Blocks(to, blocks.into_blocks()));
            }
            Job::Mend(blocks) => {
                if self.blocks.take(blocks) {
                    self.asked = None;
                }
            }
            Job::Recheck => self.recheck = true,
            Job::Diverged(detail) => {
                if !self.state.is_rebuilding() {
                    self.state.distrust(None, &detail)?;
                }
            }
            Job::Patrol(answer) => {
                self.patrol_everything()?;
                let found = self.take_found();
                // Whoever asked may have gone.
                let _ = answer.send(found.len());
                self.tell_found(found);
            }
            Job::Block(height, answer) => {
                let _ = answer.send(self.blocks.read(height)?);
            }
            Job::Receipt(id, answer) => {
                let _ = answer.send(self.receipt(id)?);
            }
            Job::Find { id, waits, answer } => {
                let _ = answer.send(self.find(id, waits)?);
            }
        }
        Ok(())
    }

    /// Goes on with what is behind or broken; whether there is more to do at once.
    fn care(&mut self) -> Result<bool> {
        let behind = self.catch_up()?;
        let now = Instant::now();
        if self.block_patrol.is_due(now) {
            let tours = self.scrubber.tours();
            self.patrol_blocks(PATROL_BYTES)?;
            self.block_patrol.looked(Instant::now(), self.scrubber.tours() > tours);
        }
        if self.row_patrol.is_due(now) {
            let tour_is_over = self.state.patrol(PATROL_ROWS)?;
            self.row_patrol.looked(Instant::now(), tour_is_over);
        }
        let found = self.take_found();
        self.tell_found(found);
        if self.recheck && !behind && self.is_whole() {
            self.patrol_everything()?;
            if self.is_whole() {
                self.recheck = false;
                self.tell(Event::Repaired(Repaired::All { executed: self.state.executed() }));
            }
        }
        if let Some(repaired) = self.blocks.mend()? {
            self.tell(Event::Repaired(repaired));
        }
        if let Some((from, to)) = self.blocks.need()
            && self.asked.is_none_or(|at| at.elapsed() >= ASK_EVERY)
        {
            self.asked = Some(Instant::now());
            self.tell(Event::NeedBlocks { from, to });
        }
        Ok(behind)
    }

    /// Executes stored blocks that the state does not have yet: after a start, or a rebuild.
    fn catch_up(&mut self) -> Result<bool> {
        for _ in 0..BLOCKS_AT_ONCE {
            let next = self.state.executed().height + 1;
            if next > self.blocks.log.head() {
                if self.state.is_rebuilding() && self.blocks.is_whole() && self.state.at_head() {
                    // What was found is told first, or its incident would stay open for ever.
                    let found = self.take_found();
                    self.tell_found(found);
                    let executed = self.state.executed();
                    self.tell(Event::Repaired(Repaired::State { executed }));
                }
                return Ok(false);
            }
            // A broken block is mended first.
            let Some(decided) = self.blocks.read(next)? else { return Ok(false) };
            self.execute(&decided)?;
        }
        Ok(true)
    }

    fn execute(&mut self, decided: &DecidedBlock) -> Result<()> {
        let Some(done) = self.state.execute(decided)? else { return Ok(()) };
        let height = done.executed.height;
        if height.is_multiple_of(CHECKPOINT_BLOCKS) {
            self.state.checkpoint()?;
        }
        if height > self.told && height >= self.began_at {
            self.told = height;
            let ids = decided.block.transactions.iter().map(|t| t.id());
            let outcomes = ids.zip(done.outcomes).collect();
            self.tell(Event::Executed {
                executed: done.executed,
                block: decided.certificate.block,
                outcomes,
            });
        }
        Ok(())
    }

    /// Reads everything on disk, from the beginning, and compares.
    fn patrol_everything(&mut self) -> Result<()> {
        self.scrubber = Scrubber::default();
        self.patrol_blocks(u64::MAX)?;
        self.state.patrol_everything()
    }

    fn patrol_blocks(&mut self, bytes: u64) -> Result<()> {
        for corruption in self.scrubber.step(&self.blocks.log, bytes)? {
            let detail = format!("the record at offset {} is broken", corruption.offset);
            self.blocks.suspect(&corruption.file, None, &detail);
            self.blocks.log.note_corruption(corruption);
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.blocks.is_whole() && !self.state.is_rebuilding()
    }

    fn take_found(&mut self) -> Vec<Finding> {
        let mut found = self.blocks.take_found();
        found.extend(self.state.take_found());
        found
    }

    fn tell_found(&self, found: Vec<Finding>) {
        for finding in found {
            self.tell(Event::Found(finding));
        }
    }

    /// While the node stops nobody listens any more; decided blocks are finished all the same.
    fn tell(&self, event: Event) {
        let _ = self.events.blocking_send(event);
    }

    fn find(&mut self, id: Digest, waits: bool) -> Result<Found> {
        let Some((height, place)) = self.blocks.locate(&id)? else {
            let progress = waits.then_some(Progress::Accepted);
            return Ok(Found { progress, is_certified: false });
        };
        let committed =
            Found { progress: Some(Progress::Committed { height }), is_certified: false };
        if height > self.state.executed().height {
            return Ok(committed);
        }
        let covering = self.blocks.read(height + 1)?;
        let certified = covering.map(|covering| covering.block.header.executed.root);
        let is_certified = certified.is_some();
        // Outcomes of very old blocks are not kept.
        let Some(kept) = self.state.outcomes(height, certified)? else { return Ok(committed) };
        let Some((_, outcome)) = kept.outcomes.get(place as usize).cloned() else {
            return Ok(committed);
        };
        Ok(Found { progress: Some(Progress::Executed { height, outcome }), is_certified })
    }

    fn receipt(&mut self, id: Digest) -> Result<ReceiptAnswer> {
        let Some((height, place)) = self.blocks.locate(&id)? else {
            return Ok(ReceiptAnswer::Unknown);
        };
        let Some(covering) = self.blocks.read(height + 1)? else {
            return Ok(ReceiptAnswer::NotCertified { height });
        };
        // A state that is being built may not have come so far.
        let certified = Some(covering.block.header.executed.root);
        let Some(kept) = self.state.outcomes(height, certified)? else {
            return Ok(ReceiptAnswer::NotCertified { height });
        };
        let leaves = kept.outcomes.iter().map(|(id, outcome)| outcome.leaf(self.ledger, *id));
        let path = MerklePath::new(leaves, place as usize).context("the place is in the block")?;
        let (_, outcome) = kept.outcomes[place as usize].clone();
        Ok(ReceiptAnswer::Receipt(Box::new(Receipt {
            ledger: self.ledger,
            transaction: id,
            height,
            path,
            outcome,
            state_root: kept.state_root,
            covering: covering.block.header.clone(),
            certificate: covering.certificate,
        })))
    }
}
