//! Cheats: they neither divide the honest nor escape, and nobody else is accused.

use ledger_consensus::{Evidence, HaltReason};
use ledger_types::{
    ConsensusMessage, LastVote, Policy, Proposal, Quorum, Timeout, ValidatorIndex, Vote, VoteKind,
};

use crate::cluster::{Cluster, GENESIS, LEDGER, header, key};

fn keys(n: u16) -> Vec<ledger_types::PublicKey> {
    (0..n).map(|i| key(i).public_key()).collect()
}

fn assert_convicts(cluster: &Cluster, culprit: u16) {
    let n = u16::try_from(cluster.nodes.len()).unwrap();
    let quorum = Quorum::new(cluster.policy, n);
    let evidence: Vec<&Evidence> = cluster.nodes.iter().flat_map(|n| &n.evidence).collect();
    assert!(!evidence.is_empty(), "nobody noticed the fraud");
    for piece in evidence {
        assert_eq!(
            piece.culprit(),
            ValidatorIndex(culprit),
            "an honest node is accused: {piece:?}"
        );
        assert!(piece.holds(LEDGER, &keys(n), &quorum), "a third party must be convinced");
    }
}

#[test]
fn a_leader_with_two_blocks_divides_nobody_and_is_convicted() {
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.nodes[0].up = false;
    for (to, salt) in [(1, 1), (2, 2), (3, 1), (1, 2), (2, 1), (3, 2)] {
        let header = header(1, GENESIS, 0, salt);
        cluster.publish(&header);
        let proposal =
            Proposal::sign(&key(0), LEDGER, ValidatorIndex(0), 0, header, vec![], vec![], None);
        cluster.tell(
            to,
            ledger_consensus::Input::Message {
                from: ValidatorIndex(0),
                message: ConsensusMessage::Proposal(Box::new(proposal)),
            },
        );
    }
    assert!(cluster.reaches(3, 60_000), "the honest three go on");
    assert_convicts(&cluster, 0);
}

#[test]
fn a_voter_with_two_votes_is_convicted() {
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.deliver = Box::new(|_, _, m| !matches!(m, ConsensusMessage::Vote(v) if v.voter.0 < 3));
    for salt in [1, 2] {
        let block = header(1, GENESIS, 0, salt).digest(LEDGER);
        let vote = Vote::sign(&key(3), LEDGER, ValidatorIndex(3), VoteKind::Commit, 0, 1, 0, block);
        cluster.forge(3, 1, ConsensusMessage::Vote(vote));
    }
    cluster.run(100, |_| false);
    assert_convicts(&cluster, 3);
}

#[test]
fn a_timeout_that_hides_a_vote_convicts() {
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.deliver = Box::new(|from, _, _| from == 3);
    let block = header(1, GENESIS, 0, 1).digest(LEDGER);
    let vote = Vote::sign(&key(3), LEDGER, ValidatorIndex(3), VoteKind::Prepare, 0, 1, 0, block);
    let lie = Timeout::sign(&key(3), LEDGER, ValidatorIndex(3), 0, 1, 1, None, None);
    cluster.forge(3, 1, ConsensusMessage::Vote(vote.clone()));
    cluster.forge(3, 1, ConsensusMessage::Timeout(Box::new(lie.clone())));
    // The other order must convict as well.
    cluster.forge(3, 2, ConsensusMessage::Timeout(Box::new(lie)));
    cluster.forge(3, 2, ConsensusMessage::Vote(vote));
    cluster.run(100, |_| false);
    assert!(!cluster.nodes[1].evidence.is_empty() && !cluster.nodes[2].evidence.is_empty());
    assert_convicts(&cluster, 3);
}

#[test]
fn a_leader_that_disobeys_its_justification_is_convicted_and_not_followed() {
    let mut cluster = Cluster::new(Policy::Bft, 4);
    for at in 0..4 {
        cluster.nodes[at].refuses = at != 1;
    }
    cluster.deliver = Box::new(|_, _, _| false);
    let voted = header(1, GENESIS, 0, 1);
    let timeouts: Vec<Timeout> = [0, 2, 3]
        .into_iter()
        .map(|v: u16| {
            let (index, block) = (ValidatorIndex(v), voted.digest(LEDGER));
            let vote = Vote::sign(&key(v), LEDGER, index, VoteKind::Prepare, 0, 1, 0, block);
            let last = LastVote { round: 0, block, signature: vote.signature };
            Timeout::sign(&key(v), LEDGER, index, 0, 1, 1, Some(last), None)
        })
        .collect();
    let other = header(1, GENESIS, 1, 9);
    let leader = ValidatorIndex(1);
    let bad = Proposal::sign(&key(1), LEDGER, leader, 1, other, vec![], timeouts, None);
    cluster.tell(
        2,
        ledger_consensus::Input::Message {
            from: leader,
            message: ConsensusMessage::Proposal(Box::new(bad)),
        },
    );
    assert!(cluster.nodes[2].log.is_empty(), "no vote for a forbidden block");
    assert_convicts(&cluster, 1);
}

#[test]
fn signatures_of_others_and_of_other_ledgers_count_for_nothing() {
    let mut cluster = Cluster::new(Policy::Bft, 4);
    let block = header(1, GENESIS, 0, 1).digest(LEDGER);
    let other = ledger_types::LedgerId([9; 16]);
    let foreign = Vote::sign(&key(2), other, ValidatorIndex(2), VoteKind::Commit, 0, 1, 0, block);
    let stolen = Vote::sign(&key(3), LEDGER, ValidatorIndex(2), VoteKind::Commit, 0, 1, 0, block);
    let unknown = Vote::sign(&key(9), LEDGER, ValidatorIndex(9), VoteKind::Commit, 0, 1, 0, block);
    for vote in [foreign, stolen, unknown] {
        cluster.forge(3, 1, ConsensusMessage::Vote(vote));
    }
    assert!(cluster.reaches(5, 5_000));
    assert!(cluster.accused().is_empty(), "forgeries must accuse nobody");
}

#[test]
fn under_cft_one_lie_stops_the_node_that_sees_it() {
    // Majorities of crash-tolerant nodes cannot outvote a liar: stop and say who.
    let mut cluster = Cluster::new(Policy::Cft, 3);
    cluster.deliver = Box::new(|from, _, _| from == 2);
    for salt in [1, 2] {
        let block = header(1, GENESIS, 0, salt).digest(LEDGER);
        let vote =
            Vote::sign(&key(2), LEDGER, ValidatorIndex(2), VoteKind::Prepare, 0, 1, 0, block);
        cluster.forge(2, 1, ConsensusMessage::Vote(vote));
    }
    cluster.run(100, |_| false);
    let expected = HaltReason::Fraud { height: 1, validator: ValidatorIndex(2) };
    assert_eq!(cluster.nodes[1].halted, Some(expected));
    assert_convicts(&cluster, 2);
}
