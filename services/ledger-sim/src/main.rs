//! `ledger-sim --seeds N --from S`: runs seeds, says which faults fired, names a seed that fails.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use ledger_sim::{Failure, Report, run};

const HELP: &str = "\
ledger-sim [--seeds N] [--from S] [--verbose]

  --seeds N    how many seeds to run (500)
  --from S     the first one (1)
  --verbose    a line for each seed
";

struct Options {
    seeds: u64,
    from: u64,
    verbose: bool,
}

fn options() -> Result<Option<Options>> {
    let mut options = Options { seeds: 500, from: 1, verbose: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64> {
            let text = arguments.next().with_context(|| format!("{argument} needs a number"))?;
            text.parse().with_context(|| format!("{argument}: {text:?} is no number"))
        };
        match argument.as_str() {
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            "--verbose" => options.verbose = true,
            "--help" | "-h" => return Ok(None),
            _ => bail!("unknown argument {argument:?}; see --help"),
        }
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    match options() {
        Ok(None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Some(options)) => simulate(&options),
        Err(error) => {
            eprintln!("ledger-sim: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn simulate(options: &Options) -> ExitCode {
    let start = Instant::now();
    let next = AtomicU64::new(options.from);
    let end = options.from.saturating_add(options.seeds);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<(Report, Vec<Failure>)> = std::thread::scope(|scope| {
        let worker = || {
            let (mut total, mut failures) = (Report::default(), Vec::new());
            loop {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= end {
                    return (total, failures);
                }
                match run(seed) {
                    Ok(report) => {
                        if options.verbose {
                            println!(
                                "seed {seed}: height {}, {} applied",
                                report.heights, report.applied
                            );
                        }
                        total.add(&report);
                    }
                    Err(failure) => failures.push(failure),
                }
            }
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        handles.into_iter().map(|h| h.join().expect("a simulation panicked")).collect()
    });
    let (mut total, mut failures) = (Report::default(), Vec::new());
    for (report, failed) in results {
        total.add(&report);
        failures.extend(failed);
    }
    println!(
        "{} seeds from {}: {} heights, {} transactions applied, {:.1} s",
        options.seeds,
        options.from,
        total.heights,
        total.applied,
        start.elapsed().as_secs_f64()
    );
    for (fault, count) in &total.faults {
        println!("  {fault:<20} {count:>9}");
    }
    for Failure { seed, what } in &failures {
        eprintln!(
            "seed {seed} failed: {what}\n  replay: cargo xtask sim --seeds 1 --from {seed} --verbose"
        );
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
