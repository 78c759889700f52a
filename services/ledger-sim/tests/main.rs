//! The simulator's verdict on the production rules, and proof that it can give another.

use ledger_consensus::{Rules, rules::Mutant};
use ledger_sim::{Failure, Fault, Plan, Report, run, run_many, run_mutant};

/// Seeds in which a broken rule must show.
const MUTANT_SEEDS: u64 = 300;

fn named(failures: &[Failure]) -> String {
    let one = |Failure { seed, what }: &Failure| {
        format!("{what}\nreplay: cargo xtask sim --seeds 1 --from {seed} --verbose")
    };
    failures.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn five_hundred_worlds_of_faults_break_nothing() {
    // Agreement, one vote a round, equal roots, exactly one effect, nothing acknowledged lost,
    // nobody honest accused; and after the faults the ledger goes on to its target height.
    let (total, failures) = run_many(1, 500, Rules::PRODUCTION, |_, _| {});
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), named(&failures));
    let idle: Vec<String> = total.never_fired().iter().map(Fault::to_string).collect();
    assert!(idle.is_empty(), "never did anything, the plan must bring it more often: {idle:?}");
    assert!(total.heights > 10_000 && total.applied > 5_000, "too little happened: {total:?}");
    let repaired = total.blocks_mended > 20 && total.states_rebuilt > 20 && total.evidence > 500;
    assert!(repaired, "too little was repaired and proven: {total:?}");
}

#[test]
fn a_fault_that_never_fires_is_named() {
    // The check above must be able to fail.
    assert_eq!(Report::default().never_fired(), Fault::all());
}

#[test]
fn one_seed_is_one_run() {
    // A failure that cannot be replayed cannot be mended.
    for seed in [3, 8, 11, 42] {
        let (one, two) = (run(seed).unwrap(), run(seed).unwrap());
        assert_eq!((one.heights, one.applied), (two.heights, two.applied), "seed {seed}");
        assert_eq!(one.faults, two.faults, "seed {seed}");
    }
}

#[test]
fn seeds_that_failed_once_stay_mended() {
    // 7, 24: a node that ran a round ahead, or came into one without a timeout of its own, and
    // others that waited for it for ever. 29, 81: more silent nodes than the plan may bring. 459: a
    // node that lost its votes, restarted before it might speak, and took its new log for all it said.
    // 690: nodes that came into a round while they had to be silent, and never said so. 1033: a segment
    // whose making a power cut had zeroed. 1867: a rotten last block before a segment that a power
    // cut had torn. 2475: a block that was called invalid for good by a node that was only withdrawn.
    for seed in [7, 24, 29, 81, 459, 690, 1033, 1867, 2475] {
        assert!(run(seed).is_ok(), "cargo xtask sim --seeds 1 --from {seed} --verbose");
    }
}

#[test]
fn no_plan_has_more_liars_than_its_policy_tolerates() {
    // A failure with too many liars would prove nothing about the rules.
    for seed in 1..=2_000 {
        let plan = Plan::of(seed);
        let tolerated = ledger_types::Quorum::new(plan.policy, plan.validators).f;
        assert!(plan.cheats.len() <= tolerated.into(), "seed {seed}: {plan:?}");
        let cheats: std::collections::BTreeSet<u16> = plan.cheats.iter().map(|c| c.0).collect();
        assert_eq!(cheats.len(), plan.cheats.len(), "seed {seed}: one validator cheats twice");
        let unlucky = plan.misfortune.map(|(node, _)| node);
        assert!(unlucky.is_none_or(|node| !cheats.contains(&node)), "seed {seed}: {plan:?}");
    }
}

#[test]
fn broken_rules_are_caught() {
    // A simulator that accepts a mutant would accept a mistake. Those of the new leader's choice
    // need a rare order of events, which the attacks bring.
    let page = include_str!("../../../docs/testing.md");
    for mutant in Mutant::ALL {
        // The attacks first: every eighth seed is one.
        let mut seeds = (1..=6).map(|n| n * 8).chain(1..=MUTANT_SEEDS);
        let caught = seeds.find_map(|seed| run_mutant(seed, mutant.rules()).err());
        if let Some(Failure { seed, what }) = &caught {
            let line = what.lines().next().unwrap_or_default();
            println!("{mutant:?}: seed {seed}: {line}");
        }
        let row = page.lines().find(|line| line.starts_with(&format!("| `{mutant:?}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/testing.md has no row for {mutant:?}"));
        let said = row.split('|').nth(4).map(str::trim);
        let found = if caught.is_some() { "yes" } else { "no" };
        assert_eq!(said, Some(found), "docs/testing.md must say what is true: {row}");
    }
}
