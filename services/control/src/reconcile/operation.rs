//! Operations: how far what was asked for has come.

use std::collections::BTreeMap;

use hansa_core::{Error, OperationId, Result, Timestamp, external_write, limits};
use hansa_store::{LeasedOperation, SystemTx};
use hansa_types::{
    LedgerPhase, NodePhase, Operation, OperationKind, OperationReason, OperationState, RunState,
};

use super::{Controller, launch::unreached_of, log_failure};
use crate::plan::operation::{Facts, Progress, progress};

/// The operations that this controller holds, with the end of each lease.
#[derive(Debug, Default)]
pub struct HeldOperations(BTreeMap<OperationId, (LeasedOperation, Timestamp)>);

impl Controller {
    /// Takes up what nobody holds, and looks at each held operation.
    pub(super) async fn reconcile_operations(&self, held: &mut HeldOperations) -> Result<()> {
        let now = self.now();
        let room = usize::from(limits::OPERATIONS_LEASED_MAX).saturating_sub(held.0.len());
        let mut tx = self.tx().await?;
        let most = u16::try_from(room).unwrap_or(limits::OPERATIONS_LEASED_MAX);
        for leased in tx.operation_lease(self.id, now, limits::OPERATION_LEASE, most).await? {
            held.0.insert(leased.operation.id, (leased, now + limits::OPERATION_LEASE));
        }
        let open = tx.operation_open_counts().await?;
        external_write!(OperationLease, tx.commit().await)?;
        self.metrics.operations_open(&open);
        for id in held.0.keys().copied().collect::<Vec<_>>() {
            let Some((leased, until)) = held.0.get_mut(&id) else { continue };
            match self.follow(leased, until).await {
                Ok(Ended::No) => {}
                // It has ended, or somebody else follows it now.
                Ok(Ended::Yes) | Err(Error::Stale) => {
                    held.0.remove(&id);
                }
                Err(error) => log_failure("operation", &error),
            }
        }
        Ok(())
    }

    async fn follow(&self, leased: &mut LeasedOperation, until: &mut Timestamp) -> Result<Ended> {
        let now = self.now();
        let mut tx = self.tx().await?;
        let before = leased.operation.clone();
        let facts = self.facts(&mut tx, &before, now).await?;
        let cancel = tx.operation_cancel_requested(before.id).await?;
        let Progress { steps, deadline_at, end } =
            progress(before.kind, &before.steps, before.deadline_at, cancel, facts, now);
        match end {
            Some(end) => {
                let (state, reason) = match end {
                    Ok(()) => (OperationState::Succeeded, None),
                    Err(OperationReason::Cancelled) => {
                        (OperationState::Cancelled, Some(OperationReason::Cancelled))
                    }
                    Err(reason) => (OperationState::Failed, Some(reason)),
                };
                if let Some(reason) = reason {
                    self.give_up(&mut tx, &before, reason, now).await?;
                }
                tx.operation_finish(leased.lease, &steps, state, reason, now).await?;
                external_write!(OperationFinish, tx.commit().await)?;
                self.metrics.operation_finished(state);
                Ok(Ended::Yes)
            }
            None => {
                let half = limits::OPERATION_LEASE / 2;
                let renew = until.since(now).is_none_or(|left| left < half);
                if renew || steps != before.steps || deadline_at != before.deadline_at {
                    *until = now + limits::OPERATION_LEASE;
                    leased.operation = tx
                        .operation_progress(leased.lease, &steps, deadline_at, Some(*until), now)
                        .await?;
                    external_write!(OperationProgress, tx.commit().await)?;
                }
                Ok(Ended::No)
            }
        }
    }

    /// A launch that failed leaves a ledger that can be launched again.
    async fn give_up(
        &self,
        tx: &mut SystemTx,
        operation: &Operation,
        reason: OperationReason,
        now: Timestamp,
    ) -> Result<()> {
        let target = operation.target;
        let (Some(id), None) = (target.ledger_id, target.node_id) else { return Ok(()) };
        match tx.ledger_driven(id).await? {
            // Without a genesis nothing has begun, and the next launch begins anew. With one the
            // nodes go on trying, and the ledger runs as soon as they agree.
            Some(mut ledger) if ledger.phase == LedgerPhase::Launching => {
                if ledger.genesis.is_none() {
                    tx.ledger_set_charter(&ledger, None, now).await?;
                    ledger = tx.ledger_driven(id).await?.ok_or(Error::Stale)?;
                }
                tx.ledger_enter(&ledger, LedgerPhase::Failed, Some(reason), now).await
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn facts(
        &self,
        tx: &mut SystemTx,
        operation: &Operation,
        now: Timestamp,
    ) -> Result<Facts> {
        let target = operation.target;
        if let Some(id) = target.node_id {
            let Some(node) = tx.node_driven(id, now).await? else { return Ok(Facts::Gone) };
            let phase = node.record.phase;
            if phase == NodePhase::Deleted {
                return Ok(Facts::Gone);
            }
            let ending = node.desired == RunState::Deleted;
            return Ok(Facts::Node {
                phase: if ending { NodePhase::Deleting } else { phase },
                reason: node.record.reason,
                settled: node.record.observed_generation >= node.generation,
                enrolled: node.identity.is_some(),
                in_ledger: node.has_genesis,
                heard_at: node
                    .observation
                    .filter(|heard| heard.silent_at.is_none())
                    .map(|heard| heard.at),
            });
        }
        if let Some(id) = target.ledger_id {
            let Some(ledger) = tx.ledger_driven(id).await? else { return Ok(Facts::Gone) };
            if operation.kind == OperationKind::LedgerDelete {
                let (wanted, left) = tx.node_counts_of_ledger(id).await?;
                return Ok(Facts::Ending {
                    nodes_ended: wanted == 0,
                    nodes_gone: left == 0,
                    deleted: ledger.phase == LedgerPhase::Deleted,
                });
            }
            if matches!(ledger.phase, LedgerPhase::Deleting | LedgerPhase::Deleted) {
                return Ok(Facts::Gone);
            }
            let nodes = tx.node_driven_of_ledger(id, now).await?;
            let failed = nodes.iter().find(|node| node.record.phase == NodePhase::Failed);
            return Ok(Facts::Launch {
                composed: ledger.charter.is_some(),
                published: ledger.genesis.is_some(),
                started: nodes.iter().all(|node| node.record.phase == NodePhase::Running),
                running: ledger.phase == LedgerPhase::Running,
                node_failure: failed.and_then(|node| node.record.reason).or_else(|| {
                    let unreached = unreached_of(&nodes);
                    unreached.map(|_| OperationReason::PeersUnreachable)
                }),
            });
        }
        let Some(id) = target.consortium_id else { return Ok(Facts::Gone) };
        let (wanted, left) = tx.node_counts(id).await?;
        Ok(Facts::Ending {
            nodes_ended: wanted == 0,
            nodes_gone: left == 0,
            deleted: tx.consortium_is_deleted(id).await?,
        })
    }
}

enum Ended {
    Yes,
    No,
}
