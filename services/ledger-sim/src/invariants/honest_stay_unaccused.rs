//! Evidence convicts only who cheats, and it convinces a third party.

use ledger_consensus::Evidence;
use ledger_types::Genesis;

use super::Broken;

pub(crate) fn check_evidence(
    genesis: &Genesis,
    evidence: &Evidence,
    cheater: Option<u16>,
) -> Result<(), Broken> {
    let culprit = evidence.culprit().0;
    if Some(culprit) != cheater {
        return Err(format!("honest node {culprit} is accused: {evidence:?}"));
    }
    let holds = evidence.holds(genesis.ledger(), &genesis.consensus_keys(), &genesis.quorum());
    if holds { Ok(()) } else { Err(format!("evidence does not convince: {evidence:?}")) }
}
