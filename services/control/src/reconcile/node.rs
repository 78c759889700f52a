//! Nodes: their workloads are made as they should be, and what they do is recorded.

use std::collections::BTreeMap;

use hansa_core::{ClusterId, Error, NodeId, Result, external_write, limits};
use hansa_runtime::{
    Enrolment, Instance, Placement, Runtime, RuntimeError, Size, Workload, WorkloadSpec,
};
use hansa_store::{DrivenNode, NodePlacement, NodeRecord};
use hansa_types::NodePhase;

use super::{Controller, log_failure};
use crate::{
    enrolment,
    plan::node::{self, Act, Facts, Plan, plan},
};

/// What every node may use; a machine that is shared with others does not divide it.
const SIZE: Size = Size { cpu_millis: 250, memory_mib: 512, volume_gib: 10 };

/// What each place says of its workloads, or why it says nothing.
type Places = BTreeMap<Option<ClusterId>, Result<BTreeMap<NodeId, Workload>, RuntimeError>>;

impl Controller {
    /// Takes every node one step towards what it should be.
    pub(super) async fn reconcile_nodes(&self) -> Result<()> {
        let mut places = Places::new();
        for (cluster, runtime) in self.fleet.all() {
            let listed = runtime.list().await;
            let by_node = |found: Vec<Workload>| found.into_iter().map(|w| (w.node, w)).collect();
            places.insert(cluster, listed.map(by_node));
        }
        let mut after = None;
        loop {
            let page = self.tx().await?.node_driven_page(after, self.now()).await?;
            for node in &page {
                // One node's trouble must not keep the others from their turn.
                if let Err(error) = self.reconcile_node(node, &places).await {
                    log_failure("node", &error);
                }
            }
            after = page.last().map(|node| node.id);
            if page.len() < usize::from(limits::RECONCILE_PAGE) {
                return Ok(());
            }
        }
    }

    async fn reconcile_node(&self, node: &DrivenNode, places: &Places) -> Result<()> {
        let workload = match places.get(&node.cluster) {
            Some(Ok(workloads)) => workloads.get(&node.id),
            // Nothing is known, so nothing is concluded: what runs there goes on.
            Some(Err(error)) => return self.record_refusal(node, error).await,
            None => {
                let error = self.fleet.runtime(node.cluster).err();
                return match error {
                    Some(error) => self.record_refusal(node, &error).await,
                    // Connected meanwhile: the next look lists it.
                    None => Ok(()),
                };
            }
        };
        let runtime = self.fleet.runtime(node.cluster).map_err(of_runtime)?;
        let Plan { act, phase, reason, settled } = plan(&Facts {
            desired: node.desired,
            generation: node.generation,
            phase: node.record.phase,
            enrolled: node.identity.is_some(),
            token_valid: node.token_valid,
            has_genesis: node.has_genesis,
            workload,
        });
        if phase == NodePhase::Deleted
            && runtime.observe(node.id).await.map_err(of_runtime)?.is_some()
        {
            // A list may be older than the workload: what is gone is gone by a direct question.
            let asked = external_write!(NodeRemove, runtime.remove(node.id).await);
            return asked.map_err(of_runtime);
        }
        let done = match act {
            Act::None => Ok(()),
            Act::Apply { run, mint } => self.apply(&*runtime, node, run, mint).await,
            Act::Remove => external_write!(NodeRemove, runtime.remove(node.id).await),
        };
        if let Err(error) = done {
            self.record_refusal(node, &error).await?;
            return Err(of_runtime(error));
        }
        let observed = if settled { node.generation } else { node.record.observed_generation };
        // What was just asked for is seen in the next look; addresses are known at once.
        let seen = match act {
            Act::Apply { .. } => runtime.observe(node.id).await.map_err(of_runtime)?,
            Act::None | Act::Remove => workload.cloned(),
        };
        let trouble = seen.as_ref().and_then(|workload| workload.trouble.clone());
        let placement = seen.map(|workload| workload.placement);
        let record = NodeRecord {
            phase,
            reason,
            detail: trouble.filter(|_| reason.is_some()).map(|trouble| trouble.detail),
            p2p_address: placement.as_ref().and_then(|p| known(&p.p2p_address)),
            http_address: placement.as_ref().and_then(|p| known(&p.http_address)),
            placement: placement.map(placed),
            observed_generation: observed,
        };
        self.record(node, &record).await
    }

    /// What was asked of a node's place was not done: the reader is told why, and it is tried again.
    async fn record_refusal(&self, node: &DrivenNode, error: &RuntimeError) -> Result<()> {
        let (phase, reason) = node::refused(node.record.phase, error);
        let detail = reason.map(|_| error.to_string());
        self.record(node, &NodeRecord { phase, reason, detail, ..node.record.clone() }).await
    }

    async fn record(&self, node: &DrivenNode, record: &NodeRecord) -> Result<()> {
        if *record == node.record {
            return Ok(());
        }
        let mut tx = self.tx().await?;
        tx.node_record(node, record, self.now()).await?;
        external_write!(NodeRecord, tx.commit().await)
    }

    /// Asks the runtime. A token is stored before it is handed out: one that nobody knows would be
    /// refused, one that was never handed out only expires.
    async fn apply(
        &self,
        runtime: &dyn Runtime,
        node: &DrivenNode,
        run: bool,
        mint: bool,
    ) -> Result<(), RuntimeError> {
        let token = if mint { Some(self.mint(node).await.map_err(transient)?) } else { None };
        let in_cluster = node.cluster.and(self.cluster_enrolment_url.as_ref());
        let url = in_cluster.unwrap_or(&self.enrolment_url);
        let spec = WorkloadSpec {
            node: node.id,
            consortium: node.consortium,
            ledger: node.ledger,
            tenant: node.tenant,
            name: node.name.clone(),
            generation: node.generation,
            run,
            size: SIZE,
            enrolment: Enrolment { url: url.clone(), token },
        };
        external_write!(NodeApply, runtime.apply(&spec).await)
    }

    async fn mint(&self, node: &DrivenNode) -> Result<hansa_core::Secret> {
        let (token, new) = enrolment::mint(&self.mac, node.tenant, node.id, self.now())?;
        let mut tx = self.tx().await?;
        tx.enrolment_token_insert(&new).await?;
        external_write!(NodeToken, tx.commit().await)?;
        Ok(token)
    }
}

/// An address that is not there yet is none.
fn known(address: &str) -> Option<String> {
    (!address.is_empty()).then(|| address.to_owned())
}

fn placed(placement: Placement) -> NodePlacement {
    let Placement { p2p_address: _, http_address: _, metrics_address, volume, instance } =
        placement;
    let placed = NodePlacement { data_dir: volume, metrics_address, ..NodePlacement::default() };
    match instance {
        None => placed,
        Some(Instance::Process(pid)) => NodePlacement { pid: Some(pid), ..placed },
        Some(Instance::Container { namespace, pod, machine, id: _ }) => NodePlacement {
            namespace: Some(namespace),
            pod: Some(pod),
            machine: Some(machine),
            ..placed
        },
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it takes the error's place")]
fn transient(error: Error) -> RuntimeError {
    RuntimeError::Transient(error.to_string())
}

pub(super) fn of_runtime(error: RuntimeError) -> Error {
    match error {
        RuntimeError::Transient(_)
        | RuntimeError::Unreachable(_)
        | RuntimeError::Refused { .. } => Error::unavailable(error),
        RuntimeError::Conflict(_) | RuntimeError::Invalid(_) | RuntimeError::Unsupported(_) => {
            Error::internal(error)
        }
    }
}
