//! One list of expectations for the real and the simulated disk.

use std::io::ErrorKind;

use ledger_storage::{Disk, FileDisk, SimulatedDisk};

fn behaves(disk: &mut dyn Disk) {
    assert!(disk.list().unwrap().is_empty());
    disk.create("a").unwrap();
    assert_eq!(disk.create("a").unwrap_err().kind(), ErrorKind::AlreadyExists);
    disk.append("a", b"one").unwrap();
    disk.append("a", b"two").unwrap();
    assert_eq!(disk.len("a").unwrap(), 6);
    let mut middle = [0; 3];
    disk.read_at("a", 2, &mut middle).unwrap();
    assert_eq!(&middle, b"etw");
    let beyond = disk.read_at("a", 5, &mut middle).unwrap_err();
    assert_eq!(beyond.kind(), ErrorKind::UnexpectedEof);
    disk.truncate("a", 4).unwrap();
    disk.append("a", b"!").unwrap();
    disk.sync("a").unwrap();
    disk.create("b").unwrap();
    disk.rename("a", "b").unwrap();
    disk.sync_directory().unwrap();
    assert_eq!(disk.list().unwrap(), ["b"]);
    let mut all = [0; 5];
    disk.read_at("b", 0, &mut all).unwrap();
    assert_eq!(&all, b"onet!");
    assert_eq!(disk.len("a").unwrap_err().kind(), ErrorKind::NotFound);
    disk.remove("b").unwrap();
    assert!(disk.list().unwrap().is_empty());
}

#[test]
fn both_disks_behave_alike() {
    // What is proven on the simulated disk must hold on the real one.
    behaves(&mut SimulatedDisk::new(1));
    let directory = tempfile::tempdir().unwrap();
    behaves(&mut FileDisk::open(&directory.path().join("new")).unwrap());
}

#[test]
fn a_crash_keeps_what_was_synced_and_tears_the_rest() {
    // The simulated disk must really do its worst, or the crash tests prove nothing.
    let (mut torn, mut lost, mut whole, mut zeroed, mut nameless) = (0, 0, 0, 0, 0);
    for seed in 0..400 {
        let mut disk = SimulatedDisk::new(seed);
        disk.create("a").unwrap();
        disk.append("a", b"kept").unwrap();
        disk.sync("a").unwrap();
        disk.sync_directory().unwrap();
        disk.append("a", b"risky").unwrap();
        disk.create("b").unwrap();
        disk.crash();
        let len = usize::try_from(disk.len("a").unwrap()).unwrap();
        let mut bytes = vec![0; len];
        disk.read_at("a", 0, &mut bytes).unwrap();
        assert!(bytes.starts_with(b"kept"), "seed {seed}: synced bytes are gone: {bytes:?}");
        match len {
            4 => lost += 1,
            9 if bytes.ends_with(b"risky") => whole += 1,
            _ => torn += 1,
        }
        zeroed += usize::from(bytes.contains(&0));
        nameless += usize::from(!disk.list().unwrap().contains(&"b".to_owned()));
    }
    for (what, count) in [
        ("torn", torn),
        ("lost", lost),
        ("whole", whole),
        ("zeroed", zeroed),
        ("nameless", nameless),
    ] {
        assert!(count > 10, "{what} happened only {count} times in 400 crashes");
    }
}
