//! Ledgers.

use hansa_authz::{Action, OpContext};
use hansa_core::{
    ConsortiumId, Error, Kind, LedgerId, OperationId, Refusal, Result, Revision, Rule, Timestamp,
    limits,
};
use hansa_store::{NewEvent, NewLedger, NewOperation};
use hansa_types::{
    ConsensusPolicy, EventKind, Ledger, LedgerCreate, LedgerList, LedgerPhase, LedgerUpdate,
    Operation, OperationKind, Target,
};

use crate::{
    act::{Repeat, act},
    consortium::check_active,
    control_plane::{ControlPlane, PageQuery},
    plan::launch::{check_launch, check_policy},
};

impl ControlPlane {
    /// Makes a ledger without a genesis, to which members then add nodes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::AlreadyExists`],
    /// [`Error::QuotaExceeded`], [`Refusal::PolicyNotAvailable`].
    pub async fn ledger_create(
        &self,
        context: &OpContext,
        consortium: ConsortiumId,
        request: &LedgerCreate,
        repeat: Option<Repeat>,
    ) -> Result<Ledger> {
        let LedgerCreate { name, policy, development, suite } = request;
        act!(self, context, "ledger_create", Some(consortium.uuid()), repeat, |act| {
            let (handle, found) = act.tx.consortium_find(consortium).await?;
            context.authorize(Action::Create, handle.subject())?;
            check_active(&found)?;
            check_kind(*policy, *development)?;
            act.tx.consortium_lock(consortium).await?;
            if act.tx.ledger_count(consortium).await? >= limits::LEDGERS_PER_CONSORTIUM_MAX {
                return Err(Error::QuotaExceeded { limit: limits::LEDGERS_PER_CONSORTIUM_MAX });
            }
            let id = LedgerId::new();
            act.about(id.uuid());
            let new = NewLedger {
                id,
                consortium,
                name: name.clone(),
                policy: *policy,
                development: *development,
                suite: *suite,
                now: act.now,
            };
            act.tx.ledger_insert(&new).await?;
            act.tx.event_insert(&changed(consortium, id, act.now)).await?;
            act.tx.ledger_find(id).await.map(|(_, ledger)| ledger)
        })
    }

