//! The verify thread: signatures of transactions, in batches of any origin.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use anyhow::Result;
use ledger_types::{Batch, BatchVerifier, Signed, Transaction};

use crate::{api::Submission, net::Event};

/// Keys whose points are kept decompressed.
const KEYS_MAX: usize = 16_384;
/// Signatures of one batch check at most.
const SIGNATURES_MAX: usize = 512;

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

/// Starts the thread; it ends when the sender is dropped.
pub(crate) fn start(events: tokio::sync::mpsc::Sender<Event>) -> Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    thread::Builder::new().name("verify".into()).spawn(move || {
        let mut verifier = BatchVerifier::new(KEYS_MAX);
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            let mut signatures = group[0].transactions().len();
            while signatures < SIGNATURES_MAX
                && let Ok(next) = jobs.try_recv()
            {
                signatures += next.transactions().len();
                group.push(next);
            }
            for event in judge(&mut verifier, group) {
                if events.blocking_send(event).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(sender)
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
