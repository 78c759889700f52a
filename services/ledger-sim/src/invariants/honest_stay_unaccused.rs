//! Evidence convicts only who cheats, and it convinces a third party.

use ledger_consensus::Evidence;
use ledger_types::Genesis;

use super::Broken;
use crate::plan::Plan;

pub(crate) fn check_evidence(
    genesis: &Genesis,
    evidence: &Evidence,
    plan: &Plan,
) -> Result<(), Broken> {
    let culprit = evidence.culprit().0;
    if !plan.is_cheat(culprit) {
        return Err(format!("honest node {culprit} is accused: {evidence:?}"));
    }
    let holds = evidence.holds(genesis.ledger(), &genesis.consensus_keys(), &genesis.quorum());
    if holds { Ok(()) } else { Err(format!("evidence does not convince: {evidence:?}")) }
}
