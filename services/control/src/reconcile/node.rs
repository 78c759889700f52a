//! Nodes: their workloads are made as they should be, and what they do is recorded.

use std::{collections::BTreeMap, time::Instant};

use futures::future::join_all;
use hansa_core::{ClusterId, Error, NodeId, Result, external_write, limits};
use hansa_runtime::{
    Enrolment, Instance, Placement, Runtime, RuntimeError, Size, Workload, WorkloadSpec,
};
use hansa_store::{DrivenNode, NodePlacement, NodeRecord, SystemTx};
use hansa_types::{NodePhase, NodeSize, OperationReason};

use super::{Controller, log_failure, quorum::voter};
use crate::{
    enrolment,
    plan::{
        node::{self, Act, Facts, Plan, plan},
        turn::{Turn, turn},
    },
};

/// What a place says of its workloads, or why it says nothing.
type Place = Result<BTreeMap<NodeId, Workload>, RuntimeError>;
/// By cluster; none for processes.
type Places = BTreeMap<Option<ClusterId>, Place>;

/// What a pass over all nodes saw that left nothing to be done. While the places say the same and nobody
/// tells of a change, the next passes need not read every node.
#[derive(Debug, Default)]
pub(super) struct Rest(Option<(Instant, Places)>);

impl Rest {
    fn holds(&self, places: &Places) -> bool {
        self.0.as_ref().is_some_and(|(since, seen)| {
            since.elapsed() < limits::RECONCILE_ALL_EVERY && says_the_same(seen, places)
        })
    }
}

/// A place that says nothing says the same as none.
fn says_the_same(before: &Places, now: &Places) -> bool {
    before.len() == now.len()
        && before.iter().zip(now).all(|((one, before), (other, now))| {
            one == other && matches!((before, now), (Ok(before), Ok(now)) if before == now)
        })
}

/// Whether something was done about a node, or is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    Nothing,
    Something,
}

/// Who failed: the place of a node, or we.
enum Failed {
    Runtime(RuntimeError),
    Own(Error),
}

