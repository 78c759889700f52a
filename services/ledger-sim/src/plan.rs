//! What a seed brings.

use ledger_types::Policy;

use crate::luck::Luck;

/// How a Byzantine validator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cheat {
    /// Proposes different blocks to different peers.
    TwoProposals,
    /// Votes for different blocks towards different peers.
    TwoVotes,
    /// Never votes.
    Withholds,
    /// Says in timeouts that it has neither voted nor seen a certificate.
    LyingTimeouts,
    /// Announces huge rounds.
    HugeRounds,
    /// Proposes blocks that state a wrong execution root.
    WrongRoot,
}

impl Cheat {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::TwoProposals,
        Self::TwoVotes,
        Self::Withholds,
        Self::LyingTimeouts,
        Self::HugeRounds,
        Self::WrongRoot,
    ];
}

/// The faults of one run; all of them end at [`Plan::heal_at_ms`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the validators agree.
    pub policy: Policy,
    /// Validators.
    pub validators: u16,
    /// The validator that cheats, and how.
    pub cheat: Option<(u16, Cheat)>,
    /// Messages lost, in percent.
    pub loss: u64,
    /// Messages delivered twice, in percent.
    pub duplication: u64,
    /// Longest delay of a message.
    pub delay_ms: u64,
    /// Average time between crashes of some node; none without.
    pub crash_every_ms: Option<u64>,
    /// Longest time that a disk needs for one write: what a crash can catch un-synced.
    pub disk_ms: u64,
    /// Whether some crashes are power cuts, after which SQLite's file is not trusted.
    pub power_cuts: bool,
    /// A node that once loses its vote log in a crash.
    pub amnesiac: Option<u16>,
    /// Average time between partitions.
    pub partition_every_ms: Option<u64>,
    /// Clocks differ by up to this.
    pub skew_ms: u64,
    /// When all faults end.
    pub heal_at_ms: u64,
    /// Heights that must be committed by everybody after that.
    pub heights_after: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut luck = Luck::new(seed ^ 0x706c_616e);
        let (policy, validators) = match luck.below(8) {
            0 => (Policy::Cft, 3),
            1 => (Policy::Cft, 5),
            2 => (Policy::Bft, 7),
            3 => (Policy::Bft, 6),
            _ => (Policy::Bft, 4),
        };
        let victim = u16::try_from(luck.below(validators.into())).expect("below a u16");
        let cheats = policy == Policy::Bft && luck.percent(45);
        let cheat = cheats.then(|| (victim, Cheat::ALL[luck.index(Cheat::ALL.len())]));
        let amnesiac =
            (policy == Policy::Bft && cheat.is_none() && luck.percent(25)).then_some(victim);
        Self {
            policy,
            validators,
            cheat,
            loss: [0, 0, 5, 20][luck.index(4)],
            duplication: [0, 10, 30][luck.index(3)],
            delay_ms: [2, 10, 60, 300][luck.index(4)],
            crash_every_ms: [None, Some(400), Some(1_500)][luck.index(3)],
            disk_ms: [1, 3, 40][luck.index(3)],
            power_cuts: luck.percent(50),
            amnesiac,
            partition_every_ms: [None, Some(800), Some(2_500)][luck.index(3)],
            skew_ms: [0, 20, 1_000][luck.index(3)],
            heal_at_ms: luck.between(2_000, 5_000),
            heights_after: 5,
        }
    }
}
