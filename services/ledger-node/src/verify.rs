//! The verify thread: signatures of transactions, in batches of any origin.
//!
//! A signature checked among five hundred costs a third of one checked alone. Below saturation
//! batches do not form by themselves, so while transactions come in numbers the thread waits a
//! little for more; a lone transaction never waits.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use ledger_types::{Batch, BatchVerifier, Signed, Transaction};

use crate::{api::Submission, net::Event};

/// Keys whose points are kept decompressed.
const KEYS_MAX: usize = 16_384;
/// Signatures of one batch check at most.
const SIGNATURES_MAX: usize = 512;
/// How long a check waits for more signatures while many come.
const GATHER: Duration = Duration::from_millis(10);
/// Many: this number within this time.
const MANY: usize = 20;
const LATELY: Duration = Duration::from_millis(50);

/// Bytes of peers' batches that wait to be checked. What comes then is dropped: a block that names it
/// fetches it again.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Work for the thread.
pub(crate) enum Job {
    /// From a client: each signature counts for itself.
    Client(Submission),
    /// From a peer: all must hold.
    Batch(Arc<Batch>),
}

impl Job {
    fn transactions(&self) -> &[Arc<Transaction>] {
        match self {
            Self::Client(submission) => &submission.transactions,
            Self::Batch(batch) => &batch.transactions,
        }
    }
}

/// What waits for the thread. Clients' submissions are bounded where they come in.
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    /// Bytes of the batches in it.
    waiting: Arc<AtomicUsize>,
}

impl Queue {
    /// A client's transactions.
    pub(crate) fn judge(&self, submission: Submission) -> Result<(), mpsc::SendError<Job>> {
        self.jobs.send(Job::Client(submission))
    }

    /// A peer's batch, if there is room.
    pub(crate) fn check(&self, batch: Arc<Batch>) -> Result<(), mpsc::SendError<Job>> {
        let bytes = batch.bytes();
        if self.waiting.load(Relaxed) + bytes > WAITING_BYTES_MAX {
            return Ok(());
        }
        self.waiting.fetch_add(bytes, Relaxed);
        self.jobs.send(Job::Batch(batch))
    }
}

/// Starts the thread; it ends when the queue is dropped.
pub(crate) fn start(events: tokio::sync::mpsc::Sender<Event>) -> Result<Queue> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let queue = Queue { jobs: sender, waiting: Arc::default() };
    let waiting = queue.waiting.clone();
    thread::Builder::new().name("verify".into()).spawn(move || {
        let mut verifier = BatchVerifier::new(KEYS_MAX);
        let mut pace = Pace::default();
        while let Ok(first) = jobs.recv() {
            let now = Instant::now();
            let until = if pace.is_high(now) { now + GATHER } else { now };
            let mut signatures = first.transactions().len();
            let mut group = vec![first];
            while signatures < SIGNATURES_MAX
                && let left = until.saturating_duration_since(Instant::now())
                && let Ok(next) = jobs.recv_timeout(left)
            {
                signatures += next.transactions().len();
                group.push(next);
            }
            pace.note(Instant::now(), signatures);
            let taken = group.iter().map(|job| match job {
                Job::Batch(batch) => batch.bytes(),
                Job::Client(_) => 0,
            });
            waiting.fetch_sub(taken.sum(), Relaxed);
            for event in judge(&mut verifier, group) {
                if events.blocking_send(event).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(queue)
}

/// How many signatures came lately.
#[derive(Debug, Default)]
struct Pace {
    groups: VecDeque<(Instant, usize)>,
}

impl Pace {
    fn note(&mut self, at: Instant, signatures: usize) {
        self.groups.push_back((at, signatures));
        self.forget(at);
    }

    fn is_high(&mut self, now: Instant) -> bool {
        self.forget(now);
        self.groups.iter().map(|(_, signatures)| signatures).sum::<usize>() >= MANY
    }

    fn forget(&mut self, now: Instant) {
        while self.groups.front().is_some_and(|(at, _)| now.duration_since(*at) > LATELY) {
            self.groups.pop_front();
        }
    }
}

fn signed(transactions: &[Arc<Transaction>]) -> impl Iterator<Item = Signed> + '_ {
    transactions.iter().map(|t| Signed {
        digest: t.id(),
        key: t.body().signer,
        signature: *t.signature(),
    })
}

/// One check for all; only if it fails, each source apart.
fn judge(verifier: &mut BatchVerifier, group: Vec<Job>) -> Vec<Event> {
    let all: Vec<Signed> = group.iter().flat_map(|job| signed(job.transactions())).collect();
    let all_valid = verifier.all_valid(&all).unwrap_or(false);
    let mut one = |job: Job| match job {
        Job::Client(submission) => {
            let verdicts = if all_valid {
                vec![true; submission.transactions.len()]
            } else {
                let mine: Vec<Signed> = signed(&submission.transactions).collect();
                verifier.each_valid(&mine).unwrap_or_else(|_| vec![false; mine.len()])
            };
            Event::Submitted(submission, verdicts)
        }
        Job::Batch(batch) => {
            let mine: Vec<Signed> = signed(&batch.transactions).collect();
            let valid = all_valid || verifier.all_valid(&mine).unwrap_or(false);
            Event::BatchVerified(batch, valid)
        }
    };
    group.into_iter().map(&mut one).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LATELY, MANY, Pace};

    #[test]
    fn a_lone_transaction_is_checked_at_once() {
        // Whoever pays for batches must be those who send them.
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert!(!pace.is_high(start));
        pace.note(start, 1);
        assert!(!pace.is_high(start + Duration::from_millis(1)));
        pace.note(start, MANY);
        assert!(pace.is_high(start + LATELY));
        assert!(!pace.is_high(start + LATELY * 2), "what came long ago does not count");
    }
}
