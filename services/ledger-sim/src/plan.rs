//! What a seed brings.

use ledger_types::Policy;

use crate::{attack::Attack, luck::Luck};

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
    /// Says in timeouts that its first vote of the height is its last.
    StaleTimeouts,
    /// Says in timeouts that it voted for a block of its own making, and offers it.
    InventedVotes,
    /// Announces huge rounds.
    HugeRounds,
    /// Proposes blocks that state a wrong execution root.
    WrongRoot,
    /// Proposes in a new round another block than the timeouts allow, and votes for it.
    WrongChoice,
    /// Claims in its heads to be where nobody is, with and without forged certificates.
    LyingHeads,
}

impl Cheat {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::TwoProposals,
        Self::TwoVotes,
        Self::Withholds,
        Self::LyingTimeouts,
        Self::StaleTimeouts,
        Self::InventedVotes,
        Self::HugeRounds,
        Self::WrongRoot,
        Self::WrongChoice,
        Self::LyingHeads,
    ];
}

/// What befalls one node in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfortune {
    /// It once comes back without its vote log.
    LosesVotes,
    /// Bits of its stored blocks flip.
    BlocksRot,
    /// Somebody edits rows in its SQLite file.
    RowsEdited,
    /// Its SQLite file is deleted while it is down.
    LosesState,
}

/// The faults of one run; all of them end at [`Plan::heal_at_ms`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the validators agree.
    pub policy: Policy,
    /// Validators.
    pub validators: u16,
    /// The validators that cheat, and how; at most as many as the policy tolerates.
    pub cheats: Vec<(u16, Cheat)>,
    /// What the network does to one height.
    pub attack: Option<Attack>,
    /// The node with bad luck, which is no cheat.
    pub misfortune: Option<(u16, Misfortune)>,
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
    /// Whether some disks run out of room.
    pub full_disks: bool,
    /// Average time between partitions.
    pub partition_every_ms: Option<u64>,
    /// Average time between cuts of one direction of some links.
    pub one_way_every_ms: Option<u64>,
    /// Whether nodes are told to keep silent for a while.
    pub withdrawals: bool,
    /// Clocks differ by up to this.
    pub skew_ms: u64,
    /// When all faults end.
    pub heal_at_ms: u64,
    /// Heights that must be committed by everybody after that.
    pub heights_after: u64,
}

/// One seed in this many is an attack on one height, without other faults to blur it.
const ATTACK_EVERY: u64 = 8;

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut luck = Luck::new(seed ^ 0x706c_616e);
        if seed.is_multiple_of(ATTACK_EVERY) {
            let which = usize::try_from(seed / ATTACK_EVERY % Attack::ALL.len() as u64);
            return Self::attack(Attack::ALL[which.expect("below a length")]);
        }
        let (policy, validators) = match luck.below(8) {
            0 => (Policy::Cft, 3),
            1 => (Policy::Cft, 5),
            2 => (Policy::Bft, 7),
            3 => (Policy::Bft, 6),
            _ => (Policy::Bft, 4),
        };
        let first = u16::try_from(luck.below(validators.into())).expect("below a u16");
        let after = |n: u16| (first + n) % validators;
        let cheats = policy == Policy::Bft && luck.percent(50);
        let how_many = match (cheats, validators) {
            (false, _) => 0,
            (true, 7) => 2,
            (true, _) => 1,
        };
        let cheats = (0..how_many).map(|n| (after(n), Cheat::ALL[luck.index(Cheat::ALL.len())]));
        let cheats: Vec<(u16, Cheat)> = cheats.collect();
        // A liar meets its own forged votes, and who loses votes or blocks may have to wait: both
        // are silent for a while, and more than f silent ones halt a ledger, as they should.
        let is_burdened = cheats.iter().any(|(_, kind)| *kind != Cheat::LyingHeads);
        let misfortunes = [
            Misfortune::RowsEdited,
            Misfortune::LosesState,
            Misfortune::LosesVotes,
            Misfortune::BlocksRot,
        ];
        let misfortunes = if is_burdened { &misfortunes[..2] } else { &misfortunes[..] };
        let misfortune = luck.percent(45).then(|| misfortunes[luck.index(misfortunes.len())]);
        Self {
            policy,
            validators,
            cheats,
            attack: None,
            misfortune: misfortune.map(|what| (after(how_many), what)),
            loss: [0, 0, 5, 20][luck.index(4)],
            duplication: [0, 10, 30][luck.index(3)],
            delay_ms: [2, 10, 60, 300][luck.index(4)],
            crash_every_ms: [None, Some(400), Some(1_500)][luck.index(3)],
            disk_ms: [1, 3, 40][luck.index(3)],
            power_cuts: luck.percent(50),
            full_disks: luck.percent(20),
            partition_every_ms: [None, Some(800), Some(2_500)][luck.index(3)],
            one_way_every_ms: [None, None, Some(700)][luck.index(3)],
            withdrawals: luck.percent(15),
            skew_ms: [0, 20, 1_000][luck.index(3)],
            heal_at_ms: luck.between(2_000, 5_000),
            heights_after: 5,
        }
    }

    fn attack(attack: Attack) -> Self {
        Self {
            policy: Policy::Bft,
            validators: 4,
            cheats: attack.cheat().into_iter().collect(),
            attack: Some(attack),
            misfortune: None,
            loss: 0,
            duplication: 0,
            delay_ms: 4,
            crash_every_ms: None,
            disk_ms: 1,
            power_cuts: false,
            full_disks: false,
            partition_every_ms: None,
            one_way_every_ms: None,
            withdrawals: false,
            skew_ms: 0,
            heal_at_ms: 3_500,
            heights_after: 5,
        }
    }

    /// Whether a validator cheats, in which case its words prove nothing.
    pub(crate) fn is_cheat(&self, validator: u16) -> bool {
        self.cheats.iter().any(|(cheat, _)| *cheat == validator)
    }

    pub(crate) fn has(&self, node: usize, misfortune: Misfortune) -> bool {
        self.misfortune.is_some_and(|(who, what)| usize::from(who) == node && what == misfortune)
    }
}
