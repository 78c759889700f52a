//! Blocks go in, stay, and are found.

use ledger_storage::{BlockLog, BlockLogOptions, Disk, SimulatedDisk, StorageError};
use ledger_types::Digest;

use crate::fixture::{LEDGER, block, transaction};

pub(crate) const SMALL: BlockLogOptions = BlockLogOptions { segment_bytes: 2_500 };

pub(crate) fn filled(disk: &SimulatedDisk, heights: u64) -> BlockLog<SimulatedDisk> {
    let mut log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
    for height in log.head() + 1..=heights {
        log.append(&block(height)).unwrap();
    }
    log.sync().unwrap();
    log
}

#[test]
fn blocks_are_read_back_also_after_reopening_and_across_segments() {
    let disk = SimulatedDisk::new(1);
    drop(filled(&disk, 20));
    let log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
    let segments = disk.list().unwrap().iter().filter(|n| n.ends_with(".log")).count();
    assert!(segments > 3, "the test must cross segments, found {segments}");
    assert_eq!((log.head(), log.whole_to()), (20, 20));
    for height in 1..=20 {
        assert_eq!(log.read(height).unwrap(), block(height), "height {height}");
    }
    assert!(matches!(log.read(21), Err(StorageError::NoBlock(21))));
    assert!(matches!(log.read(0), Err(StorageError::NoBlock(0))));
}

#[test]
fn transactions_are_found_in_sealed_and_in_open_segments() {
    // Clients ask for a receipt by id, long after the block.
    let disk = SimulatedDisk::new(1);
    let log = filled(&disk, 20);
    let reopened = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
    for log in [&log, &reopened] {
        for height in 1..=20 {
            let id = transaction(2 * height + 1).id();
            assert_eq!(log.locate(&id).unwrap(), Some((height, 1)));
        }
        assert_eq!(log.locate(&Digest([1; 32])).unwrap(), None);
    }
}

#[test]
fn a_lost_or_broken_index_is_made_again() {
    // The index is derived: losing it must cost time, not data.
    let disk = SimulatedDisk::new(1);
    drop(filled(&disk, 20));
    let indexes: Vec<String> =
        disk.list().unwrap().into_iter().filter(|n| n.ends_with(".idx")).collect();
    disk.rot(&indexes[0], 60, 3);
    disk.clone().remove(&indexes[1]).unwrap();
    let log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
    assert!(log.corruptions().is_empty());
    assert_eq!(log.locate(&transaction(3).id()).unwrap(), Some((1, 1)));
    let made_again = disk.list().unwrap();
    assert!(indexes.iter().all(|index| made_again.contains(index)));
}

#[test]
fn heights_come_in_order() {
    let mut log = filled(&SimulatedDisk::new(1), 3);
    let again = log.append(&block(3)).unwrap_err();
    assert!(matches!(again, StorageError::OutOfOrder { have: 3, head: 3 }));
    let gap = log.append(&block(5)).unwrap_err();
    assert!(matches!(gap, StorageError::OutOfOrder { have: 5, head: 3 }));
}

#[test]
fn another_ledgers_folder_is_noticed() {
    // Mixing up two nodes' folders must not pass silently.
    let disk = SimulatedDisk::new(1);
    drop(filled(&disk, 3));
    let other = ledger_types::LedgerId([6; 16]);
    let log = BlockLog::open(disk, other, SMALL).unwrap();
    assert!(!log.corruptions().is_empty());
}

#[test]
fn a_full_disk_is_an_error_and_nothing_synced_is_lost() {
    let disk = SimulatedDisk::new(1);
    let mut log = filled(&disk, 3);
    disk.fail_after(0);
    assert!(matches!(log.append(&block(4)), Err(StorageError::Disk(_))));
    disk.crash();
    let log = BlockLog::open(disk, LEDGER, SMALL).unwrap();
    assert_eq!(log.whole_to(), 3);
}
