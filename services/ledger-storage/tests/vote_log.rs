//! A vote that was acknowledged is never forgotten without the node knowing.

use ledger_storage::{Disk, SimulatedDisk, VoteLog, VoteLogState};

use crate::fixture::LEDGER;

fn open(disk: &SimulatedDisk) -> (VoteLog<SimulatedDisk>, VoteLogState) {
    VoteLog::open(disk.clone(), LEDGER).unwrap()
}

fn with_votes(disk: &SimulatedDisk) -> VoteLog<SimulatedDisk> {
    let (mut log, _) = open(disk);
    for height in 1..=3 {
        log.append(height, &[u8::try_from(height).unwrap(); 40]).unwrap();
    }
    log.sync().unwrap();
    log
}

#[test]
fn votes_come_back_in_order() {
    let disk = SimulatedDisk::new(1);
    assert_eq!(open(&disk).1, VoteLogState::Fresh);
    drop(with_votes(&disk));
    let (_, state) = open(&disk);
    let VoteLogState::Intact(records) = state else { panic!("{state:?}") };
    assert_eq!(records, [(1, vec![1; 40]), (2, vec![2; 40]), (3, vec![3; 40])]);
}

#[test]
fn every_changed_byte_before_the_last_record_is_damage() {
    // A silently shortened log is amnesia, and amnesia forks ledgers.
    let disk = SimulatedDisk::new(1);
    drop(with_votes(&disk));
    let name = disk.list().unwrap().into_iter().find(|n| n.starts_with("votes-")).unwrap();
    let before_last = disk.len(&name).unwrap() - 56;
    for offset in 0..before_last {
        let copy = SimulatedDisk::new(1);
        drop(with_votes(&copy));
        copy.rot(&name, offset, 4);
        let (_, state) = open(&copy);
        assert!(matches!(state, VoteLogState::Damaged(_)), "byte {offset}: {state:?}");
    }
}

#[test]
fn three_of_four_superblock_copies_may_rot() {
    let disk = SimulatedDisk::new(1);
    drop(with_votes(&disk));
    for copy in 0..3 {
        disk.rot("votes.super", copy * 64 + 25, 1);
    }
    assert!(matches!(open(&disk).1, VoteLogState::Intact(_)));
    disk.rot("votes.super", 3 * 64 + 25, 1);
    assert!(matches!(open(&disk).1, VoteLogState::Damaged(_)));
    assert!(matches!(open(&disk).1, VoteLogState::Damaged(_)), "nothing was said since");
}

#[test]
fn a_loss_is_remembered_until_the_node_speaks_again() {
    // Between its loss and its next word a node may restart any number of times: the new, empty log
    // must not pass for all that it ever said.
    let mut disk = SimulatedDisk::new(1);
    drop(with_votes(&disk));
    disk.remove("votes.super").unwrap();
    for start in 0..3 {
        let state = open(&disk).1;
        assert!(matches!(state, VoteLogState::Damaged(_)), "start {start}: {state:?}");
    }
    let (mut log, _) = open(&disk);
    log.append(9, b"the first word since").unwrap();
    log.append(10, b"and another").unwrap();
    log.sync().unwrap();
    let state = open(&disk).1;
    let VoteLogState::Resumed { records, from } = state else { panic!("{state:?}") };
    assert_eq!((records.len(), from), (2, 9));
}

#[test]
fn compaction_does_not_forget_a_loss() {
    // A silent node follows decisions, and forgets below them, before it may speak again.
    let disk = SimulatedDisk::new(1);
    let (mut log, _) = open(&disk);
    log.append(1, &vec![1; 64 * 1024 * 1024]).unwrap();
    log.sync().unwrap();
    log.distrust().unwrap();
    log.forget_below(2).unwrap();
    let state = open(&disk).1;
    assert!(matches!(state, VoteLogState::Damaged(_)), "{state:?}");
}

#[test]
fn a_log_that_is_whole_can_be_distrusted_with_what_it_holds() {
    // What goes with it is gone, for example the blocks: its records still count as said.
    let disk = SimulatedDisk::new(1);
    with_votes(&disk).distrust().unwrap();
    let (mut log, state) = open(&disk);
    assert!(matches!(state, VoteLogState::Damaged(_)), "{state:?}");
    log.distrust().unwrap();
    let fresh = SimulatedDisk::new(2);
    open(&fresh).0.distrust().unwrap();
    assert!(matches!(open(&fresh).1, VoteLogState::Damaged(_)), "a new one too");
}

#[test]
fn a_missing_file_is_damage() {
    for gone in ["votes.super", "votes-0000000001.log"] {
        let mut disk = SimulatedDisk::new(1);
        drop(with_votes(&disk));
        disk.remove(gone).unwrap();
        assert!(matches!(open(&disk).1, VoteLogState::Damaged(_)), "{gone} is gone");
    }
}

#[test]
fn compaction_keeps_what_matters_through_a_crash_at_any_step() {
    // Rewriting the log must not be the moment in which votes get lost.
    let mut compacted = false;
    for stop in 0..40 {
        let disk = SimulatedDisk::new(stop);
        let (mut log, _) = open(&disk);
        log.append(1, &vec![1; 64 * 1024 * 1024 - 64]).unwrap();
        log.append(2, b"still undecided").unwrap();
        log.sync().unwrap();
        disk.fail_after(stop);
        let result = log.forget_below(2);
        compacted |= result.is_ok();
        disk.crash();
        let (_, state) = open(&disk);
        let VoteLogState::Intact(records) = state else { panic!("stop {stop}: {state:?}") };
        let kept = records.iter().any(|(h, p)| *h == 2 && p == b"still undecided");
        assert!(kept, "stop {stop}: the undecided vote is gone");
    }
    assert!(compacted, "no run got through the whole compaction");
}
