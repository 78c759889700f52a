//! Bits that change on disk: found wherever they are, and repaired from whole copies.

use ledger_storage::{BlockLog, Disk, Scrubber, SimulatedDisk, StorageError};

use crate::{
    block_log::{SMALL, filled},
    fixture::{LEDGER, block},
};

fn first_segment(disk: &SimulatedDisk) -> String {
    disk.list().unwrap().into_iter().find(|name| name.ends_with(".log")).unwrap()
}

#[test]
fn a_changed_byte_of_an_index_is_found_and_mended() {
    // A rotten index would answer "no such transaction" for one that is there.
    let disk = SimulatedDisk::new(1);
    let mut log = filled(&disk, 20);
    let index = first_segment(&disk).replace(".log", ".idx");
    for offset in 0..disk.len(&index).unwrap() {
        disk.rot(&index, offset, 6);
        let found = Scrubber::whole_tour(&log).unwrap();
        assert_eq!(found.len(), 1, "byte {offset} of {index}");
        assert_eq!(found[0].file, index);
        log.repair(&found[0].file, &[]).unwrap();
        assert!(Scrubber::whole_tour(&log).unwrap().is_empty(), "byte {offset}");
    }
}

#[test]
fn the_scrubber_finds_a_changed_bit_in_every_byte_of_a_segment() {
    // Somebody edits a block file: whichever byte it is, the node notices.
    let disk = SimulatedDisk::new(1);
    let log = filled(&disk, 3);
    let name = first_segment(&disk);
    assert!(Scrubber::whole_tour(&log).unwrap().is_empty());
    for offset in 0..disk.len(&name).unwrap() {
        disk.rot(&name, offset, 5);
        let found = Scrubber::whole_tour(&log).unwrap();
        assert_eq!(found.len(), 1, "byte {offset} of {name} changed and was not found");
        let broken = &found[0];
        let covers = broken.offset <= offset && offset < broken.offset + broken.len.max(32);
        assert!(covers, "byte {offset} is reported at {broken:?}");
        disk.rot(&name, offset, 5);
    }
}

#[test]
fn small_steps_make_a_whole_tour() {
    let disk = SimulatedDisk::new(1);
    let log = filled(&disk, 20);
    disk.rot(&first_segment(&disk), 100, 1);
    let mut scrubber = Scrubber::starting_at(2);
    let (mut found, mut steps) = (0, 0);
    while scrubber.tours() < 2 {
        found += scrubber.step(&log, 1).unwrap().len();
        steps += 1;
        assert!(steps < 1_000, "the tour never ends");
    }
    assert!(found >= 1, "two tours must meet the changed byte");
}

#[test]
fn a_changed_byte_in_the_middle_is_corruption_not_a_torn_tail() {
    // Truncating there would throw away acknowledged blocks.
    let disk = SimulatedDisk::new(1);
    drop(filled(&disk, 3));
    let name = first_segment(&disk);
    for offset in 32..disk.len(&name).unwrap() / 3 {
        disk.rot(&name, offset, 2);
        let log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
        assert_eq!((log.head(), log.whole_to()), (3, 0), "byte {offset}");
        assert!(!log.corruptions().is_empty(), "byte {offset}");
        assert!(log.read(1).is_err() && log.read(3).is_ok(), "byte {offset}");
        disk.rot(&name, offset, 2);
    }
}

#[test]
fn repair_takes_blocks_from_peers_and_keeps_the_corrupt_original() {
    let disk = SimulatedDisk::new(1);
    let mut log = filled(&disk, 20);
    let name = first_segment(&disk);
    disk.rot(&name, 50, 2);
    let broken = Scrubber::whole_tour(&log).unwrap();
    let (from, to) = log.heights_of(&broken[0].file).unwrap();
    let nothing = log.repair(&name, &[]).unwrap_err();
    assert!(matches!(nothing, StorageError::Incomplete { height: 1, .. }));
    let fetched: Vec<_> = (from..=to).map(block).collect();
    log.repair(&name, &fetched).unwrap();
    assert!(Scrubber::whole_tour(&log).unwrap().is_empty());
    let kept = disk.list().unwrap().into_iter().filter(|n| n.starts_with("corrupt-")).count();
    assert_eq!(kept, 1, "the corrupt original is evidence");
    let log = BlockLog::open(disk, LEDGER, SMALL).unwrap();
    assert!((1..=20).all(|height| log.read(height).unwrap() == block(height)));
}

