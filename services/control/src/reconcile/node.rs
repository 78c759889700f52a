//! Nodes: their workloads are made as they should be, and what they do is recorded.

use std::collections::BTreeMap;

use hansa_core::{Error, NodeId, Result, external_write, limits};
use hansa_runtime::{Enrolment, RuntimeError, Workload, WorkloadSpec};
use hansa_store::{DrivenNode, NodePlacement, NodeRecord};

use super::{Controller, log_failure};
use crate::{
    enrolment,
    plan::node::{Act, Facts, Plan, plan},
};

impl Controller {
    /// Takes every node one step towards what it should be.
    pub(super) async fn reconcile_nodes(&self) -> Result<()> {
        let workloads = self.runtime.list().await.map_err(of_runtime)?;
        let workloads: BTreeMap<NodeId, Workload> =
            workloads.into_iter().map(|workload| (workload.node, workload)).collect();
        let mut after = None;
        loop {
            let page = self.tx().await?.node_driven_page(after, self.now()).await?;
            for node in &page {
                // One node's trouble must not keep the others from their turn.
                if let Err(error) = self.reconcile_node(node, workloads.get(&node.id)).await {
                    log_failure("node", &error);
                }
            }
            after = page.last().map(|node| node.id);
            if page.len() < usize::from(limits::RECONCILE_PAGE) {
                return Ok(());
            }
        }
    }

    async fn reconcile_node(&self, node: &DrivenNode, workload: Option<&Workload>) -> Result<()> {
        let Plan { act, phase, reason, settled } = plan(&Facts {
            desired: node.desired,
            generation: node.generation,
            phase: node.record.phase,
            enrolled: node.identity.is_some(),
            token_valid: node.token_valid,
            has_genesis: node.has_genesis,
            workload,
        });
        match act {
            Act::None => {}
            Act::Apply { run, mint } => self.apply(node, run, mint).await?,
            Act::Remove => {
                let asked = external_write!(NodeRemove, self.runtime.remove(node.id).await);
                asked.map_err(of_runtime)?;
            }
        }
        let observed = if settled { node.generation } else { node.record.observed_generation };
        // What was just asked for is seen in the next look; addresses are known at once.
        let seen = match act {
            Act::Apply { .. } => self.runtime.observe(node.id).await.map_err(of_runtime)?,
            Act::None | Act::Remove => workload.cloned(),
        };
        let placement = seen.map(|workload| workload.placement);
        let record = NodeRecord {
            phase,
            reason,
            p2p_address: placement.as_ref().map(|p| p.p2p_address.clone()),
            http_address: placement.as_ref().map(|p| p.http_address.clone()),
            placement: placement.map(|p| NodePlacement {
                pid: p.pid,
                data_dir: p.volume,
                metrics_address: p.metrics_address,
            }),
            observed_generation: observed,
        };
        if record == node.record {
            return Ok(());
        }
        let mut tx = self.tx().await?;
        tx.node_record(node, &record, self.now()).await?;
        external_write!(NodeRecord, tx.commit().await)
    }

    /// Asks the runtime. A token is stored before it is handed out: one that nobody knows would be
    /// refused, one that was never handed out only expires.
    async fn apply(&self, node: &DrivenNode, run: bool, mint: bool) -> Result<()> {
        let token = if mint {
            let (token, new) = enrolment::mint(&self.mac, node.tenant, node.id, self.now())?;
            let mut tx = self.tx().await?;
            tx.enrolment_token_insert(&new).await?;
            external_write!(NodeToken, tx.commit().await)?;
            Some(token)
        } else {
            None
        };
        let spec = WorkloadSpec {
            node: node.id,
            ledger: node.ledger,
            tenant: node.tenant,
            name: node.name.clone(),
            generation: node.generation,
            run,
            enrolment: Enrolment { url: self.enrolment_url.clone(), token },
        };
        external_write!(NodeApply, self.runtime.apply(&spec).await).map_err(of_runtime)
    }
}

pub(super) fn of_runtime(error: RuntimeError) -> Error {
    match error {
        RuntimeError::Transient(_) => Error::unavailable(error),
        RuntimeError::Conflict(_) | RuntimeError::Invalid(_) | RuntimeError::Unsupported(_) => {
            Error::internal(error)
        }
    }
}
