//! All is well: blocks are decided quickly, in one round, by every policy.

use ledger_types::{CertificateKind, Policy, ValidatorIndex};

use crate::cluster::Cluster;

#[test]
fn honest_clusters_decide_in_round_zero() {
    // The common case must not cost a single round change.
    for (policy, n) in [
        (Policy::Bft, 4),
        (Policy::Bft, 6),
        (Policy::Bft, 7),
        (Policy::Cft, 1),
        (Policy::Cft, 3),
        (Policy::Cft, 5),
    ] {
        let mut cluster = Cluster::new(policy, n);
        assert!(cluster.reaches(20, 1), "{policy:?} n={n}: 20 heights without waiting for a timer");
        for node in &cluster.nodes {
            assert!(node.decided.iter().all(|(_, c)| c.round == 0), "{policy:?} n={n}");
            assert!(node.evidence.is_empty(), "{policy:?} n={n}: an honest node was accused");
        }
    }
}

#[test]
fn the_leader_stays_while_it_does_its_work() {
    // Rotation for its own sake would cost latency; only failure moves the lead.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    assert!(cluster.reaches(10, 1));
    let proposers = cluster.nodes[2].decided.iter().map(|(h, _)| h.proposer);
    assert!(proposers.into_iter().all(|p| p == ValidatorIndex(0)));
}

#[test]
fn one_dead_follower_of_four_costs_no_round() {
    // f = 1: three of four decide by commit votes, since the fast certificate needs all four.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.nodes[3].up = false;
    assert!(cluster.reaches(10, 1));
    assert!(cluster.nodes[0].decided.iter().all(|(_, c)| c.kind == CertificateKind::Commit));
}

#[test]
fn two_dead_of_four_halt_and_go_on_when_one_returns() {
    // Below the quorum nothing may be decided; the return of one node must be enough.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    assert!(cluster.reaches(3, 1));
    cluster.nodes[2].up = false;
    cluster.nodes[3].up = false;
    let height = cluster.nodes[0].engine.height();
    assert!(!cluster.reaches(height + 1, 20_000), "two of four must not decide anything new");
    cluster.nodes[2].up = true;
    cluster.restart(2, true);
    assert!(cluster.reaches(height + 5, 120_000), "three of four must go on");
}

#[test]
fn lost_messages_are_sent_again() {
    // A transport that drops every second message must slow the ledger down, not stop it.
    use std::cell::Cell;
    let mut cluster = Cluster::new(Policy::Bft, 4);
    let count = Cell::new(0u64);
    cluster.deliver = Box::new(move |_, _, _| {
        count.set(count.get() + 1);
        count.get().is_multiple_of(2)
    });
    assert!(cluster.reaches(5, 600_000), "half of the messages arrive: heights must still pass");
}

#[test]
fn an_idle_ledger_stays_in_its_round() {
    // Without work no timer may run: an idle leader is no silent leader.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    // The leader has nothing to propose: its proposals are lost before anybody hears them.
    cluster.nodes[0].up = false;
    assert!(!cluster.run(3_600_000, |_| false), "nothing may happen for an hour");
    assert!(cluster.nodes.iter().all(|n| n.engine.round() == 0));
}
