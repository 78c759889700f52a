//! The protocol's rules that a mutant may break. In production there is one value.

/// Which of two candidates binds a new leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// The one of the higher round: the rule.
    HigherRound,
    /// Mutant: a prepare certificate beats newer votes (Zyzzyva's error).
    #[cfg(feature = "mutants")]
    PreparedAlways,
    /// Mutant: votes beat a newer prepare certificate.
    #[cfg(feature = "mutants")]
    VotedAlways,
}

/// A set of rules; [`Rules::PRODUCTION`] unless a test asks for a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub(crate) precedence: Precedence,
    pub(crate) timeouts_report_votes: bool,
    pub(crate) save_before_send: bool,
    pub(crate) voters_obey_choice: bool,
    pub(crate) remember_votes: bool,
    pub(crate) votes_missing: u16,
}

impl Rules {
    /// The protocol as it is meant.
    pub const PRODUCTION: Self = Self {
        precedence: Precedence::HigherRound,
        timeouts_report_votes: true,
        save_before_send: true,
        voters_obey_choice: true,
        remember_votes: true,
        votes_missing: 0,
    };
}

/// One rule broken.
#[cfg(feature = "mutants")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// [`Precedence::PreparedAlways`].
    PreparedAlways,
    /// [`Precedence::VotedAlways`].
    VotedAlways,
    /// Timeouts say nothing of prepare votes.
    SilentTimeouts,
    /// Votes leave before they are on disk.
    SendBeforeSave,
    /// Voters accept any block in a new round.
    DisobeyChoice,
    /// A restarted node forgets its votes.
    Amnesia,
    /// Certificates with one vote too few.
    SmallQuorum,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 7] = [
        Self::PreparedAlways,
        Self::VotedAlways,
        Self::SilentTimeouts,
        Self::SendBeforeSave,
        Self::DisobeyChoice,
        Self::Amnesia,
        Self::SmallQuorum,
    ];

    /// The production rules with this one broken.
    pub const fn rules(self) -> Rules {
        let mut rules = Rules::PRODUCTION;
        match self {
            Self::PreparedAlways => rules.precedence = Precedence::PreparedAlways,
            Self::VotedAlways => rules.precedence = Precedence::VotedAlways,
            Self::SilentTimeouts => rules.timeouts_report_votes = false,
            Self::SendBeforeSave => rules.save_before_send = false,
            Self::DisobeyChoice => rules.voters_obey_choice = false,
            Self::Amnesia => rules.remember_votes = false,
            Self::SmallQuorum => rules.votes_missing = 1,
        }
        rules
    }
}

/// [`crate::choose()`] under broken rules, for the checker.
#[cfg(feature = "mutants")]
pub fn choose_under(
    rules: &Rules,
    quorum: &ledger_types::Quorum,
    reports: &[crate::Report],
) -> crate::Choice {
    crate::choose::choose_by(quorum, reports, rules.precedence)
}