#[test]
fn a_removed_or_shortened_file_is_corruption_and_mended() {
    // Whoever deletes evidence must not stop the node, and must not go unnoticed.
    let disk = SimulatedDisk::new(1);
    let mut log = filled(&disk, 20);
    let name = first_segment(&disk);
    let (from, to) = log.heights_of(&name).unwrap();
    let fetched: Vec<_> = (from..=to).map(block).collect();
    disk.clone().truncate(&name, 40).unwrap();
    assert!(!Scrubber::whole_tour(&log).unwrap().is_empty(), "a shortened file goes unnoticed");
    let kept = log.repair(&name, &fetched).unwrap();
    assert!(kept.is_some_and(|copy| disk.len(&copy).unwrap() == 40), "the original is evidence");
    assert!(Scrubber::whole_tour(&log).unwrap().is_empty());

    disk.clone().remove(&name).unwrap();
    assert!(!Scrubber::whole_tour(&log).unwrap().is_empty(), "a removed file goes unnoticed");
    assert_eq!(log.repair(&name, &fetched).unwrap(), None, "nothing is left to keep");
    assert!(Scrubber::whole_tour(&log).unwrap().is_empty());

    // The same while nothing runs.
    disk.clone().remove(&name).unwrap();
    let mut log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
    assert_eq!((log.head(), log.whole_to()), (20, 0));
    assert!(log.damaged().into_iter().eq([name.clone()]), "one file is damaged");
    log.repair(&name, &fetched).unwrap();
    assert!(log.damaged().is_empty() && log.whole_to() == 20);
}

#[test]
fn corrupt_originals_are_bounded() {
    let disk = SimulatedDisk::new(1);
    let mut log = filled(&disk, 3);
    let name = first_segment(&disk);
    for _ in 0..12 {
        disk.rot(&name, 50, 2);
        log.repair(&name, &[block(1), block(2), block(3)]).unwrap();
    }
    let kept = disk.list().unwrap().into_iter().filter(|n| n.starts_with("corrupt-")).count();
    assert_eq!(kept, 8);
}

#[test]
fn a_broken_end_before_a_segment_without_blocks_is_the_end_of_the_blocks() {
    // A crash may leave a sealed segment and a next one with nothing, or with a torn write. If the
    // sealed one's last record rots, the block that a peer sends again must land where it was, not
    // behind it; and the node must start.
    for left in [32, 40, 60] {
        let disk = SimulatedDisk::new(1);
        let mut log = filled(&disk, 1);
        let sealed = first_segment(&disk);
        while disk.list().unwrap().iter().filter(|n| n.ends_with(".log")).count() == 1 {
            log.append(&block(log.head() + 1)).unwrap();
        }
        log.sync().unwrap();
        let head = log.head();
        drop(log);
        let mut plain = disk.clone();
        let last = disk.list().unwrap().into_iter().rfind(|n| n.ends_with(".log")).unwrap();
        plain.truncate(&last, left).unwrap();
        plain.sync(&last).unwrap();
        disk.rot(&sealed, disk.len(&sealed).unwrap() - 1, 3);

        let mut log = BlockLog::open(disk.clone(), LEDGER, SMALL).unwrap();
        assert_eq!(log.head(), head - 2, "one block was cut off, one is broken");
        assert!(log.read(head - 2).is_ok(), "a start reads the last block");
        for height in head - 1..=head + 3 {
            log.append(&block(height)).unwrap();
            log.sync().unwrap();
        }
        assert_eq!(log.whole_to(), head + 3);
        let again = BlockLog::open(disk, LEDGER, SMALL).unwrap();
        assert_eq!((again.whole_to(), again.damaged().len()), (head + 3, 0));
    }
}

#[test]
fn a_last_block_with_a_true_checksum_that_was_not_certified_is_corrupt() {
    // Whoever edits a block can write its checksum too: the node starts all the same, and asks.
    let disk = SimulatedDisk::new(1);
    drop(filled(&disk, 2));
    let name = first_segment(&disk);
    let mut forged = block(3);
    forged.certificate.block = block(2).certificate.block;
    let payload = ledger_types::codec::encode(&forged);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&3u64.to_le_bytes()), &payload);
    let length = u32::try_from(payload.len()).unwrap();
    let head = [&length.to_le_bytes()[..], &checksum.to_le_bytes(), &3u64.to_le_bytes()].concat();
    let mut plain = disk.clone();
    plain.append(&name, &[head, payload].concat()).unwrap();
    plain.sync(&name).unwrap();

    let mut log = BlockLog::open(disk, LEDGER, SMALL).unwrap();
    assert_eq!((log.head(), log.damaged().len()), (2, 1));
    log.append(&block(3)).unwrap();
    log.repair(&name, &[]).unwrap();
    assert_eq!((log.whole_to(), log.damaged().len()), (3, 0));
}
