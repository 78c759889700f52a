//! Whether a ledger can do without one of its nodes while that restarts.

use std::fmt::Write as _;

use hansa_core::{Generation, Timestamp, limits};
use hansa_types::{ConsensusPolicy, NodeObservation, RunState};

use super::health::needed;

/// One node of a ledger, as far as this asks.
#[derive(Clone, Copy, Debug)]
pub struct Voter<'a> {
    /// Its name, for the reader.
    pub name: &'a str,
    /// What it should be doing.
    pub desired: RunState,
    /// The generation that it had its turn for.
    pub turn: Generation,
    /// The generation that is done.
    pub done: Generation,
    /// Last heard.
    pub observation: Option<&'a NodeObservation>,
}

/// What is known of a voter's part in the agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It takes part, by its own word of lately.
    Taken,
    /// It reaches too few others, by its own word of lately.
    Isolated,
    /// It does not vote, by its own word of lately.
    NotVoting,
    /// It is stopped.
    Stopped,
    /// It was told to restart and has not been heard since.
    Restarting,
    /// It has not been heard lately.
    Unknown,
}

impl Part {
    const fn told(self) -> &'static str {
        match self {
            Self::Taken => "takes part",
            Self::Isolated => "reaches too few others",
            Self::NotVoting => "does not vote",
            Self::Stopped => "is stopped",
            Self::Restarting => "restarts",
            Self::Unknown => "is not heard",
        }
    }
}

impl Voter<'_> {
    fn part(&self, now: Timestamp) -> Part {
        if self.desired != RunState::Running {
            return Part::Stopped;
        }
        if self.turn > self.done {
            return Part::Restarting;
        }
        let lately = |heard: &&NodeObservation| {
            let is_recent = now.since(heard.at).unwrap_or_default() <= limits::OBSERVATION_TIME_MAX;
            is_recent && heard.silent_at.is_none()
        };
        match self.observation.filter(lately) {
            None => Part::Unknown,
            Some(heard) if !heard.may_vote => Part::NotVoting,
            Some(heard) if !heard.quorum_reachable => Part::Isolated,
            Some(_) => Part::Taken,
        }
    }

    /// Whether it takes part, by its own word of lately.
    #[must_use]
    pub fn agrees(&self, now: Timestamp) -> bool {
        self.part(now) == Part::Taken
    }
}

/// What becomes of a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The ledger can do without the node.
    Go,
    /// It cannot: for what the restart waits.
    Wait(String),
}

