//! The vote thread: what the node says is on disk first.

use std::{sync::mpsc, thread};

use anyhow::Result;
use ledger_consensus::replica::Entry;
use ledger_storage::{FileDisk, VoteLog};
use ledger_types::codec;

use crate::net::Event;

/// Work for the thread.
pub(crate) enum Job {
    /// Append, sync, answer with the token.
    Save(Vec<Entry>, u64),
    /// Heights below this one are decided.
    Forget(u64),
}

/// Starts the thread; it ends when the sender is dropped or the disk fails.
pub(crate) fn start(
    mut log: VoteLog<FileDisk>,
    events: tokio::sync::mpsc::Sender<Event>,
) -> Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    thread::Builder::new().name("votes".into()).spawn(move || {
        while let Ok(first) = jobs.recv() {
            let mut tokens = Vec::new();
            let result = std::iter::once(first)
                .chain(std::iter::from_fn(|| jobs.try_recv().ok()))
                .try_for_each(|job| match job {
                    Job::Save(entries, token) => {
                        tokens.push(token);
                        entries.iter().try_for_each(|e| log.append(e.height(), &codec::encode(e)))
                    }
                    Job::Forget(height) => log.forget_below(height),
                })
                .and_then(|()| if tokens.is_empty() { Ok(()) } else { log.sync() });
            let event = match result {
                Ok(()) => Event::Saved(tokens),
                Err(error) => Event::Failed(format!("vote log: {error}")),
            };
            if events.blocking_send(event).is_err() {
                return;
            }
        }
    })?;
    Ok(sender)
}
