//! What the node tells whoever listens. Nobody who listens can hold it up: the queue has room for
//! so much, and a listener that falls behind by more loses its place.

use std::sync::Arc;

use ledger_types::Digest;
use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

use crate::{
    api::{Integrity, Status},
    incident::Incident,
};

/// Events that a listener may be behind.
const QUEUE_MAX: usize = 1_024;

/// A block that this node has executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct BlockExecuted {
    /// Its height.
    pub(crate) height: u64,
    /// Its digest.
    pub(crate) digest: Digest,
    /// How many transactions it holds.
    pub(crate) transactions: u32,
    /// The root over state and results after it.
    pub(crate) execution_root: Digest,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    Block(BlockExecuted),
    IncidentOpened(Incident),
    IncidentResolved(Incident),
    Integrity(Integrity),
}

/// What happened, and the executed height at that moment.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    pub(crate) height: u64,
    pub(crate) happened: Happened,
}

/// A listener's place: everything after `status` is in `queue`.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) status: Status,
    pub(crate) open_incidents: Vec<Incident>,
    pub(crate) queue: broadcast::Receiver<Arc<Announcement>>,
}

/// Where the node speaks.
#[derive(Debug)]
pub(crate) struct Events {
    sender: broadcast::Sender<Arc<Announcement>>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(QUEUE_MAX) }
    }
}

impl Events {
    pub(crate) fn announce(&self, height: u64, happened: Happened) {
        // Without a listener there is nobody to tell.
        let _ = self.sender.send(Arc::new(Announcement { height, happened }));
    }

    pub(crate) fn queue(&self) -> broadcast::Receiver<Arc<Announcement>> {
        self.sender.subscribe()
    }
}
