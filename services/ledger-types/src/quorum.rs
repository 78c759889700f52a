//! How many votes decide what. Pure arithmetic, used by engine, checker and offline verifier.
//!
//! The rule is Thelma's (Abraham, Gueta, Malkhi, Martin, arXiv 1801.10022): n = 3f + 2p + 1 nodes
//! are always safe against f Byzantine ones and decide in two hops while at most p are missing.

use crate::genesis::Policy;

/// The thresholds of one validator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quorum {
    /// Validators.
    pub n: u16,
    /// Byzantine validators tolerated.
    pub f: u16,
    /// Faults that the fast path survives.
    pub p: u16,
    /// Prepare votes of a prepare certificate, commit votes of a decision.
    pub certify: u16,
    /// Prepare votes that decide at once.
    pub fast: u16,
    /// Timeouts that justify a new round.
    pub timeout: u16,
    /// Matching reports among them that bind the new leader.
    pub report: u16,
    /// Whether commit votes exist: they do not under `cft`.
    pub commit_votes: bool,
}

impl Quorum {
    /// The thresholds of `policy` over `n` validators.
    ///
    /// # Panics
    /// Never for a validated genesis, whose set is neither empty nor above the limit.
    pub const fn new(policy: Policy, n: u16) -> Self {
        assert!(n > 0, "a validator set is not empty");
        match policy {
            Policy::Bft => {
                let f = (n - 1) / 3;
                let p = (n - 3 * f - 1) / 2;
                Self {
                    n,
                    f,
                    p,
                    certify: (n + f) / 2 + 1,
                    fast: n - p,
                    timeout: n - f,
                    report: n - 2 * f - p,
                    commit_votes: true,
                }
            }
            Policy::Cft => {
                let majority = n / 2 + 1;
                Self {
                    n,
                    f: 0,
                    p: n - majority,
                    certify: majority,
                    fast: majority,
                    timeout: majority,
                    report: 1,
                    commit_votes: false,
                }
            }
        }
    }

    /// Distinct nodes whose word shows that at least one honest node says so.
    pub const fn honest(&self) -> u16 {
        self.f + 1
    }
}
