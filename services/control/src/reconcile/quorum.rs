//! Ledgers tell the clusters of their nodes how many must stay.

use std::collections::{BTreeMap, BTreeSet};

use hansa_core::{ConsortiumId, LedgerId, Timestamp};
use hansa_runtime::Quorum;
use hansa_store::DrivenNode;
use hansa_types::ConsensusPolicy;

use super::{Controller, log_failure, node::of_runtime};
use crate::plan::{
    quorum::{Validator, stay},
    turn::Voter,
};

/// The validators of ledgers, as they are read page by page.
#[derive(Debug, Default)]
pub(super) struct Ledgers(BTreeMap<LedgerId, Counted>);

#[derive(Debug)]
struct Counted {
    consortium: ConsortiumId,
    policy: ConsensusPolicy,
    total: u32,
    validators: Vec<Validator>,
}

impl Ledgers {
    /// Counts a node of a ledger that has its genesis.
    pub(super) fn count(&mut self, node: &DrivenNode, now: Timestamp) {
        let validator = Validator { cluster: node.cluster, agrees: voter(node).agrees(now) };
        let counted = self.0.entry(node.ledger).or_insert_with(|| Counted {
            consortium: node.consortium,
            policy: node.policy,
            total: node.validators,
            validators: Vec::new(),
        });
        counted.validators.push(validator);
    }
}

/// A node as one of those that agree.
pub(super) fn voter(node: &DrivenNode) -> Voter<'_> {
    Voter {
        name: node.name.as_str(),
        desired: node.desired,
        turn: node.turn,
        done: node.record.observed_generation,
        observation: node.observation.as_ref(),
    }
}

impl Controller {
    /// Tells every cluster what must stay. What has not changed writes nothing.
    pub(super) async fn keep_quorums(&self, ledgers: Ledgers) {
        let mut away = BTreeSet::new();
        for (ledger, counted) in ledgers.0 {
            let Counted { consortium, policy, total, validators } = counted;
            for (cluster, stay) in stay(policy, total, &validators) {
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
