//! The protocol's rules that a mutant may break. In production there is one value.

use ledger_types::Quorum;

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
    /// Taken from the votes of a certificate.
    pub(crate) certify_less: u16,
    /// Taken from the votes of a fast decision.
    pub(crate) fast_less: u16,
    /// Taken from the reports that bind a new leader, and added to them.
    pub(crate) report_less: u16,
    pub(crate) report_more: u16,
}

impl Rules {
    /// The protocol as it is meant.
    pub const PRODUCTION: Self = Self {
        precedence: Precedence::HigherRound,
        timeouts_report_votes: true,
        save_before_send: true,
        voters_obey_choice: true,
        remember_votes: true,
        certify_less: 0,
        fast_less: 0,
        report_less: 0,
        report_more: 0,
    };

    /// The thresholds under these rules.
    pub(crate) const fn quorum(&self, mut quorum: Quorum) -> Quorum {
        quorum.certify -= self.certify_less;
        quorum.fast -= self.fast_less;
        quorum.report = quorum.report + self.report_more - self.report_less;
        quorum
    }
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
    /// Certificates, and fast decisions, with one vote too few.
    SmallQuorum,
    /// Fast decisions, and they alone, with one vote too few.
    SmallFastQuorum,
    /// One report too few binds a new leader.
    FewReports,
    /// One report more than is certain to be there binds a new leader.
    ManyReports,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 10] = [
        Self::PreparedAlways,
        Self::VotedAlways,
        Self::SilentTimeouts,
        Self::SendBeforeSave,
        Self::DisobeyChoice,
        Self::Amnesia,
        Self::SmallQuorum,
        Self::SmallFastQuorum,
        Self::FewReports,
        Self::ManyReports,
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
            Self::SmallQuorum => (rules.certify_less, rules.fast_less) = (1, 1),
            Self::SmallFastQuorum => rules.fast_less = 1,
            Self::FewReports => rules.report_less = 1,
            Self::ManyReports => rules.report_more = 1,
        }
        rules
    }
}

/// What the checker must know of the rules that it explores.
#[cfg(feature = "mutants")]
impl Rules {
    /// The thresholds under these rules.
    pub const fn thresholds(&self, quorum: Quorum) -> Quorum {
        self.quorum(quorum)
    }

    /// Whether timeouts name the last prepare vote.
    pub const fn timeouts_report_votes(&self) -> bool {
        self.timeouts_report_votes
    }

    /// Whether a node knows after every crash what it has said.
    pub const fn votes_survive(&self) -> bool {
        self.remember_votes && self.save_before_send
    }

    /// What voters accept in a new round: [`crate::choose()`] under these rules.
    pub fn accepted(&self, quorum: &Quorum, reports: &[crate::Report]) -> crate::Choice {
        if self.voters_obey_choice {
            crate::choose::choose_by(quorum, reports, self.precedence)
        } else {
            crate::Choice::Free
        }
    }
}
