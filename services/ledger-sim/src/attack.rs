//! A network that takes sides in one height, together with at most one liar among four validators.
//!
//! Each attack is an order of events that forks a ledger with one of its rules broken, and that
//! chance would not find. The network only delays: whatever it holds back may be sent again, and is
//! let through when the height is over.
//!
//! The four are called by their place after the height's first leader: `LEADER`, `SECOND`, `THIRD`
//! and `FOURTH` lead the rounds 0 to 3.

use ledger_types::{ConsensusMessage, Message, VoteKind};

use crate::plan::Cheat;

const LEADER: u16 = 0;
const SECOND: u16 = 1;
const THIRD: u16 = 2;
const FOURTH: u16 = 3;

/// How long the network may take sides, in virtual milliseconds.
const ATTACK_MS: u64 = 12_000;

/// Which order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attack {
    /// All votes of round 0 reach the fourth alone, which decides fast and is not heard again.
    HiddenDecision,
    /// The same, and the leader hides its vote from the others.
    HiddenDecisionHiddenVote,
    /// The same, and the leader claims a vote for another block.
    HiddenDecisionInventedVote,
    /// The same, and the second, who leads round 1, proposes what it likes.
    HiddenDecisionWrongChoice,
    /// Round 0 leaves a prepare certificate with the third alone; round 1, which does not know it,
    /// is decided fast by the second alone, which is not heard again. The old certificate must not
    /// beat the newer votes.
    OldCertificate,
    /// Round 0 leaves two votes; round 1, which does not know them, is decided slowly by the second
    /// alone. The old votes must not beat the newer certificate.
    OldVotes,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::HiddenDecision,
        Self::HiddenDecisionHiddenVote,
        Self::HiddenDecisionInventedVote,
        Self::HiddenDecisionWrongChoice,
        Self::OldCertificate,
        Self::OldVotes,
    ];

    /// The validator that lies, if its first leader is validator 0, and how.
    pub(crate) const fn cheat(self) -> Option<(u16, Cheat)> {
        match self {
            Self::HiddenDecision => None,
            Self::HiddenDecisionHiddenVote | Self::OldCertificate => {
                Some((LEADER, Cheat::LyingTimeouts))
            }
            Self::HiddenDecisionInventedVote => Some((LEADER, Cheat::InventedVotes)),
            Self::HiddenDecisionWrongChoice => Some((SECOND, Cheat::WrongChoice)),
            Self::OldVotes => Some((LEADER, Cheat::StaleTimeouts)),
        }
    }

    /// Who decides unseen.
    const fn witness(self) -> u16 {
        match self {
            Self::OldCertificate | Self::OldVotes => SECOND,
            Self::HiddenDecision
            | Self::HiddenDecisionHiddenVote
            | Self::HiddenDecisionInventedVote
            | Self::HiddenDecisionWrongChoice => FOURTH,
        }
    }

    /// Whether the network lets a vote, proposal or timeout of the attacked height through.
    fn lets(self, from: u16, to: u16, message: &ConsensusMessage) -> bool {
        let prepare = |vote: &ledger_types::Vote| vote.kind == VoteKind::Prepare;
        match self {
            Self::HiddenDecision
            | Self::HiddenDecisionHiddenVote
            | Self::HiddenDecisionInventedVote
            | Self::HiddenDecisionWrongChoice => match message {
                ConsensusMessage::Vote(vote) if vote.round == 0 => to == FOURTH && prepare(vote),
                _ => true,
            },
            Self::OldCertificate => match message {
                ConsensusMessage::Proposal(p) if p.round == 0 => to == THIRD || to == FOURTH,
                ConsensusMessage::Vote(v) if v.round == 0 => to == THIRD && prepare(v),
                ConsensusMessage::Vote(v) if v.round == 1 => to == SECOND && prepare(v),
                ConsensusMessage::Timeout(t) if t.round == 1 => (from, to) != (THIRD, SECOND),
                _ => true,
            },
            Self::OldVotes => match message {
                ConsensusMessage::Proposal(p) if p.round == 0 => to == FOURTH,
                ConsensusMessage::Proposal(p) if p.round == 1 => to != FOURTH,
                ConsensusMessage::Vote(v) if v.round == 0 => false,
                ConsensusMessage::Vote(v) if v.round == 1 => {
                    to != FOURTH && (prepare(v) || to == SECOND)
                }
                ConsensusMessage::Timeout(t) if t.round == 1 => (from, to) != (FOURTH, SECOND),
                _ => true,
            },
        }
    }
}

/// An attack in a run.
#[derive(Clone, Debug)]
pub(crate) struct Siege {
    attack: Attack,
    /// The height to be attacked.
    height: u64,
    /// The first leader of it, once known, and when it began.
    begun: Option<(u16, u64)>,
    over: bool,
}

/// What a siege must know of a sender and a receiver: the height that each is deciding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) from: (u16, u64),
    pub(crate) to: (u16, u64),
}

impl Siege {
    pub(crate) fn new(attack: Attack, height: u64) -> Self {
        Self { attack, height, begun: None, over: false }
    }

    /// Begins when a height's first leader is known and plays its part; whether it begins now.
    pub(crate) fn begin(&mut self, height: u64, leader: u16, now_ms: u64) -> bool {
        let fits = self.attack.cheat().is_none() || leader == 0;
        if self.begun.is_some() || self.over || height < self.height || !fits {
            return false;
        }
        self.height = height;
        self.begun = Some((leader, now_ms));
        true
    }

    /// Ends it when two of the three others have gone on, or after a while.
    pub(crate) fn end(&mut self, heights: &[u64], now_ms: u64) {
        let Some((leader, since)) = self.begun else { return };
        let witness = usize::from((leader + self.attack.witness()) % 4);
        let gone_on =
            heights.iter().enumerate().filter(|(n, h)| *n != witness && **h > self.height);
        self.over |= gone_on.count() >= 2 || now_ms > since + ATTACK_MS;
    }

    /// Whether the network lets a message through.
    pub(crate) fn lets(&self, link: Link, message: &Message) -> bool {
        let Some((leader, _)) = self.begun else { return true };
        let place = |validator: u16| (validator + 4 - leader) % 4;
        let (from, to) = (place(link.from.0), place(link.to.0));
        if self.over {
            return true;
        }
        if from == self.attack.witness() && link.from.1 > self.height {
            return false;
        }
        match message {
            Message::Consensus(message) if height_of(message) == self.height => {
                self.attack.lets(from, to, message)
            }
            _ => true,
        }
    }
}

fn height_of(message: &ConsensusMessage) -> u64 {
    match message {
        ConsensusMessage::Proposal(proposal) => proposal.header.height,
        ConsensusMessage::Vote(vote) => vote.height,
        ConsensusMessage::Timeout(timeout) => timeout.height,
        ConsensusMessage::Decision(certificate) => certificate.height,
    }
}
