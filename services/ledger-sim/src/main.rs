//! `ledger-sim --seeds N --from S`: runs seeds, says which faults fired, names a seed that fails.

use std::{process::ExitCode, time::Instant};

use anyhow::{Context as _, Result, bail};
use ledger_consensus::{Rules, rules::Mutant};
use ledger_sim::{Failure, Fault, Plan, run_many};

/// From this many seeds on every fault must have done something.
const ENOUGH_SEEDS: u64 = 500;

const HELP: &str = "\
ledger-sim [--seeds N] [--from S] [--mutant NAME] [--verbose]

  --seeds N    how many seeds to run (500)
  --from S     the first one (1)
  --mutant     breaks a rule of the protocol, by its name in rules.rs: seeds must fail
  --verbose    a line for each seed
";

struct Options {
    seeds: u64,
    from: u64,
    rules: Rules,
    verbose: bool,
}

fn options() -> Result<Option<Options>> {
    let mut options = Options { seeds: 500, from: 1, rules: Rules::PRODUCTION, verbose: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--mutant" {
            let name = arguments.next().context("--mutant needs a name")?;
            let mutant = Mutant::ALL.into_iter().find(|mutant| format!("{mutant:?}") == name);
            options.rules = mutant.with_context(|| format!("no mutant {name:?}"))?.rules();
            continue;
        }
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
    let (total, failures) =
        run_many(options.from, options.seeds, options.rules, |seed, outcome| {
            if options.verbose
                && let Ok(report) = outcome
            {
                println!("seed {seed}: height {}, {} applied", report.heights, report.applied);
            }
        });
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} seeds from {}: {} heights, {} transactions applied, {seconds:.1} s",
        options.seeds, options.from, total.heights, total.applied
    );
    println!(
        "{} proofs of fraud, {} segments mended, {} states rebuilt; faults by name:",
        total.evidence, total.blocks_mended, total.states_rebuilt
    );
    for fault in Fault::all() {
        let count = total.faults.get(&fault).copied().unwrap_or(0);
        println!("  {:<42} {count:>9}", fault.to_string());
    }
    for Failure { seed, what } in &failures {
        eprintln!("seed {seed} failed: {what}");
        eprintln!("  plan: {:?}", Plan::of(*seed));
        eprintln!("  replay: cargo xtask sim --seeds 1 --from {seed} --verbose");
    }
    let idle = if options.seeds >= ENOUGH_SEEDS { total.never_fired() } else { Vec::new() };
    for fault in &idle {
        eprintln!("{fault}: never did anything, so this run proves nothing about it");
    }
    if failures.is_empty() && idle.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
