//! A crash after every single operation, with everything the disk may do to un-synced writes.

use ledger_storage::{BlockLog, Disk as _, SimulatedDisk, VoteLog, VoteLogState};

use crate::{
    block_log::SMALL,
    fixture::{LEDGER, block},
};

/// Writes ten blocks, each with a vote before it; returns the last synced `(block, vote)`.
fn work(disk: &SimulatedDisk) -> (u64, u64) {
    let mut synced = (0, 0);
    let mut run = || -> Option<()> {
        let (mut votes, _) = VoteLog::open(disk.clone(), LEDGER).ok()?;
        let mut blocks = BlockLog::open(disk.clone(), LEDGER, SMALL).ok()?;
        for height in 1..=10 {
            votes.append(height, &height.to_le_bytes()).ok()?;
            votes.sync().ok()?;
            synced.1 = height;
            blocks.append(&block(height)).ok()?;
            blocks.sync().ok()?;
            synced.0 = height;
            votes.forget_below(height + 1).ok()?;
        }
        Some(())
    };
    run();
    synced
}

#[test]
fn nothing_synced_is_lost_and_nothing_is_invented() {
    let full = SimulatedDisk::new(0);
    assert_eq!(work(&full), (10, 10));
    let operations = full.operations();
    assert!(operations > 50);
    let mut dropped_tails = 0;
    for stop in 0..operations {
        for luck in 0..8 {
            let disk = SimulatedDisk::new(stop * 1_000 + luck);
            disk.fail_after(stop);
            let (blocks, votes) = work(&disk);
            disk.crash();

            let log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
            let context = format!("stop {stop} luck {luck}: synced {blocks}, found {}", log.head());
            assert!(log.corruptions().is_empty(), "{context}: a torn write is no corruption");
            assert!((blocks..=blocks + 1).contains(&log.head()), "{context}");
            for height in 1..=log.head() {
                assert_eq!(log.read(height).unwrap(), block(height), "{context}");
            }
            dropped_tails += u64::from(log.dropped_tail() > 0);

            match VoteLog::open(disk, LEDGER).unwrap().1 {
                VoteLogState::Fresh => assert_eq!(votes, 0, "{context}"),
                VoteLogState::Intact(records) => {
                    let last = records.last().map_or(0, |(height, _)| *height);
                    assert!((votes..=votes + 1).contains(&last), "{context}: votes {votes} {last}");
                }
                state @ (VoteLogState::Resumed { .. } | VoteLogState::Damaged(_)) => {
                    panic!("{context}: {state:?}")
                }
            }
        }
    }
    assert!(dropped_tails > 20, "only {dropped_tails} torn tails: the test is too kind");
}

#[test]
fn writing_goes_on_after_a_crash() {
    // Appending behind a dropped tail must not bury garbage.
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        for round in 1..=4u64 {
            let mut log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
            let head = log.head();
            for height in head + 1..=head + 3 {
                log.append(&block(height)).unwrap();
            }
            if round % 2 == 0 {
                log.sync().unwrap();
            }
            disk.crash();
        }
        let log = BlockLog::open(disk, LEDGER, SMALL).unwrap();
        assert!(log.head() >= 6, "seed {seed}: two synced rounds of three blocks");
        assert!((1..=log.head()).all(|height| log.read(height).is_ok()), "seed {seed}");
    }
}

#[test]
fn what_a_start_has_shown_outlives_a_power_cut() {
    // kill -9 leaves un-synced writes in the kernel; the next process reads them and acts on them
    // (repeats a vote, executes a block); then the power goes.
    let full = SimulatedDisk::new(0);
    work(&full);
    for stop in 0..full.operations() {
        for luck in 0..8 {
            let disk = SimulatedDisk::new(stop * 1_000 + luck);
            disk.fail_after(stop);
            work(&disk);
            disk.fail_after(u64::MAX);
            let shown = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap().head();
            let votes = VoteLog::open(disk.clone(), LEDGER).unwrap().1;
            disk.crash();

            let context = format!("stop {stop} luck {luck}");
            let log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
            assert_eq!(log.head(), shown, "{context}: sync the blocks that a start has found");
            match (votes, VoteLog::open(disk, LEDGER).unwrap().1) {
                (VoteLogState::Fresh, VoteLogState::Fresh) => {}
                (VoteLogState::Fresh, VoteLogState::Intact(after)) => {
                    assert!(after.is_empty(), "{context}: records from nowhere");
                }
                (VoteLogState::Intact(before), VoteLogState::Intact(after)) => {
                    assert_eq!(before, after, "{context}: sync the votes that a start has found");
                }
                (before, after) => panic!("{context}: {before:?} became {after:?}"),
            }
        }
    }
}

#[test]
fn a_segment_whose_making_a_power_cut_has_zeroed_was_never_in_use() {
    // The file's length survived and its header did not: taking that for corruption would silence
    // a node for a file that never held a block.
    let mut disk = SimulatedDisk::new(1);
    let name = "blocks-00000000000000000001.log";
    disk.create(name).unwrap();
    disk.append(name, &[0; 32]).unwrap();
    let mut log = BlockLog::open(disk, LEDGER, SMALL).unwrap();
    assert!(log.corruptions().is_empty(), "{:?}", log.corruptions());
    log.append(&block(1)).unwrap();
    assert_eq!(log.read(1).unwrap(), block(1));
}
