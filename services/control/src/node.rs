//! Ledger nodes: what they should be doing. Reconcilers make it so.

use hansa_authz::{Action, OpContext};
use hansa_core::{
    Error, Kind, LedgerId, NodeId, OperationId, Refusal, Result, Revision, Rule, Timestamp, limits,
};
use hansa_store::{NewEvent, NewNode, NewOperation};
use hansa_types::{
    EventKind, LedgerPhase, Node, NodeCreate, NodeList, NodePhase, NodeResize, NodeSize, Operation,
    OperationKind, PROCESS, RunState, Target,
};

use crate::{
    act::{Act, Repeat, act},
    control_plane::{ControlPlane, PageQuery},
};

impl ControlPlane {
    /// Asks for a node of the caller's member.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::AlreadyExists`],
    /// [`Error::QuotaExceeded`], [`Error::Invalid`] for a size of a process,
    /// [`Refusal::WrongPhase`] once the ledger has its genesis.
    pub async fn node_create(
        &self,
        context: &OpContext,
        ledger: LedgerId,
        request: &NodeCreate,
        repeat: Option<Repeat>,
    ) -> Result<Operation> {
        let NodeCreate { name, runtime, size, volume_gib } = request;
        check_size(runtime.as_str() != PROCESS, *size, *volume_gib)?;
        act!(self, context, "node_create", Some(ledger.uuid()), repeat, |act| {
            let (handle, found) = act.tx.ledger_find(ledger).await?;
            context.authorize(Action::AddNode, handle.subject())?;
            let seat = handle.seat().ok_or(Error::Forbidden)?;
            // Later validators join by a configuration change that the members sign.
            if found.phase != LedgerPhase::Draft && found.phase != LedgerPhase::Failed {
                let phase = found.phase.as_str();
                return Err(Refusal::WrongPhase { kind: Kind::Ledger, phase }.into());
            }
            if act.tx.ledger_genesis(ledger).await?.is_some() {
                let phase = found.phase.as_str();
                return Err(Refusal::WrongPhase { kind: Kind::Ledger, phase }.into());
            }
            if act.tx.node_count(ledger).await? >= limits::NODES_PER_LEDGER_MAX {
                return Err(Error::QuotaExceeded { limit: limits::NODES_PER_LEDGER_MAX });
            }
            let cluster = match runtime.as_str() {
                PROCESS => None,
                _ => {
                    let found = act.tx.cluster_by_name(runtime).await?;
                    let detail = "there is no cluster of this name";
                    let unknown = || Error::invalid("/runtime", Rule::Unknown, detail);
                    Some(found.ok_or_else(unknown)?)
                }
            };
            let id = NodeId::new();
            act.about(id.uuid());
            let new = NewNode {
                id,
                ledger: handle,
                member: seat,
                name: name.clone(),
                runtime: runtime.clone(),
                cluster,
                size: size.unwrap_or(NodeSize::Small),
                volume_gib: volume_gib.unwrap_or(limits::VOLUME_GIB_DEFAULT),
                now: act.now,
            };
            act.tx.node_insert(&new).await?;
            let (_, node) = act.tx.node_find(id).await?;
            ask(&mut act, &node, OperationKind::NodeCreate).await
        })
    }

