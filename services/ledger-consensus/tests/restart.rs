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
fn a_node_without_its_vote_log_stays_silent_until_all_it_may_have_said_is_decided() {
    // Amnesia is how a restart forks a ledger; the others decide without it. It may have been one
    // height ahead of what they can show.
    let mut cluster = voted_but_undecided();
    cluster.restart(3, false);
    assert!(!cluster.nodes[3].engine.may_vote(), "it may have voted at this height");
    cluster.deliver = Box::new(|_, _, _| true);
    assert!(cluster.reaches(3, 60_000));
    assert!(cluster.nodes[3].engine.may_vote(), "everything is decided: it may speak again");
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
fn who_came_into_a_round_in_silence_says_so_when_it_may_speak_again() {
    // The others wait for its timeout, and it for theirs: six nodes stood still for ever.
    let mut cluster = Cluster::new(Policy::Bft, 6);
    cluster.nodes[0].up = false;
    let silent = [3, 4];
    silent.iter().for_each(|at| cluster.nodes[*at].engine.withdraw());
    assert!(!cluster.reaches(1, 20_000), "three of six decide nothing");
    for at in silent {
        assert!(cluster.nodes[at].engine.round() > 0, "it follows those that leave the leader");
        cluster.nodes[at].engine.rejoin();
    }
    assert!(cluster.reaches(3, 60_000), "five of six go on");
}

#[test]
fn a_height_that_nobody_has_reached_does_not_end_the_catching_up() {
    // One lying peer must not keep a late node late.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    cluster.nodes[3].up = false;
    assert!(cluster.reaches(5, 5_000));
    cluster.nodes[3].up = true;
    let peer = ValidatorIndex(0);
    let lie = Input::PeerHeight { peer, in_progress: u64::MAX, heard_me: 0, proof: None };
    cluster.tell(3, lie);
    assert!(cluster.reaches(12, 60_000));
}

/// What a lying head may claim: any height, with no certificate or one that does not hold.
fn lying_heads(cluster: &Cluster) -> Vec<Input> {
    let (_, certificate) = cluster.nodes[0].decided.last().unwrap();
    let mut forged = certificate.clone();
    forged.height = u64::MAX - 1;
    let mut thin = certificate.clone();
    thin.height += 40;
    thin.signatures.truncate(1);
    let head = |in_progress, proof| {
        let peer = ValidatorIndex(0);
        Input::PeerHeight { peer, in_progress, heard_me: u64::MAX, proof }
    };
    vec![head(u64::MAX, None), head(u64::MAX, Some(forged)), head(41, Some(thin)), head(0, None)]
}

#[test]
fn a_lying_head_does_not_silence_a_node_for_ever() {
    // A height that nobody has reached is never decided: a word for it must not count.
    for lie in 0..4 {
        let mut cluster = Cluster::new(Policy::Bft, 4);
        assert!(cluster.reaches(5, 5_000));
        cluster.introduces = false;
        cluster.restart(3, false);
        let lie = lying_heads(&cluster).swap_remove(lie);
        cluster.tell(3, lie.clone());
        for peer in [1, 2] {
            cluster.tell(3, cluster.head(peer, 3));
        }
        assert!(!cluster.nodes[3].engine.may_vote());
        assert!(cluster.reaches(9, 60_000));
        assert!(
            cluster.nodes[3].engine.may_vote(),
            "three heads are enough, whatever {lie:?} says"
        );
    }
}

#[test]
fn two_witnesses_of_four_are_not_enough_to_end_the_asking() {
    // One of two may lie and the other be late: together they know nothing of what this node said.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    assert!(cluster.reaches(5, 5_000));
    cluster.introduces = false;
    cluster.restart(3, false);
    for lie in lying_heads(&cluster) {
        cluster.tell(3, lie);
    }
    cluster.tell(3, cluster.head(1, 3));
    assert!(cluster.reaches(12, 60_000), "the others go on, and it follows");
    assert!(!cluster.nodes[3].engine.may_vote(), "it has not heard from enough peers");
    cluster.introduce();
    assert!(cluster.reaches(16, 60_000));
    assert!(cluster.nodes[3].engine.may_vote());
}

#[test]
fn a_commit_vote_shows_its_height_though_the_blocks_before_it_are_lost() {
    // A power cut may take un-synced blocks and leave the votes after them; the witness must not
    // look as if it had never been there.
    let mut cluster = Cluster::new(Policy::Bft, 4);
    assert!(cluster.reaches(4, 5_000));
    let node = &cluster.nodes[2];
    let commit = |r: &ledger_consensus::Record| matches!(r, ledger_consensus::Record::Commit { vote, .. } if vote.height == 4);
    assert!(node.log.iter().any(commit));
    let (decided, log) = (node.decided[..2].to_vec(), node.log.clone());
    cluster.introduces = false;
    cluster.restart_from(2, 3, decided, log);
    assert_eq!(cluster.nodes[2].engine.height(), 3, "the blocks are lost");
    let proof = cluster.nodes[2].engine.proof().expect("it has decided blocks");
    assert!(proof.height >= 4, "height 4 was in progress: {proof:?}");
}
