//! What nodes say of themselves is written down: heights, roots, incidents.

use futures::{StreamExt as _, stream};
use hansa_clients::NodeIncident;
use hansa_core::{Result, Timestamp, external_write, limits};
use hansa_store::{DrivenNode, FoundIncident};
use hansa_types::{IncidentKind, NodeObservation, RunState};
use std::collections::BTreeMap;

use super::{Controller, log_failure, quorum::Ledgers};

impl Controller {
    /// Asks every node that has a genesis how it does.
    ///
    /// # Errors
    /// When the database or the vault does not answer; a node that does not is passed over.
    pub async fn observe(&self) -> Result<()> {
        let mut after = None;
        let mut authorities = BTreeMap::new();
        let mut ledgers = Ledgers::default();
        loop {
            let page = self.tx().await?.node_driven_page_of_ledgers(after, self.now()).await?;
            for node in &page {
                ledgers.count(node, self.now());
                if let std::collections::btree_map::Entry::Vacant(entry) =
                    authorities.entry(node.ledger)
                {
                    entry.insert(self.vault.authority(node.ledger).await?.certificate);
                }
            }
            let asked = page.iter().filter(|node| node.desired == RunState::Running);
            let authorities = &authorities;
            stream::iter(asked)
                .for_each_concurrent(limits::NODES_ASKED_MAX, |node| async move {
                    if let Some(authority) = authorities.get(&node.ledger)
                        && let Err(error) = self.ask(node, authority).await
                    {
                        log_failure("observe", &error);
                    }
                })
                .await;
            after = page.last().map(|node| node.id);
            if page.len() < usize::from(limits::RECONCILE_PAGE) {
                self.keep_quorums(ledgers).await;
                return Ok(());
            }
        }
    }

    /// A node that does not answer keeps its last observation, with the time of the silence.
    async fn ask(&self, node: &DrivenNode, authority: &str) -> Result<()> {
        let Some(address) = &node.record.http_address else { return Ok(()) };
        let Ok(status) = self.nodes.status(address, authority).await else {
            let Some(last) = node.observation.clone() else { return Ok(()) };
            let silent = NodeObservation { silent_at: Some(self.now()), ..last };
            let mut tx = self.tx().await?;
            tx.node_observe(node, &silent).await?;
            return external_write!(NodeObserve, tx.commit().await);
        };
        let now = self.now();
        let heard = NodeObservation {
            height: status.height,
            root: status.execution_root,
            root_height: status.executed_height,
            peers: u32::try_from(status.peers_connected.len()).unwrap_or(u32::MAX),
            may_vote: status.may_vote,
            quorum_reachable: status.quorum_reachable,
            at: now,
            silent_at: None,
        };
        let incidents = self.nodes.incidents(address, authority).await.unwrap_or_default();
        let mut tx = self.tx().await?;
        tx.node_observe(node, &heard).await?;
        for incident in incidents {
            if let Some(found) = found(node, incident) {
                tx.incident_put(&found, now).await?;
            }
        }
        external_write!(NodeObserve, tx.commit().await)
    }
}

/// Nothing for a kind that a newer node knows and this release does not.
fn found(node: &DrivenNode, incident: NodeIncident) -> Option<FoundIncident> {
    let at = |ms: u64| Timestamp::from_unix_micros(i64::try_from(ms).ok()?.checked_mul(1_000)?);
    Some(FoundIncident {
        node: node.id,
        ledger: node.ledger,
        consortium: node.consortium,
        node_incident: incident.id,
        kind: IncidentKind::try_from(incident.kind).ok()?,
        summary: incident.summary,
        opened_at: at(incident.opened_at_ms)?,
        resolved_at: incident.resolved_at_ms.and_then(at),
    })
}
