//! The HTTPS interface of a node: one file a noun, each with its routes and their description.

mod block;
mod body;
mod event;
mod genesis;
mod incident;
mod openapi;
mod problem;
mod query;
mod receipt;
mod scrub;
mod server;
mod signer;
mod status;
mod submission;
mod transaction;

use std::{path::PathBuf, sync::Arc};

use ledger_state::PastViews;
use ledger_types::{Digest, Genesis, message::DecidedBlock};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use openapi::document;
pub(crate) use server::serve;
pub use status::{Integrity, Status};
pub(crate) use submission::{Refused, Submission};
pub use transaction::{Progress, Wait};

use crate::{
    commit::{Found, ReceiptAnswer},
    events::Followed,
    incident::Incident,
    members::Members,
    net::Event,
};
use problem::{Answer, Problem};

/// Queries that run at the same time.
const QUERIES_MAX: usize = 8;
/// Queries at a past height that run, or make their view, at the same time.
const PAST_QUERIES_MAX: usize = 2;

/// Questions that are answered from disk, by the thread that also executes blocks, at the same time.
const LOOKUPS_MAX: usize = 16;

/// Questions to the net thread.
pub(crate) enum Request {
    Submit(Submission),
    /// How far a transaction has come.
    Find(Digest, oneshot::Sender<Found>),
    /// Says when a transaction has come so far, if there is room for one more who waits.
    Watch(Digest, Wait, oneshot::Sender<Option<oneshot::Receiver<Progress>>>),
    Follow(oneshot::Sender<Followed>),
    Status(oneshot::Sender<Status>),
    Block(u64, oneshot::Sender<Option<DecidedBlock>>),
    Receipt(Digest, oneshot::Sender<ReceiptAnswer>),
    Incidents(oneshot::Sender<Vec<Incident>>),
    Patrol(oneshot::Sender<usize>),
}

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Shared {
    genesis: Arc<Genesis>,
    state: PathBuf,
    events: mpsc::Sender<Event>,
    members: Arc<Members>,
    past: Arc<PastViews>,
    lookups: Arc<Semaphore>,
    queries: Arc<Semaphore>,
    past_queries: Arc<Semaphore>,
    submissions: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// KiB of bodies in memory.
    bodies: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(genesis: Arc<Genesis>, state: PathBuf, events: mpsc::Sender<Event>) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            genesis,
            events,
            members: Arc::new(Members::new(state.clone())),
            past: Arc::new(PastViews::new(&state)),
            state,
            lookups: semaphore(LOOKUPS_MAX),
            queries: semaphore(QUERIES_MAX),
            past_queries: semaphore(PAST_QUERIES_MAX),
            submissions: semaphore(submission::SUBMISSIONS_MAX),
            streams: semaphore(event::STREAMS_MAX),
            bodies: semaphore(body::BODIES_KIB_MAX),
        }
    }

    /// Asks for something that is read from disk.
    async fn look_up<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Request) -> Answer<T> {
        let _permit = self.lookups.acquire().await.map_err(|_| Problem::stopping())?;
        self.ask(question).await
    }

    /// Asks the net thread.
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Request) -> Answer<T> {
        let (sender, receiver) = oneshot::channel();
        let asked = self.events.send(Event::Request(question(sender))).await;
        asked.map_err(|_| Problem::stopping())?;
        receiver.await.map_err(|_| Problem::stopping())
    }
}
