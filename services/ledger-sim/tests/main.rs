//! The simulator's verdict on the production rules, and proof that it can give another.

use ledger_consensus::rules::Mutant;
use ledger_sim::{Failure, run, run_many, run_mutant};

/// Faults that must have done something in the run of all seeds, or the run proves nothing.
const FAULTS: [&str; 17] = [
    "HugeRounds",
    "LyingTimeouts",
    "TwoProposals",
    "TwoVotes",
    "Withholds",
    "WrongRoot",
    "crash",
    "duplicate",
    "late message",
    "lost message",
    "lost vote log",
    "lost write",
    "partitioned",
    "power cut",
    "power cut after a crash",
    "torn write",
    "zeroed tail",
];

#[test]
fn five_hundred_worlds_of_faults_break_nothing() {
    // Agreement, one vote a round, equal roots, exactly one effect, nobody honest accused; and
    // after the faults the ledger goes on to its target height.
    let (total, failures) = run_many(1, 500, |_, _| {});
    let named: Vec<String> = failures
        .iter()
        .map(|Failure { seed, what }| {
            format!("{what}\nreplay: cargo xtask sim --seeds 1 --from {seed} --verbose")
        })
        .collect();
    assert!(named.is_empty(), "{} seeds failed:\n{}", named.len(), named.join("\n"));
    for fault in FAULTS {
        let count = total.faults.get(fault).copied().unwrap_or(0);
        assert!(count > 0, "{fault} never did anything: the plan must bring it more often");
    }
    assert!(total.heights > 10_000 && total.applied > 5_000, "too little happened: {total:?}");
}

#[test]
fn one_seed_is_one_run() {
    // A failure that cannot be replayed cannot be mended.
    for seed in [3, 11, 42] {
        let (one, two) = (run(seed).unwrap(), run(seed).unwrap());
        assert_eq!((one.heights, one.applied), (two.heights, two.applied), "seed {seed}");
        assert_eq!(one.faults, two.faults, "seed {seed}");
    }
}

#[test]
fn broken_rules_are_caught() {
    // A simulator that accepts a mutant would accept a mistake. Mutants of the new leader's choice
    // need a rare order of events: the model checker catches those.
    for mutant in [Mutant::SmallQuorum, Mutant::SendBeforeSave, Mutant::Amnesia] {
        let caught = (1..=300).find(|seed| run_mutant(*seed, mutant.rules()).is_err());
        assert!(caught.is_some(), "{mutant:?} broke nothing in 300 worlds");
    }
}
