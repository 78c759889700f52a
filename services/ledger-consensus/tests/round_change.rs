//! Silent, slow and shouting nodes.

use ledger_consensus::Input;
use ledger_types::{ConsensusMessage, Digest, Policy, Timeout, ValidatorIndex, VoteKind};

use crate::cluster::{Cluster, LEDGER, key};

#[test]
fn a_silent_leader_is_replaced() {
    // The ledger goes on without its leader, and the next one stays.
    for (policy, n) in [(Policy::Bft, 4), (Policy::Cft, 3), (Policy::Bft, 7)] {
        let mut cluster = Cluster::new(policy, n);
        cluster.nodes[0].up = false;
        assert!(cluster.reaches(5, 60_000), "{policy:?} n={n}");
        let last = cluster.nodes[1].decided.last().unwrap();
        assert_ne!(last.0.proposer, ValidatorIndex(0));
        assert!(cluster.accused().is_empty(), "silence is no fraud");
    }
}

#[test]
fn two_silent_leaders_in_a_row_are_replaced() {
    // f = 2: rounds 0 and 1 both fail.
    let mut cluster = Cluster::new(Policy::Bft, 7);
    cluster.nodes[0].up = false;
    cluster.nodes[1].up = false;
    assert!(cluster.reaches(3, 120_000));
}

#[test]
fn a_block_that_may_be_decided_is_proposed_again() {
    // Commit votes of height 1 reach only node 3, which decides and falls silent: whoever leads
    // next must propose the same block.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.deliver = Box::new(|_, to, message| match message {
        ConsensusMessage::Vote(v) if v.height == 1 && v.round == 0 => {
            v.kind == VoteKind::Prepare && v.voter != ValidatorIndex(3) || to == 3
        }
        ConsensusMessage::Decision(_) => false,
        ConsensusMessage::Proposal(_)
        | ConsensusMessage::Timeout(_)
        | ConsensusMessage::Vote(_) => true,
    });
    for at in 0..4 {
        cluster.tell(at, Input::Work);
    }
    assert!(cluster.run(900, |c| c.nodes[3].engine.height() == 2), "node 3 must decide alone");
    let first = cluster.nodes[3].decided[0].0.clone();
    assert!(cluster.nodes[..3].iter().all(|n| n.engine.height() == 1));
    cluster.nodes[3].up = false;
    cluster.nodes[0].up = true;
    assert!(cluster.reaches(2, 60_000));
    assert_eq!(cluster.nodes[0].decided[0].0, first, "the block decided by one is decided by all");
}

#[test]
fn one_shouting_node_moves_nobody() {
    // A single validator announcing a huge round has stalled other products' chains.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    for round in [1, 1_000, u32::MAX] {
        let shout = Timeout::sign(&key(3), LEDGER, ValidatorIndex(3), 0, 1, round, None, None);
        for to in 0..3 {
            cluster.forge(3, to, ConsensusMessage::Timeout(Box::new(shout.clone())));
        }
    }
    cluster.nodes[3].up = true;
    assert!(cluster.reaches(10, 5_000));
    assert!(cluster.nodes[0].decided.iter().all(|(_, c)| c.round == 0), "no round was lost");
}

#[test]
fn an_invalid_block_gets_no_votes_and_its_leader_is_replaced() {
    // Three of four find the leader's blocks invalid (for example a wrong execution root).
    let mut cluster = Cluster::new(Policy::Bft, 4);
    let leader_block = |d: &Digest, c: &Cluster| {
        c.nodes[1].engine.seen(d).is_some_and(|(h, _)| h.proposer == ValidatorIndex(0))
    };
    for at in 1..4 {
        cluster.nodes[at].refuses = true;
    }
    assert!(!cluster.reaches(1, 900), "no block of the leader may pass");
    assert!(!leader_block(&Digest::ZERO, &cluster));
    for at in 1..4 {
        cluster.nodes[at].refuses = false;
    }
    assert!(cluster.reaches(3, 60_000), "the next leader's blocks pass");
    assert_ne!(cluster.nodes[1].decided[0].0.proposer, ValidatorIndex(0));
}

#[test]
fn a_node_that_missed_everything_catches_up() {
    // Ten heights behind, it fetches, then votes again.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.nodes[3].up = false;
    assert!(cluster.reaches(10, 5_000));
    cluster.nodes[3].up = true;
    cluster.introduce();
    assert!(cluster.reaches(20, 60_000));
    cluster.nodes[2].up = false;
    assert!(cluster.reaches(25, 60_000), "its vote is needed now");
}

#[test]
fn a_node_that_ran_ahead_alone_waits_for_the_others() {
    // Once rounds have their full length, a node that is more than one round ahead would stay
    // ahead for ever; if one of the others is down, no round would ever be complete.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.nodes[1].up = false;
    cluster.deliver = Box::new(|from, to, _| from != 3 && to != 3);
    cluster.tell(3, Input::Work);
    cluster.run(100_000, |_| false);
    cluster.tell(0, Input::Work);
    cluster.tell(2, Input::Work);
    cluster.run(400_000, |_| false);
    cluster.deliver = Box::new(|_, _, _| true);
    assert!(cluster.reaches(1, 400_000), "three of four live nodes must come together");
}
