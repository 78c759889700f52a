//! Ledgers tell the clusters of their nodes how many must stay.

use std::collections::{BTreeMap, BTreeSet};

use hansa_core::{ConsortiumId, LedgerId, Timestamp, limits};
use hansa_runtime::Quorum;
use hansa_store::DrivenNode;
use hansa_types::{ConsensusPolicy, RunState};

use super::{Controller, log_failure, node::of_runtime};
use crate::plan::quorum::{Validator, stay};

/// The validators of ledgers, as they are read page by page.
#[derive(Debug, Default)]
pub(super) struct Ledgers(BTreeMap<LedgerId, (ConsortiumId, ConsensusPolicy, Vec<Validator>)>);

impl Ledgers {
    /// Counts a node of a ledger that has its genesis.
    pub(super) fn count(&mut self, node: &DrivenNode, now: Timestamp) {
        let validator = Validator { cluster: node.cluster, agrees: agrees(node, now) };
        let new = || (node.consortium, node.policy, Vec::new());
        self.0.entry(node.ledger).or_insert_with(new).2.push(validator);
    }
}

/// Whether it was heard lately and takes part.
fn agrees(node: &DrivenNode, now: Timestamp) -> bool {
    node.desired == RunState::Running
        && node.observation.as_ref().is_some_and(|heard| {
            let recent = now.since(heard.at).unwrap_or_default() <= limits::OBSERVATION_TIME_MAX;
            recent && heard.silent_at.is_none() && heard.may_vote && heard.quorum_reachable
        })
}

impl Controller {
    /// Tells every cluster what must stay. What has not changed writes nothing.
    pub(super) async fn keep_quorums(&self, ledgers: Ledgers) {
        let mut away = BTreeSet::new();
        for (ledger, (consortium, policy, validators)) in ledgers.0 {
            for (cluster, stay) in stay(policy, &validators) {
                if away.contains(&cluster) {
                    continue;
                }
                let Ok(runtime) = self.fleet.runtime(Some(cluster)) else { continue };
                let kept = runtime.keep(&Quorum { consortium, ledger, stay }).await;
                if let Err(error) = kept {
                    log_failure("quorum", &of_runtime(error));
                    away.insert(cluster);
                }
            }
        }
    }
}