impl From<RuntimeError> for Failed {
    fn from(error: RuntimeError) -> Self {
        Self::Runtime(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl Controller {
    /// Takes every node one step towards what it should be.
    pub(super) async fn reconcile_nodes(&self, rest: &mut Rest) -> Result<()> {
        let listing = self.fleet.all().into_iter().map(|(cluster, runtime)| async move {
            let by_node = |found: Vec<Workload>| found.into_iter().map(|w| (w.node, w)).collect();
            (cluster, runtime.list().await.map(by_node))
        });
        let places: Places = join_all(listing).await.into_iter().collect();
        if rest.holds(&places) {
            return Ok(());
        }
        *rest = Rest::default();
        let began = Instant::now();
        let mut did = Did::Nothing;
        let mut after = None;
        loop {
            let page = self.tx().await?.node_driven_page(after, self.now()).await?;
            let mut by_place = BTreeMap::<Option<ClusterId>, Vec<&DrivenNode>>::new();
            for node in &page {
                by_place.entry(node.cluster).or_default().push(node);
            }
            // One place's trouble must not keep the nodes of the others from their turn.
            let turns = by_place
                .into_iter()
                .map(|(cluster, nodes)| self.reconcile_place(cluster, nodes, places.get(&cluster)));
            if join_all(turns).await.contains(&Did::Something) {
                did = Did::Something;
            }
            after = page.last().map(|node| node.id);
            if page.len() < usize::from(limits::RECONCILE_PAGE) {
                break;
            }
        }
        if did == Did::Nothing {
            *rest = Rest(Some((began, places)));
        }
        Ok(())
    }

    /// The nodes of one place, one after the other; one that is out of reach is asked once.
    async fn reconcile_place(
        &self,
        cluster: Option<ClusterId>,
        nodes: Vec<&DrivenNode>,
        place: Option<&Place>,
    ) -> Did {
        let mut away = None;
        let mut did = Did::Nothing;
        for node in nodes {
            let done = match (&away, place) {
                (Some(error), _) | (None, Some(Err(error))) => {
                    did = Did::Something;
                    // Nothing is known, so nothing is concluded: what runs there goes on.
                    self.record_refusal(node, error).await
                }
                (None, Some(Ok(workloads))) => {
                    match self.reconcile_node(node, workloads.get(&node.id)).await {
                        Err(Failed::Runtime(error)) => {
                            did = Did::Something;
                            let told = self.record_refusal(node, &error).await;
                            match error {
                                RuntimeError::Unreachable(_) => away = Some(error),
                                error => log_failure("node", &of_runtime(error)),
                            }
                            told
                        }
                        Err(Failed::Own(error)) => Err(error),
                        Ok(Did::Nothing) => Ok(()),
                        Ok(Did::Something) => {
                            did = Did::Something;
                            Ok(())
                        }
                    }
                }
                (None, None) => {
                    did = Did::Something;
                    match self.fleet.runtime(cluster) {
                        Err(error) => self.record_refusal(node, &error).await,
                        // Connected meanwhile: the next look lists it.
                        Ok(_) => Ok(()),
                    }
                }
            };
            // One node's trouble must not keep the others from their turn.
            if let Err(error) = done {
                did = Did::Something;
                log_failure("node", &error);
            }
        }
        if let Some(error) = away {
            log_failure("node", &of_runtime(error));
        }
        did
    }

    async fn reconcile_node(
        &self,
        node: &DrivenNode,
        workload: Option<&Workload>,
    ) -> Result<Did, Failed> {
        let runtime = self.fleet.runtime(node.cluster)?;
        let mut facts = Facts {
            desired: node.desired,
            generation: node.generation,
            phase: node.record.phase,
            enrolled: node.identity.is_some(),
            token_valid: node.token_valid,
            has_genesis: node.has_genesis,
            has_turn: node.turn >= node.generation,
            workload,
        };
        if plan(&facts).act == Act::TakeTurn {
            if let Turn::Wait(why) = self.take_turn(node).await? {
                self.record_wait(node, why).await?;
                return Ok(Did::Something);
            }
            facts.has_turn = true;
        }
        let Plan { act, phase, reason, settled } = plan(&facts);
        if act == Act::Renew && self.renew(node).await? == Turn::Go {
            // The next look sees another generation.
            return Ok(Did::Something);
        }
        if phase == NodePhase::Deleted && runtime.observe(node.id).await?.is_some() {
            // A list may be older than the workload: what is gone is gone by a direct question.
            external_write!(NodeRemove, runtime.remove(node.id).await)?;
            return Ok(Did::Something);
        }
        match act {
            Act::None | Act::TakeTurn | Act::Renew => {}
            Act::Apply { run, mint } => self.apply(&*runtime, node, run, mint).await?,
            Act::Remove => external_write!(NodeRemove, runtime.remove(node.id).await)?,
        }
        let observed = if settled { node.generation } else { node.record.observed_generation };
        // What was just asked for is seen in the next look; addresses are known at once.
        let seen = match act {
            Act::Apply { .. } => runtime.observe(node.id).await?,
            Act::None | Act::TakeTurn | Act::Renew | Act::Remove => workload.cloned(),
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
        let is_settled = act == Act::None && record == node.record;
        self.record(node, &record).await?;
        Ok(if is_settled { Did::Nothing } else { Did::Something })
    }

    /// Asks for a node's turn to be restarted.
    async fn take_turn(&self, node: &DrivenNode) -> Result<Turn> {
        let mut tx = self.tx().await?;
        let turn = self.turn(&mut tx, node).await?;
        if turn == Turn::Go {
            tx.node_take_turn(node).await?;
            external_write!(NodeTurn, tx.commit().await)?;
        }
        Ok(turn)
    }

    /// Wishes a node anew that runs from an older image, with its turn, if it is its turn. One that
    /// is in no ledger yet has nobody to wait for.
    async fn renew(&self, node: &DrivenNode) -> Result<Turn> {
        let mut tx = self.tx().await?;
        let turn = if node.has_genesis { self.turn(&mut tx, node).await? } else { Turn::Go };
        if turn == Turn::Go {
            tx.node_renew(node, self.now()).await?;
            external_write!(NodeTurn, tx.commit().await)?;
            tracing::info!(node.id = %node.id, node.name = %node.name, "renewed: a newer image");
        }
        Ok(turn)
    }

    /// Whether it is a node's turn. Of controllers that ask at once each sees what the one before has
    /// given.
    async fn turn(&self, tx: &mut SystemTx, node: &DrivenNode) -> Result<Turn> {
        tx.ledger_lock_turns(node.ledger).await?;
        let now = self.now();
        let others = tx.node_driven_of_ledger(node.ledger, now).await?;
        let others: Vec<_> = others.iter().filter(|other| other.id != node.id).map(voter).collect();
        Ok(turn(node.policy, node.validators, &voter(node), &others, now))
    }

    async fn record_wait(&self, node: &DrivenNode, why: String) -> Result<()> {
        let (reason, detail) = (Some(OperationReason::QuorumMargin), Some(why));
        self.record(node, &NodeRecord { reason, detail, ..node.record.clone() }).await
    }

    /// What was asked of a node's place was not done: the reader is told why, and it is tried again.
    async fn record_refusal(&self, node: &DrivenNode, error: &RuntimeError) -> Result<()> {
        let Some((phase, reason)) = node::refused(node.record.phase, error) else {
            return Ok(());
        };
        let (reason, detail) = (Some(reason), Some(error.to_string()));
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
    ) -> Result<(), Failed> {
        let token = if mint { Some(self.mint(node).await?) } else { None };
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
            size: size_of(node),
            enrolment: Enrolment { url: url.clone(), token },
        };
        Ok(external_write!(NodeApply, runtime.apply(&spec).await)?)
    }

    async fn mint(&self, node: &DrivenNode) -> Result<hansa_core::Secret> {
        let (token, new) = enrolment::mint(&self.mac, node.tenant, node.id, self.now())?;
        let mut tx = self.tx().await?;
        tx.enrolment_token_insert(&new).await?;
        external_write!(NodeToken, tx.commit().await)?;
        Ok(token)
    }
}

/// What a node's class stands for; [`NodeSize`] tells it to people. The worst statements take half a
/// gigabyte (docs/decisions/0030).
const fn size_of(node: &DrivenNode) -> Size {
    let (cpu_millis, memory_mib) = match node.size {
        NodeSize::Small => (250, 1_024),
        NodeSize::Medium => (1_000, 4_096),
        NodeSize::Large => (4_000, 16_384),
    };
    Size { cpu_millis, memory_mib, volume_gib: node.volume_gib }
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
