//! Many seeds on all processors.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ledger_consensus::Rules;

use crate::{
    faults::{Failure, Report},
    world::run_mutant,
};

/// Runs `seeds` seeds from `from` on under `rules`; calls `each` after every one of them.
pub fn run_many(
    from: u64,
    seeds: u64,
    rules: Rules,
    each: impl Fn(u64, &Result<Report, Failure>) + Sync,
) -> (Report, Vec<Failure>) {
    let next = AtomicU64::new(from);
    let end = from.saturating_add(seeds);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let worker = || {
        let (mut total, mut failures) = (Report::default(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= end {
                return (total, failures);
            }
            let outcome = run_mutant(seed, rules);
            each(seed, &outcome);
            match outcome {
                Ok(report) => total.add(&report),
                Err(failure) => failures.push(failure),
            }
        }
    };
    let parts: Vec<(Report, Vec<Failure>)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        handles.into_iter().map(|h| h.join().expect("a simulation panicked")).collect()
    });
    let (mut total, mut failures) = (Report::default(), Vec::new());
    for (report, failed) in parts {
        total.add(&report);
        failures.extend(failed);
    }
    failures.sort_by_key(|failure| failure.seed);
    (total, failures)
}
