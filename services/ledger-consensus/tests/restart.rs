//! What a node may say after a crash.

use ledger_consensus::Input;
use ledger_types::{ConsensusMessage, Policy, ValidatorIndex};

use crate::cluster::Cluster;

/// Runs height 1 until every node has voted but nobody has decided: commit votes are lost.
fn voted_but_undecided() -> Cluster {
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.deliver = Box::new(|_, _, message| matches!(message, ConsensusMessage::Proposal(_)));
    for at in 0..4 {
        cluster.tell(at, Input::Work);
    }
    assert!(cluster.run(100, |c| c.nodes.iter().all(|n| !n.log.is_empty())));
    cluster.run(100, |_| false);
    cluster
}

#[test]
fn a_restarted_node_repeats_its_vote_and_never_contradicts_it() {
    // The vote on disk is the vote that counts, whatever happens to the process.
    let mut cluster = voted_but_undecided();
    let before = cluster.nodes[2].log.clone();
    cluster.restart(2, true);
    cluster.deliver = Box::new(|_, _, _| true);
    assert!(cluster.reaches(3, 60_000));
    assert_eq!(cluster.nodes[2].log[..before.len()], before[..]);
    assert!(cluster.accused().is_empty(), "no honest node may look like a cheat");
}

#[test]
fn the_whole_cluster_restarts_in_the_middle_of_a_height() {
    // A power cut for all: nobody is ahead, everybody may vote at once.
    let mut cluster = voted_but_undecided();
    for at in 0..4 {
        cluster.restart(at, true);
    }
    cluster.deliver = Box::new(|_, _, _| true);
    assert!(cluster.reaches(5, 60_000));
    assert!(cluster.accused().is_empty());
}

#[test]
fn a_restarted_leader_proposes_the_same_block() {
    // Two proposals in one round would be fraud; the one on disk is sent again.
    let mut cluster = voted_but_undecided();
    cluster.restart(0, true);
    cluster.deliver = Box::new(|_, _, _| true);
    assert!(cluster.reaches(3, 60_000));
    assert!(cluster.accused().is_empty());
}

#[test]
fn a_node_without_its_vote_log_stays_silent_until_the_height_is_decided() {
    // Amnesia is how a restart forks a ledger; the others decide the height without it.
    let mut cluster = voted_but_undecided();
    cluster.restart(3, false);
    assert!(!cluster.nodes[3].engine.may_vote(), "it may have voted at this height");
    cluster.deliver = Box::new(|_, _, _| true);
    assert!(cluster.reaches(1, 60_000));
    assert!(cluster.nodes[3].engine.may_vote(), "height 1 is decided: it may speak again");
    let own = ValidatorIndex(3);
    let (_, certificate) = &cluster.nodes[0].decided[0];
    let after = cluster.nodes[3].log.iter().any(|r| r.height() == 1);
    assert!(!after, "it must not have voted at height 1 after the loss");
    // Its vote from before the loss may be in the certificate; that one is true.
    let _ = certificate.signatures.iter().any(|(voter, _)| *voter == own);
}

#[test]
fn an_old_copy_of_the_folder_is_caught_by_the_votes_that_peers_hold() {
    // The log is whole but old: it lacks a vote that the peers have seen.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.deliver = Box::new(|_, _, message| match message {
        ConsensusMessage::Vote(vote) => vote.kind == ledger_types::VoteKind::Prepare,
        ConsensusMessage::Proposal(_) | ConsensusMessage::Timeout(_) => true,
        ConsensusMessage::Decision(_) => false,
    });
    // Only three take part, so prepare votes alone decide nothing.
    cluster.nodes[1].up = false;
    for at in [0, 2, 3] {
        cluster.tell(at, Input::Work);
    }
    cluster.run(100, |_| false);
    cluster.nodes[3].log.clear();
    cluster.restart(3, true);
    cluster.run(200, |_| false);
    assert!(!cluster.nodes[3].engine.may_vote(), "its own vote came back from a peer");
}

#[test]
fn a_lone_node_does_not_vote_before_it_has_heard_the_others() {
    // Alone it cannot know whether its folder is an old copy.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    for at in 1..4 {
        cluster.nodes[at].up = false;
    }
    cluster.restart(0, true);
    assert!(!cluster.nodes[0].engine.may_vote());
    for at in 1..4 {
        cluster.nodes[at].up = true;
    }
    cluster.introduce();
    assert!(cluster.nodes[0].engine.may_vote());
}

#[test]
fn an_old_copy_from_heights_ago_is_caught_by_what_peers_have_heard() {
    // A restored backup: its log is whole, but it has voted since.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    assert!(cluster.reaches(3, 1_000));
    let old = (cluster.nodes[3].decided.clone(), cluster.nodes[3].log.clone());
    assert!(cluster.reaches(9, 1_000));
    let height = u64::try_from(old.0.len()).unwrap();
    cluster.restart_from(3, height + 1, old.0, old.1);
    assert!(!cluster.nodes[3].engine.may_vote(), "peers have heard it at later heights");
    assert!(cluster.reaches(20, 60_000));
    assert!(cluster.nodes[3].engine.may_vote(), "everything it may have voted on is decided");
    assert!(cluster.accused().is_empty());
}

#[test]
fn a_node_that_is_merely_behind_may_vote_as_soon_as_it_has_caught_up() {
    // If being behind made nodes silent, a few slow restarts would halt the ledger.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.nodes[3].up = false;
    assert!(cluster.reaches(9, 5_000));
    cluster.nodes[3].up = true;
    cluster.restart(3, true);
    assert!(cluster.nodes[3].engine.may_vote());
}

#[test]
fn a_repaired_node_that_had_lost_its_votes_stays_silent_as_long_as_it_must() {
    // Withdrawing and coming back must not wash away an older reason for silence.
    let mut cluster = voted_but_undecided();
    cluster.restart(3, false);
    cluster.nodes[3].engine.withdraw();
    assert!(!cluster.nodes[3].engine.may_vote());
    cluster.nodes[3].engine.rejoin();
    assert!(!cluster.nodes[3].engine.may_vote(), "its votes at this height are still lost");
    cluster.deliver = Box::new(|_, _, _| true);
    assert!(cluster.reaches(3, 60_000));
    assert!(cluster.nodes[3].engine.may_vote());
}

#[test]
fn a_height_that_nobody_has_reached_does_not_end_the_catching_up() {
    // One lying peer must not keep a late node late.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.nodes[3].up = false;
    assert!(cluster.reaches(5, 5_000));
    cluster.nodes[3].up = true;
    let peer = ValidatorIndex(0);
    let lie = Input::PeerHeight { peer, in_progress: u64::MAX, heard_me: 0 };
    cluster.tell(3, lie);
    assert!(cluster.reaches(12, 60_000));
}
