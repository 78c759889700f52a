//! What can go wrong in a run, by name, so that a report can say what never did.

use std::{collections::BTreeMap, fmt};

use crate::{attack::Attack, plan::Cheat};

/// One kind of thing that a world does to its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A Byzantine validator bent one of its messages.
    Cheated(Cheat),
    /// More validators than one cheated in this run.
    SeveralCheats,
    /// The network took sides in one height.
    Attacked(Attack),
    /// A message never arrived.
    LostMessage,
    /// A message arrived twice.
    Duplicate,
    /// A message took longer than a round's patience allows for many of its kind.
    LateMessage,
    /// A message between two sides of a partition was lost.
    Partitioned,
    /// A message was lost on a link that works in the other direction.
    OneWayCut,
    /// A process ended at once.
    Crash,
    /// A machine went down between two calls.
    PowerCut,
    /// A machine went down in the middle of a call to its disk.
    PowerCutInACall,
    /// A machine went down soon after one of its processes had come back from a crash.
    PowerCutAfterCrash,
    /// A disk had no room; the node stopped.
    FullDisk,
    /// A node could not start for lack of room.
    FullDiskAtStart,
    /// Of an append only a part survived.
    TornWrite,
    /// An append did not survive.
    LostWrite,
    /// The end of a file came back as zeros.
    ZeroedTail,
    /// A file's creation, renaming or removal did not survive.
    LostName,
    /// A node came back without its vote log.
    LostVoteLog,
    /// A bit of a stored block flipped.
    RottenBlock,
    /// A row was edited behind a node's back.
    EditedRow,
    /// A node came back without its SQLite file.
    LostState,
    /// A node was told to keep silent, and later to go on.
    Withdrawn,
    /// A client sent its transaction twice.
    RepeatedSubmission,
}

impl Fault {
    /// Every kind.
    pub fn all() -> Vec<Self> {
        let plain = [
            Self::SeveralCheats,
            Self::LostMessage,
            Self::Duplicate,
            Self::LateMessage,
            Self::Partitioned,
            Self::OneWayCut,
            Self::Crash,
            Self::PowerCut,
            Self::PowerCutInACall,
            Self::PowerCutAfterCrash,
            Self::FullDisk,
            Self::FullDiskAtStart,
            Self::TornWrite,
            Self::LostWrite,
            Self::ZeroedTail,
            Self::LostName,
            Self::LostVoteLog,
            Self::RottenBlock,
            Self::EditedRow,
            Self::LostState,
            Self::Withdrawn,
            Self::RepeatedSubmission,
        ];
        let cheats = Cheat::ALL.into_iter().map(Self::Cheated);
        let attacks = Attack::ALL.into_iter().map(Self::Attacked);
        cheats.chain(attacks).chain(plain).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cheated(cheat) => write!(f, "cheat: {}", words(&format!("{cheat:?}"))),
            Self::Attacked(attack) => write!(f, "attack: {}", words(&format!("{attack:?}"))),
            plain => write!(f, "{}", words(&format!("{plain:?}"))),
        }
    }
}

/// `LostVoteLog` as "lost vote log".
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// A run that broke an invariant.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What happened.
    pub what: String,
}

/// What runs did, added up.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often each fault did something.
    pub faults: BTreeMap<Fault, u64>,
    /// Heights that all nodes committed.
    pub heights: u64,
    /// Transactions applied.
    pub applied: u64,
    /// Proofs of fraud that honest nodes reported.
    pub evidence: u64,
    /// Segments that were written again with blocks of peers.
    pub blocks_mended: u64,
    /// States that were built again from the blocks while the node ran.
    pub states_rebuilt: u64,
}

impl Report {
    /// Adds another run's figures.
    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        self.heights += other.heights;
        self.applied += other.applied;
        self.evidence += other.evidence;
        self.blocks_mended += other.blocks_mended;
        self.states_rebuilt += other.states_rebuilt;
    }

    /// The faults that never did anything: as far as they go, the runs prove nothing.
    pub fn never_fired(&self) -> Vec<Fault> {
        let fired = |fault: &Fault| self.faults.get(fault).is_some_and(|count| *count > 0);
        Fault::all().into_iter().filter(|fault| !fired(fault)).collect()
    }
}
