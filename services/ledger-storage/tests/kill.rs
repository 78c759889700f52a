//! `kill -9` of a real process on a real disk: whatever it said was durable is there, and nothing
//! that was torn is taken for a record.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use ledger_storage::{BlockLog, FileDisk, VoteLog, VoteLogState};

use crate::{
    block_log::SMALL,
    failing::{FailPoint, FailingDisk},
    fixture::{LEDGER, block},
};

/// Folder in which the child works; without it the child's test does nothing.
const FOLDER: &str = "HANSA_KILL_FOLDER";
/// The changing call at which the child kills itself, and how.
const FAILPOINT: &str = "HANSA_KILL_AT";
/// Height after which a child ends by itself.
const HEIGHTS: &str = "HANSA_KILL_HEIGHTS";
/// Enough for a child to be killed many times.
const MANY: u64 = 60;
/// Enough to have made every call at which a failpoint is set.
const FEW: u64 = 10;
/// Lives of one folder under random kills.
const LIVES: u64 = 40;

/// A vote of some length: neighbouring records must not have the same size.
fn vote(height: u64) -> Vec<u8> {
    height.to_le_bytes().repeat(usize::try_from(height % 50 + 1).unwrap())
}

fn disk(folder: &Path, name: &str) -> FailingDisk {
    let point = env::var(FAILPOINT).ok().map(|text| FailPoint::parse(&text));
    FailingDisk::new(FileDisk::open(&folder.join(name)).unwrap(), point)
}

/// Not a test of its own: the body of the process that gets killed. It says what is durable, after
/// it is.
#[test]
fn kill_child() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    // One set of calls is counted over both logs, as one process makes them.
    let (mut votes, state) = VoteLog::open(disk(folder, "votes"), LEDGER).unwrap();
    assert!(!matches!(state, VoteLogState::Damaged(_)), "{state:?}");
    let mut blocks = BlockLog::open(disk(folder, "blocks"), LEDGER, SMALL).unwrap();
    let say = |what: &str, height: u64| {
        let mut out = std::io::stdout();
        writeln!(out, "{what} {height}").and_then(|()| out.flush()).unwrap();
    };
    let heights: u64 = env::var(HEIGHTS).unwrap().parse().unwrap();
    for height in blocks.head() + 1..=heights {
        votes.append(height, &vote(height)).unwrap();
        votes.sync().unwrap();
        say("voted", height);
        blocks.append(&block(height)).unwrap();
        blocks.sync().unwrap();
        say("stored", height);
        votes.forget_below(height + 1).unwrap();
    }
    say("done", heights);
}

fn start(folder: &Path, heights: u64, failpoint: Option<&str>) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["kill::kill_child", "--exact", "--nocapture", "--test-threads=1"]);
    command
        .env(FOLDER, folder)
        .env(HEIGHTS, heights.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(failpoint) = failpoint {
        command.env(FAILPOINT, failpoint);
    }
    command.spawn().unwrap()
}

/// What a child has acknowledged.
#[derive(Debug, Default, Clone, Copy)]
struct Said {
    voted: u64,
    stored: u64,
    done: bool,
}

impl Said {
    fn hear(&mut self, line: &str) {
        // The harness may put its own words before the child's on one line.
        let words: Vec<&str> = line.split_whitespace().collect();
        let [.., what, height] = words[..] else { return };
        let Ok(height) = height.parse::<u64>() else { return };
        match what {
            "voted" => self.voted = self.voted.max(height),
            "stored" => self.stored = self.stored.max(height),
            "done" => self.done = true,
            _ => {}
        }
    }
}

/// Everything acknowledged is there, everything that is there is whole and what was written.
fn assert_nothing_lost(folder: &Path, said: Said, context: &str) {
    let blocks_disk = FileDisk::open(&folder.join("blocks")).unwrap();
    let blocks = BlockLog::open(blocks_disk, LEDGER, SMALL).unwrap();
    assert!(blocks.corruptions().is_empty(), "{context}: an interrupted write is no corruption");
    let head = blocks.head();
    assert!(head >= said.stored, "{context}: {said:?}, blocks end at {head}");
    for height in 1..=head {
        assert_eq!(blocks.read(height).unwrap(), block(height), "{context}: height {height}");
    }
    match VoteLog::open(FileDisk::open(&folder.join("votes")).unwrap(), LEDGER).unwrap().1 {
        VoteLogState::Fresh => assert_eq!(said.voted, 0, "{context}"),
        VoteLogState::Intact(records) => {
            for (height, payload) in &records {
                assert_eq!(*payload, vote(*height), "{context}: a vote that nobody cast");
            }
            let last = records.last().map_or(0, |(height, _)| *height);
            assert!(last >= said.voted, "{context}: {said:?}, votes end at {last}");
        }
        state @ (VoteLogState::Resumed { .. } | VoteLogState::Damaged(_)) => {
            panic!("{context}: {state:?}")
        }
    }
}

#[test]
fn a_process_killed_at_any_moment_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (mut said, mut kills) = (Said::default(), 0);
    for life in 0..LIVES {
        let mut child = start(folder.path(), MANY, None);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A few lines into its life, and then somewhere inside the next calls: the pause is what
        // makes the moment random, nothing waits for it.
        let wanted = 1 + life * 7 % 11;
        let mut heard = 0;
        for line in lines.map_while(Result::ok) {
            said.hear(&line);
            heard += u64::from(line.contains("voted") || line.contains("stored"));
            if heard == wanted {
                std::thread::sleep(Duration::from_micros(life * 137 % 900));
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += u64::from(!said.done);
        assert_nothing_lost(folder.path(), said, &format!("life {life}"));
        if said.done {
            break;
        }
    }
    assert!(kills >= 5, "only {kills} kills: the child is too quick for this test");
}

#[test]
fn a_process_killed_between_write_and_sync_keeps_what_it_acknowledged() {
    // At every changing call of the first heights: before it, after it, and in the middle of its
    // bytes.
    let mut killed = 0;
    for call in 0..40 {
        for how in ["before", "half", "after"] {
            let folder = tempfile::tempdir().unwrap();
            let failpoint = format!("{how}:{call}");
            let mut child = start(folder.path(), FEW, Some(&failpoint));
            let mut said = Said::default();
            for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
                said.hear(&line);
            }
            killed += u64::from(!child.wait().unwrap().success());
            assert_nothing_lost(folder.path(), said, &failpoint);
            // And it goes on where it was.
            let mut child = start(folder.path(), FEW, None);
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            lines.map_while(Result::ok).for_each(|line| said.hear(&line));
            assert!(child.wait().unwrap().success() && said.done, "{failpoint}: {said:?}");
            assert_nothing_lost(folder.path(), said, &failpoint);
        }
    }
    assert_eq!(killed, 120, "a failpoint that does not kill proves nothing");
}
