//! Whether a ledger can be launched.

use hansa_core::{Kind, Refusal, limits};
use hansa_types::{ConsensusPolicy, LedgerPhase};

/// Whether a policy can be chosen, and with these marks.
///
/// # Errors
/// [`Refusal::PolicyNotAvailable`].
pub const fn check_policy(policy: ConsensusPolicy) -> Result<(), Refusal> {
    match policy {
        ConsensusPolicy::Bft | ConsensusPolicy::Cft => Ok(()),
        ConsensusPolicy::Adaptive => Err(Refusal::PolicyNotAvailable),
    }
}

/// The fewest nodes that a policy accepts.
///
/// # Errors
/// [`Refusal::PolicyNotAvailable`].
pub const fn nodes_min(policy: ConsensusPolicy, development: bool) -> Result<u32, Refusal> {
    match (policy, development) {
        (ConsensusPolicy::Bft, _) => Ok(limits::BFT_NODES_MIN),
        (ConsensusPolicy::Cft, false) => Ok(limits::CFT_NODES_MIN),
        (ConsensusPolicy::Cft, true) => Ok(limits::CFT_DEVELOPMENT_NODES_MIN),
        (ConsensusPolicy::Adaptive, _) => Err(Refusal::PolicyNotAvailable),
    }
}

/// Whether a ledger can be launched now.
///
/// # Errors
/// [`Refusal::WrongPhase`], [`Refusal::PolicyNotAvailable`], [`Refusal::NotEnoughNodes`].
pub const fn check_launch(
    policy: ConsensusPolicy,
    development: bool,
    phase: LedgerPhase,
    nodes: u32,
) -> Result<(), Refusal> {
    match phase {
        LedgerPhase::Draft | LedgerPhase::Failed => {}
        LedgerPhase::Launching
        | LedgerPhase::Running
        | LedgerPhase::Deleting
        | LedgerPhase::Deleted => {
            return Err(Refusal::WrongPhase { kind: Kind::Ledger, phase: phase.as_str() });
        }
    }
    match nodes_min(policy, development) {
        Ok(need) if nodes < need => Err(Refusal::NotEnoughNodes { have: nodes, need }),
        Ok(_) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A launch below its policy's number would make a ledger that cannot lose a single node.
    #[test]
    fn a_launch_needs_the_nodes_of_its_policy() {
        use ConsensusPolicy::{Bft, Cft};
        for (policy, development, need) in
            [(Bft, false, 4), (Bft, true, 4), (Cft, false, 3), (Cft, true, 1)]
        {
            let launch = |nodes| check_launch(policy, development, LedgerPhase::Draft, nodes);
            assert_eq!(launch(need), Ok(()), "{policy} with {need} nodes");
            let have = need - 1;
            assert_eq!(launch(have), Err(Refusal::NotEnoughNodes { have, need }), "{policy}");
        }
        let adaptive = check_launch(ConsensusPolicy::Adaptive, false, LedgerPhase::Draft, 64);
        assert_eq!(adaptive, Err(Refusal::PolicyNotAvailable));
    }

    /// A ledger has one genesis: it is launched once, or again after a failure.
    #[test]
    fn a_ledger_is_launched_once() {
        for phase in LedgerPhase::ALL {
            let launch = check_launch(ConsensusPolicy::Bft, false, *phase, 4);
            let allowed = matches!(phase, LedgerPhase::Draft | LedgerPhase::Failed);
            assert_eq!(launch.is_ok(), allowed, "{phase}");
        }
    }
}
