//! What an engine is told once.

use std::sync::Arc;

use ledger_types::{Genesis, LedgerId, PublicKey, Quorum, SigningKey, ValidatorIndex};

/// Timer lengths in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long round 0 may take once there is work. Doubles each round.
    pub round_ms: u64,
    /// The longest round.
    pub round_ms_max: u64,
    /// How often an undecided height's own messages are sent again.
    pub resend_ms: u64,
}

impl Default for Timing {
    /// For a local or metropolitan network.
    fn default() -> Self {
        Self { round_ms: 1_000, round_ms_max: 30_000, resend_ms: 500 }
    }
}

impl Timing {
    /// The length of `round`.
    pub(crate) fn round(&self, round: u32) -> u64 {
        self.round_ms.saturating_mul(1 << round.min(20)).min(self.round_ms_max)
    }
}

/// One validator's view of its ledger.
#[derive(Clone, Debug)]
pub struct Config {
    /// The ledger.
    pub ledger: LedgerId,
    /// Validator set.
    pub epoch: u32,
    /// Thresholds.
    pub quorum: Quorum,
    /// Consensus keys by index.
    pub keys: Vec<PublicKey>,
    /// Which of them is ours.
    pub own: ValidatorIndex,
    /// Its private half.
    pub key: Arc<SigningKey>,
    /// Timers.
    pub timing: Timing,
}

impl Config {
    /// The configuration of the validator that holds `key`; `None` if the genesis does not list it.
    pub fn from_genesis(genesis: &Genesis, key: Arc<SigningKey>, timing: Timing) -> Option<Self> {
        Some(Self {
            ledger: genesis.ledger(),
            epoch: 0,
            quorum: genesis.quorum(),
            keys: genesis.consensus_keys(),
            own: genesis.index_of(&key.public_key())?,
            key,
            timing,
        })
    }

    pub(crate) fn key_of(&self, validator: ValidatorIndex) -> Option<&PublicKey> {
        self.keys.get(validator.place())
    }

    /// Leaders go round from the proposer of the last decided block: a pure function of history.
    pub(crate) fn leader(&self, last_proposer: ValidatorIndex, round: u32) -> ValidatorIndex {
        let n = u64::from(self.quorum.n);
        let place = (u64::from(last_proposer.0) + u64::from(round)) % n;
        ValidatorIndex(u16::try_from(place).expect("below n, which is a u16"))
    }
}