    /// A ledger.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn ledger_get(&self, context: &OpContext, id: LedgerId) -> Result<Ledger> {
        let mut tx = self.reading(context).await?;
        let (handle, mut ledger) = tx.ledger_find(id).await?;
        context.authorize(Action::Read, handle.subject())?;
        ledger.health = self.ledger_health(&mut tx, &ledger).await?;
        Ok(ledger)
    }

    /// The ledgers of a consortium.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn ledger_list(
        &self,
        context: &OpContext,
        consortium: ConsortiumId,
        query: &PageQuery,
    ) -> Result<LedgerList> {
        let list = format!("consortium={consortium} ledgers");
        let page = self.page(context, &list, query)?;
        let mut tx = self.reading(context).await?;
        let (handle, _) = tx.consortium_find(consortium).await?;
        context.authorize(Action::Read, handle.subject())?;
        let mut ledgers = tx.ledger_list(consortium, page).await?;
        for ledger in &mut ledgers.items {
            ledger.health = self.ledger_health(&mut tx, ledger).await?;
        }
        self.listed(context, &list, ledgers)
    }

    /// Changes a ledger that has no genesis yet.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Stale`], [`Refusal::WrongPhase`],
    /// [`Refusal::PolicyNotAvailable`].
    pub async fn ledger_update(
        &self,
        context: &OpContext,
        id: LedgerId,
        expected: Revision,
        request: &LedgerUpdate,
    ) -> Result<Ledger> {
        let LedgerUpdate { policy, development } = request;
        act!(self, context, "ledger_update", Some(id.uuid()), None, |act| {
            let (handle, ledger) = act.tx.ledger_find(id).await?;
            context.authorize(Action::Modify, handle.subject())?;
            if ledger.phase != LedgerPhase::Draft {
                let phase = ledger.phase.as_str();
                return Err(Refusal::WrongPhase { kind: Kind::Ledger, phase }.into());
            }
            check_kind(policy.unwrap_or(ledger.policy), development.unwrap_or(ledger.development))?;
            let ledger = act.tx.ledger_update(id, expected, *policy, *development).await?;
            act.tx.event_insert(&changed(ledger.consortium_id, id, act.now)).await?;
            Ok(ledger)
        })
    }

    /// Asks for the launch of a ledger.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::WrongPhase`],
    /// [`Refusal::NotEnoughNodes`], [`Refusal::PolicyNotAvailable`].
    pub async fn ledger_launch(
        &self,
        context: &OpContext,
        id: LedgerId,
        repeat: Option<Repeat>,
    ) -> Result<Operation> {
        act!(self, context, "ledger_launch", Some(id.uuid()), repeat, |act| {
            let (handle, ledger) = act.tx.ledger_find(id).await?;
            context.authorize(Action::Launch, handle.subject())?;
            check_active(&act.tx.consortium_get(handle.consortium()).await?)?;
            let nodes = act.tx.node_count(id).await?;
            check_launch(ledger.policy, ledger.development, ledger.phase, nodes)?;
            act.tx.ledger_set_phase(id, ledger.revision, LedgerPhase::Launching).await?;
            act.tx.event_insert(&changed(ledger.consortium_id, id, act.now)).await?;
            let operation = NewOperation {
                id: OperationId::new(),
                kind: OperationKind::LedgerLaunch,
                target: Target {
                    consortium_id: Some(ledger.consortium_id),
                    ledger_id: Some(id),
                    node_id: None,
                },
                now: act.now,
                time_max: limits::LAUNCH_STEP_TIME_MAX,
            };
            act.tx.operation_insert(&operation).await
        })
    }

    /// Asks for the end of a ledger with its nodes, which may be other members' too: whoever owns
    /// the consortium decides. Their volumes are kept for [`limits::VOLUME_RETENTION`].
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Stale`], [`Refusal::WrongPhase`],
    /// [`Refusal::OperationInProgress`] while it is being launched.
    pub async fn ledger_delete(
        &self,
        context: &OpContext,
        id: LedgerId,
        expected: Revision,
    ) -> Result<Operation> {
        act!(self, context, "ledger_delete", Some(id.uuid()), None, |act| {
            let (handle, ledger) = act.tx.ledger_find(id).await?;
            context.authorize(Action::Delete, handle.subject())?;
            if matches!(ledger.phase, LedgerPhase::Deleting | LedgerPhase::Deleted) {
                let phase = ledger.phase.as_str();
                return Err(Refusal::WrongPhase { kind: Kind::Ledger, phase }.into());
            }
            act.tx.ledger_set_phase(id, expected, LedgerPhase::Deleting).await?;
            act.tx.event_insert(&changed(ledger.consortium_id, id, act.now)).await?;
            let operation = NewOperation {
                id: OperationId::new(),
                kind: OperationKind::LedgerDelete,
                target: Target {
                    consortium_id: Some(ledger.consortium_id),
                    ledger_id: Some(id),
                    node_id: None,
                },
                now: act.now,
                time_max: limits::DELETE_TIME_MAX,
            };
            act.tx.operation_insert(&operation).await
        })
    }
}

fn check_kind(policy: ConsensusPolicy, development: bool) -> Result<()> {
    check_policy(policy)?;
    if development && policy != ConsensusPolicy::Cft {
        let detail = "only a cft ledger can be marked as for development";
        return Err(Error::invalid("/development", Rule::Range, detail));
    }
    Ok(())
}

fn changed(consortium: ConsortiumId, id: LedgerId, at: Timestamp) -> NewEvent {
    let target = Target { consortium_id: Some(consortium), ledger_id: Some(id), node_id: None };
    NewEvent { tenant: None, kind: EventKind::Ledger, subject_id: id.uuid(), target, at }
}