    /// A node.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn node_get(&self, context: &OpContext, id: NodeId) -> Result<Node> {
        let mut tx = self.reading(context).await?;
        let (handle, mut node) = tx.node_find(id).await?;
        context.authorize(Action::Read, handle.subject())?;
        let ledger = node.ledger_id;
        self.tell_health(&mut tx, ledger, std::slice::from_mut(&mut node)).await?;
        Ok(node)
    }

    /// The nodes of a ledger, of all members.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn node_list(
        &self,
        context: &OpContext,
        ledger: LedgerId,
        query: &PageQuery,
    ) -> Result<NodeList> {
        let list = format!("ledger={ledger} nodes");
        let page = self.page(context, &list, query)?;
        let mut tx = self.reading(context).await?;
        let (handle, _) = tx.ledger_find(ledger).await?;
        context.authorize(Action::Read, handle.subject())?;
        let mut nodes = tx.node_list(ledger, page).await?;
        self.tell_health(&mut tx, ledger, &mut nodes.items).await?;
        self.listed(context, &list, nodes)
    }

    /// Asks that a node runs.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::OperationInProgress`].
    pub async fn node_start(
        &self,
        context: &OpContext,
        id: NodeId,
        repeat: Option<Repeat>,
    ) -> Result<Operation> {
        act!(self, context, "node_start", Some(id.uuid()), repeat, |act| {
            let node = own(context, &mut act, id, Action::Run).await?;
            desire(&mut act, &node, RunState::Running, OperationKind::NodeStart).await
        })
    }

    /// Asks that a node stops.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::OperationInProgress`].
    pub async fn node_stop(
        &self,
        context: &OpContext,
        id: NodeId,
        repeat: Option<Repeat>,
    ) -> Result<Operation> {
        act!(self, context, "node_stop", Some(id.uuid()), repeat, |act| {
            let node = own(context, &mut act, id, Action::Run).await?;
            desire(&mut act, &node, RunState::Stopped, OperationKind::NodeStop).await
        })
    }

    /// Asks that a node stops and starts.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::OperationInProgress`].
    pub async fn node_restart(
        &self,
        context: &OpContext,
        id: NodeId,
        repeat: Option<Repeat>,
    ) -> Result<Operation> {
        act!(self, context, "node_restart", Some(id.uuid()), repeat, |act| {
            let node = own(context, &mut act, id, Action::Run).await?;
            desire(&mut act, &node, RunState::Running, OperationKind::NodeRestart).await
        })
    }

    /// Asks that a node in a cluster may use more or less, or has a larger volume. Its pod starts anew,
    /// when its ledger can do without it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] for a process, for a volume that
    /// would shrink, and for a size that it has; [`Refusal::OperationInProgress`].
    pub async fn node_resize(
        &self,
        context: &OpContext,
        id: NodeId,
        request: &NodeResize,
        repeat: Option<Repeat>,
    ) -> Result<Operation> {
        act!(self, context, "node_resize", Some(id.uuid()), repeat, |act| {
            let NodeResize { size, volume_gib } = *request;
            let node = own(context, &mut act, id, Action::Run).await?;
            let has = node.private.as_ref().and_then(|own| own.size.zip(own.volume_gib));
            check_size(has.is_some(), size, volume_gib)?;
            let Some((old_size, old_volume)) = has else {
                return Err(Error::invalid("/size", Rule::Required, "nothing to change"));
            };
            let (size, volume_gib) = (size.unwrap_or(old_size), volume_gib.unwrap_or(old_volume));
            if volume_gib < old_volume {
                let detail = format!("a volume of {old_volume} GiB does not shrink");
                return Err(Error::invalid("/volume_gib", Rule::Range, detail));
            }
            if (size, volume_gib) == (old_size, old_volume) {
                return Err(Error::invalid("/size", Rule::Required, "it has this size already"));
            }
            let node = act.tx.node_resize(id, node.revision, size, volume_gib).await?;
            ask(&mut act, &node, OperationKind::NodeResize).await
        })
    }

    /// Asks for the end of a node. A validator of a genesis leaves by a configuration change first.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Stale`], [`Refusal::InUse`],
    /// [`Refusal::OperationInProgress`].
    pub async fn node_delete(
        &self,
        context: &OpContext,
        id: NodeId,
        expected: Revision,
    ) -> Result<Operation> {
        act!(self, context, "node_delete", Some(id.uuid()), None, |act| {
            let node = own(context, &mut act, id, Action::Delete).await?;
            if node.revision != expected {
                return Err(Error::Stale);
            }
            let (_, ledger) = act.tx.ledger_find(node.ledger_id).await?;
            if matches!(ledger.phase, LedgerPhase::Launching | LedgerPhase::Running) {
                return Err(Refusal::InUse(Kind::Node).into());
            }
            desire(&mut act, &node, RunState::Deleted, OperationKind::NodeDelete).await
        })
    }
}

/// A node of the caller's own member that is not being ended. It is the caller's until the act ends: a
/// controller that writes down how it does at the same moment waits, or was first.
async fn own(context: &OpContext, act: &mut Act, id: NodeId, action: Action) -> Result<Node> {
    act.tx.node_lock(id).await?;
    let (handle, node) = act.tx.node_find(id).await?;
    context.authorize(action, handle.subject())?;
    if node.desired == RunState::Deleted {
        let phase = NodePhase::Deleting.as_str();
        return Err(Refusal::WrongPhase { kind: Kind::Node, phase }.into());
    }
    Ok(node)
}

/// What a node in a cluster may be asked for; a process shares its machine with the others.
fn check_size(in_cluster: bool, size: Option<NodeSize>, volume_gib: Option<u32>) -> Result<()> {
    let detail = "nodes that run as processes share their machine";
    if !in_cluster && size.is_some() {
        return Err(Error::invalid("/size", Rule::Unknown, detail));
    }
    if !in_cluster && volume_gib.is_some() {
        return Err(Error::invalid("/volume_gib", Rule::Unknown, detail));
    }
    if volume_gib.is_some_and(|gib| !(1..=limits::VOLUME_GIB_MAX).contains(&gib)) {
        let detail = format!("must be 1 to {}", limits::VOLUME_GIB_MAX);
        return Err(Error::invalid("/volume_gib", Rule::Range, detail));
    }
    Ok(())
}

async fn desire(
    act: &mut Act,
    node: &Node,
    desired: RunState,
    kind: OperationKind,
) -> Result<Operation> {
    let node = act.tx.node_set_desired(node.id, node.revision, desired).await?;
    ask(act, &node, kind).await
}

async fn ask(act: &mut Act, node: &Node, kind: OperationKind) -> Result<Operation> {
    act.tx.event_insert(&changed(node, act.now)).await?;
    let operation = NewOperation {
        id: OperationId::new(),
        kind,
        target: target(node),
        now: act.now,
        time_max: limits::NODE_OPERATION_TIME_MAX,
    };
    act.tx.operation_insert(&operation).await
}

const fn target(node: &Node) -> Target {
    Target {
        consortium_id: Some(node.consortium_id),
        ledger_id: Some(node.ledger_id),
        node_id: Some(node.id),
    }
}

fn changed(node: &Node, at: Timestamp) -> NewEvent {
    let subject_id = node.id.uuid();
    NewEvent { tenant: None, kind: EventKind::Node, subject_id, target: target(node), at }
}
