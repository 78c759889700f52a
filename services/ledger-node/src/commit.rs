//! The commit thread: decided blocks become durable and take effect, in order.

use std::{fs::File, sync::mpsc, thread};

use anyhow::{Context as _, Result};
use ledger_state::{BlockInput, ExecutedBlock, State};
use ledger_storage::{BlockLog, FileDisk};
use ledger_types::{Digest, LedgerId, MerklePath, Receipt, ValidatorIndex, message::DecidedBlock};
use tokio::sync::oneshot;

use crate::net::Event;

/// Blocks between two moves of SQLite's write-ahead file.
const CHECKPOINT_BLOCKS: u64 = 256;

/// Work for the thread.
pub(crate) enum Job {
    /// Store, sync, execute.
    Commit(DecidedBlock),
    /// Blocks for a late peer.
    Blocks { to: ValidatorIndex, from: u64, until: u64 },
    /// A block for a client.
    Block(u64, oneshot::Sender<Option<DecidedBlock>>),
    /// A transaction's receipt.
    Receipt(Digest, oneshot::Sender<ReceiptAnswer>),
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
    blocks: BlockLog<FileDisk>,
    state: State,
    ledger: LedgerId,
    events: tokio::sync::mpsc::Sender<Event>,
}

/// The running thread: it ends when the sender is dropped, with the state moved to its file and
/// synced, or when something fails for good.
pub(crate) type Running = (mpsc::Sender<Job>, thread::JoinHandle<Result<()>>);

/// Starts the thread.
pub(crate) fn start(
    blocks: BlockLog<FileDisk>,
    state: State,
    ledger: LedgerId,
    events: tokio::sync::mpsc::Sender<Event>,
) -> Result<Running> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let mut commit = Commit { blocks, state, ledger, events };
    let thread = thread::Builder::new().name("commit".into()).spawn(move || {
        while let Ok(job) = jobs.recv() {
            if let Err(error) = commit.work(job) {
                let _ = commit.events.blocking_send(Event::Failed(format!("commit: {error:#}")));
                return Err(error);
            }
        }
        commit.state.checkpoint()?;
        File::open(commit.state.path())?.sync_all()?;
        Ok(())
    })?;
    Ok((sender, thread))
}

impl Commit {
    fn work(&mut self, job: Job) -> Result<()> {
        match job {
            Job::Commit(decided) => {
                self.blocks.append(&decided)?;
                self.blocks.sync()?;
                let done = execute(&mut self.state, &decided)?;
                if done.executed.height.is_multiple_of(CHECKPOINT_BLOCKS) {
                    self.state.checkpoint()?;
                }
                let ids = decided.block.transactions.iter().map(|t| t.id());
                let outcomes = ids.zip(done.outcomes).collect();
                self.tell(Event::Executed(done.executed, outcomes));
            }
            Job::Blocks { to, from, until } => {
                let read = |height| self.blocks.read(height).ok();
                let blocks: Vec<DecidedBlock> = (from..=until).map_while(read).collect();
                self.tell(Event::Blocks(to, blocks));
            }
            Job::Block(height, answer) => {
                // The client may have gone.
                let _ = answer.send(self.blocks.read(height).ok());
            }
            Job::Receipt(id, answer) => {
                let _ = answer.send(self.receipt(id)?);
            }
        }
        Ok(())
    }

    /// While the node stops nobody listens any more; decided blocks are finished all the same.
    fn tell(&self, event: Event) {
        let _ = self.events.blocking_send(event);
    }

    fn receipt(&self, id: Digest) -> Result<ReceiptAnswer> {
        let Some((height, place)) = self.blocks.locate(&id)? else {
            return Ok(ReceiptAnswer::Unknown);
        };
        let Ok(covering) = self.blocks.read(height + 1) else {
            return Ok(ReceiptAnswer::NotCertified { height });
        };
        let kept = self.state.outcomes(height)?.context("the block's outcomes are not kept")?;
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

/// Executes one decided block.
pub(crate) fn execute(state: &mut State, decided: &DecidedBlock) -> Result<ExecutedBlock> {
    let header = &decided.block.header;
    let transactions = &decided.block.transactions;
    let input = BlockInput { height: header.height, time_ms: header.time_ms, transactions };
    Ok(state.execute(&input)?)
}