/// Decides for a node that runs, from what is known of it and of the others.
///
/// The others must make the quorum of a ledger of `validators`, or all of them agree where the
/// ledger cannot lose one. A node that does not vote costs nothing, nor does any where nobody takes
/// part; while one restarts that is no sign, since others may be isolated by that alone. Who has not
/// been heard counts for neither: nothing is concluded from silence, which may be the listener's own.
#[must_use]
pub fn turn(
    policy: ConsensusPolicy,
    validators: u32,
    own: &Voter<'_>,
    others: &[Voter<'_>],
    now: Timestamp,
) -> Turn {
    let parts: Vec<(&Voter<'_>, Part)> =
        others.iter().map(|other| (other, other.part(now))).collect();
    let is = |wanted: Part| parts.iter().any(|(_, part)| *part == wanted);
    let taken = parts.iter().filter(|(_, part)| *part == Part::Taken).count();
    let taken = u32::try_from(taken).unwrap_or(u32::MAX);
    let enough = needed(policy, validators).min(validators.saturating_sub(1));
    let own = own.part(now);
    let nobody = own != Part::Taken && taken == 0;
    let stands = nobody && is(Part::Isolated) && !is(Part::Restarting);
    if own == Part::NotVoting || taken >= enough || stands {
        return Turn::Go;
    }
    let mut detail = format!("{enough} other nodes must take part meanwhile, {taken} do");
    for (other, part) in parts.iter().filter(|(_, part)| *part != Part::Taken) {
        let _ = write!(detail, "; {} {}", other.name, part.told());
    }
    Turn::Wait(detail)
}

#[cfg(test)]
mod tests {
    use hansa_types::ConsensusPolicy::{Bft, Cft};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_unix_micros(1_800_000_000_000_000).expect("a time")
    }

    fn heard(takes_part: bool) -> NodeObservation {
        NodeObservation {
            height: 7,
            root: "00".repeat(32),
            root_height: 7,
            peers: 3,
            may_vote: true,
            quorum_reachable: takes_part,
            at: now(),
            silent_at: None,
        }
    }

    fn voter(observation: Option<&NodeObservation>) -> Voter<'_> {
        let (turn, done) = (1.into(), 1.into());
        Voter { name: "a1", desired: RunState::Running, turn, done, observation }
    }

    /// Members restart their nodes without asking one another: together they must not halt the
    /// ledger, and a restart that waits must say for whom.
    #[test]
    fn a_restart_waits_until_the_others_make_the_quorum() {
        let (well, isolated) = (heard(true), heard(false));
        let (up, away, ill) = (voter(Some(&well)), voter(None), voter(Some(&isolated)));
        let restarting = Voter { name: "b1", turn: 2.into(), ..up };
        let four = |own: Voter<'_>, others: [Voter<'_>; 3]| turn(Bft, 4, &own, &others, now());
        let waits = |turn: Turn| matches!(turn, Turn::Wait(_));
        assert_eq!(four(up, [up, up, up]), Turn::Go);
        assert_eq!(four(away, [up, up, up]), Turn::Go, "one that hangs is not needed");
        let told = "3 other nodes must take part meanwhile, 2 do; b1 restarts";
        assert_eq!(four(up, [up, restarting, up]), Turn::Wait(told.to_owned()));
        assert!(waits(four(up, [up, up, away])));
        assert!(waits(four(up, [up, up, ill])));
        assert!(waits(four(ill, [ill, restarting, ill])), "one restart has isolated the others");
        let mut word = heard(true);
        word.may_vote = false;
        let mute = four(voter(Some(&word)), [up, up, away]);
        assert_eq!(mute, Turn::Go, "its vote is not there to be lost");
        let stopped = Voter { desired: RunState::Stopped, ..up };
        assert!(waits(four(up, [up, up, stopped])));
        let seven = [up, up, up, up, up, restarting];
        assert_eq!(turn(Bft, 7, &up, &seven, now()), Turn::Go, "of seven two may be away");
        assert!(waits(turn(Bft, 7, &up, &seven[1..], now())), "a deleted one is no vote");
        assert_eq!(turn(Cft, 3, &up, &[up, up], now()), Turn::Go);
    }

    /// A ledger that cannot lose a node can still be updated, one node after the other.
    #[test]
    fn a_ledger_without_margin_restarts_when_all_others_agree() {
        let well = heard(true);
        let (up, away) = (voter(Some(&well)), voter(None));
        assert_eq!(turn(Cft, 1, &up, &[], now()), Turn::Go);
        assert_eq!(turn(Cft, 2, &up, &[up], now()), Turn::Go);
        assert_ne!(turn(Cft, 2, &up, &[away], now()), Turn::Go);
    }

    /// A ledger that stands is mended by restarts; a controller that hears nobody knows nothing.
    #[test]
    fn a_halted_ledger_is_mended_and_silence_proves_nothing() {
        let isolated = heard(false);
        let (away, ill) = (voter(None), voter(Some(&isolated)));
        assert_eq!(turn(Bft, 4, &away, &[away, ill, ill], now()), Turn::Go, "two say it stands");
        assert_ne!(turn(Bft, 4, &away, &[away, away, away], now()), Turn::Go);
        let stopped = Voter { desired: RunState::Stopped, ..away };
        assert_ne!(turn(Bft, 4, &away, &[away, away, stopped], now()), Turn::Go, "nobody says so");
        let mut old = heard(true);
        old.at = Timestamp::from_unix_micros(1_700_000_000_000_000).expect("a time");
        let forgotten = voter(Some(&old));
        assert_ne!(turn(Bft, 4, &forgotten, &[forgotten; 3], now()), Turn::Go, "of long ago");
    }
}
