//! The rule that binds a new leader, case by case.

use ledger_consensus::{Choice, Report, choose};
use ledger_types::{Digest, Policy, Quorum};

const A: Digest = Digest([1; 32]);
const B: Digest = Digest([2; 32]);

fn report(last_vote: Option<(u32, Digest)>, prepared: Option<(u32, Digest)>) -> Report {
    Report { last_vote, prepared }
}

#[test]
fn four_nodes() {
    // n = 4: three reports, two matching votes bind.
    let quorum = Quorum::new(Policy::Bft, 4);
    let none = report(None, None);
    let voted = |round, block| report(Some((round, block)), None);
    let cases = [
        ("nobody voted", vec![none, none, none], Choice::Free),
        ("one vote is no fast decision", vec![voted(0, A), none, none], Choice::Free),
        ("two votes may be one", vec![voted(0, A), voted(0, A), none], Choice::Bound(A)),
        (
            "a certificate binds",
            vec![report(Some((0, A)), Some((0, A))), none, none],
            Choice::Bound(A),
        ),
        (
            "a newer certificate beats older votes",
            vec![voted(0, B), voted(0, B), report(Some((1, A)), Some((1, A)))],
            Choice::Bound(A),
        ),
        (
            "newer votes beat an older certificate",
            vec![voted(1, B), voted(1, B), report(Some((0, A)), Some((0, A)))],
            Choice::Bound(B),
        ),
        (
            "votes count from the round that enough of them reach",
            vec![voted(2, B), voted(0, B), report(Some((1, A)), Some((1, A)))],
            Choice::Bound(A),
        ),
    ];
    for (name, reports, expected) in cases {
        assert_eq!(choose(&quorum, &reports), expected, "{name}");
    }
}

#[test]
fn majorities_follow_the_newest_vote() {
    // cft: any vote may be part of a decision; the newest one counts.
    let quorum = Quorum::new(Policy::Cft, 3);
    let reports = [report(Some((0, A)), None), report(Some((2, B)), None)];
    assert_eq!(choose(&quorum, &reports), Choice::Bound(B));
}

#[test]
fn the_order_of_reports_does_not_matter() {
    // Voters recompute the choice from the same set; a different order must not divide them.
    let quorum = Quorum::new(Policy::Bft, 4);
    let reports = [
        report(Some((1, B)), Some((0, A))),
        report(Some((1, B)), None),
        report(Some((0, A)), None),
    ];
    let expected = choose(&quorum, &reports);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let shuffled = order.map(|at| reports[at]);
        assert_eq!(choose(&quorum, &shuffled), expected);
    }
}
