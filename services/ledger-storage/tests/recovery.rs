//! Decisions at a start, case by case.

use ledger_storage::{
    Found, Mark, Plan, StatePlan, is_trustworthy, recover,
    recovery::{RebuildReason, Votes},
};

#[test]
fn what_to_do_with_what_is_found() {
    let found = Found {
        whole_to: 9,
        last: 9,
        votes: Votes::Intact,
        executed: Some(9),
        trustworthy: true,
        ran_before: true,
    };
    let new = Found {
        whole_to: 0,
        last: 0,
        votes: Votes::Fresh,
        executed: None,
        ran_before: false,
        ..found.clone()
    };
    let plan = Plan { fetch: None, state: StatePlan::Keep, votes_intact: true };
    let rebuild = |reason| Plan { state: StatePlan::Rebuild(reason), ..plan.clone() };
    let cases = [
        ("all in step", found.clone(), plan.clone()),
        (
            "killed between block and execution",
            Found { executed: Some(7), ..found.clone() },
            Plan { state: StatePlan::Replay { from: 8, to: 9 }, ..plan.clone() },
        ),
        ("a new folder", new.clone(), plan.clone()),
        (
            "no vote log in a folder without blocks that was in use",
            Found { ran_before: true, ..new },
            Plan { votes_intact: false, ..plan.clone() },
        ),
        (
            "no vote log beside blocks",
            Found { votes: Votes::Fresh, ..found.clone() },
            Plan { votes_intact: false, ..plan.clone() },
        ),
        (
            "a damaged vote log",
            Found { votes: Votes::Damaged, ..found.clone() },
            Plan { votes_intact: false, ..plan.clone() },
        ),
        (
            "spoken again since a loss, above everything lost",
            Found { votes: Votes::ResumedAt(10), ..found.clone() },
            plan.clone(),
        ),
        (
            "a height is open again at which votes were lost",
            Found { votes: Votes::ResumedAt(11), ..found.clone() },
            Plan { votes_intact: false, ..plan.clone() },
        ),
        ("no state", Found { executed: None, ..found.clone() }, rebuild(RebuildReason::Missing)),
        (
            "a power cut",
            Found { trustworthy: false, ..found.clone() },
            rebuild(RebuildReason::PowerLoss),
        ),
        (
            "state ahead of blocks",
            Found { executed: Some(12), ..found.clone() },
            Plan { votes_intact: false, ..rebuild(RebuildReason::Ahead) },
        ),
        (
            "broken blocks in the middle",
            Found { whole_to: 3, ..found.clone() },
            Plan { fetch: Some((4, 9)), ..plan.clone() },
        ),
        (
            "broken blocks that the state lacks",
            Found { whole_to: 3, executed: Some(2), ..found },
            Plan {
                fetch: Some((4, 9)),
                state: StatePlan::Replay { from: 3, to: 3 },
                votes_intact: true,
            },
        ),
    ];
    for (name, found, expected) in cases {
        assert_eq!(recover(&found), expected, "{name}");
    }
}

#[test]
fn sqlite_is_distrusted_only_after_the_machine_went_down() {
    let mark = |clean| Mark { boot_id: "one".into(), clean };
    assert!(is_trustworthy(None, "one"), "a new folder");
    assert!(is_trustworthy(Some(&mark(true)), "two"), "stopped in order, then rebooted");
    assert!(is_trustworthy(Some(&mark(false)), "one"), "killed, same boot");
    assert!(!is_trustworthy(Some(&mark(false)), "two"), "power cut");
}
