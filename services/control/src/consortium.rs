//! Consortiums.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{
    ConsortiumId, Error, Kind, MemberId, OperationId, Refusal, Result, Revision, limits,
};
use hansa_store::{NewConsortium, NewEvent, NewMember, NewOperation};
use hansa_types::{
    Consortium, ConsortiumCreate, ConsortiumList, ConsortiumPhase, ConsortiumUpdate, EventKind,
    Operation, OperationKind, Target, statement::Found,
};

use crate::{
    act::{Repeat, act},
    control_plane::{ControlPlane, PageQuery},
    signature,
    user::own,
};

impl ControlPlane {
    /// Founds a consortium and takes its first seat.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::AlreadyExists`], [`Error::QuotaExceeded`],
    /// [`Refusal::SignatureInvalid`], [`Refusal::KeyInvalid`].
    pub async fn consortium_create(
        &self,
        context: &OpContext,
        request: &ConsortiumCreate,
        repeat: Option<Repeat>,
    ) -> Result<Consortium> {
        let ConsortiumCreate {
            name,
            display_name,
            voting_policy,
            member_name,
            administrator_key,
            signature,
        } = request;
        act!(self, context, "consortium_create", None, repeat, |act| {
            context.authorize(Action::Create, Subject::Consortiums)?;
            let tenant = own(&mut act.tx).await?;
            let member = member_name.as_ref().unwrap_or(&tenant.name);
            let statement = Found {
                tenant: tenant.id,
                consortium: name,
                member,
                administrator_key: *administrator_key,
            };
            signature::check(*administrator_key, &statement.bytes(), *signature)?;
            if act.tx.consortium_count_own().await? >= limits::CONSORTIUMS_PER_TENANT_MAX {
                return Err(Error::QuotaExceeded { limit: limits::CONSORTIUMS_PER_TENANT_MAX });
            }
            let id = ConsortiumId::new();
            act.about(id.uuid());
            let now = act.now;
            let new = NewConsortium {
                id,
                name: name.clone(),
                display_name: display_name.clone(),
                voting_policy: *voting_policy,
                now,
            };
            act.tx.consortium_insert(&new).await?;
            let seat = NewMember {
                id: MemberId::new(),
                consortium: id,
                name: member.clone(),
                administrator_key: *administrator_key,
                signature: *signature,
                now,
            };
            act.tx.member_insert(&seat).await?;
            act.tx.event_insert(&changed(EventKind::Consortium, id, id.uuid(), now)).await?;
            act.tx.consortium_get(id).await
        })
    }

    /// A consortium.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn consortium_get(
        &self,
        context: &OpContext,
        id: ConsortiumId,
    ) -> Result<Consortium> {
        let (handle, consortium) = self.reading(context).await?.consortium_find(id).await?;
        context.authorize(Action::Read, handle.subject())?;
        Ok(consortium)
    }

    /// The consortiums that the tenant owns, is a member of or is invited to.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn consortium_list(
        &self,
        context: &OpContext,
        query: &PageQuery,
    ) -> Result<ConsortiumList> {
        context.authorize(Action::Read, Subject::Consortiums)?;
        let page = self.page(context, "consortiums", query)?;
        let found = self.reading(context).await?.consortium_list(page).await?;
        self.listed(context, "consortiums", found)
    }

    /// Changes a consortium.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Stale`].
    pub async fn consortium_update(
        &self,
        context: &OpContext,
        id: ConsortiumId,
        expected: Revision,
        request: &ConsortiumUpdate,
    ) -> Result<Consortium> {
        let ConsortiumUpdate { display_name } = request;
        act!(self, context, "consortium_update", Some(id.uuid()), None, |act| {
            let (handle, _) = act.tx.consortium_find(id).await?;
            context.authorize(Action::Modify, handle.subject())?;
            let changed_row =
                act.tx.consortium_update(id, expected, display_name.as_ref(), None).await?;
            act.tx.event_insert(&changed(EventKind::Consortium, id, id.uuid(), act.now)).await?;
            Ok(changed_row)
        })
    }

    /// Asks for the end of a consortium with its ledgers and nodes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Stale`], [`Refusal::WrongPhase`].
    pub async fn consortium_delete(
        &self,
        context: &OpContext,
        id: ConsortiumId,
        expected: Revision,
    ) -> Result<Operation> {
        act!(self, context, "consortium_delete", Some(id.uuid()), None, |act| {
            let (handle, consortium) = act.tx.consortium_find(id).await?;
            context.authorize(Action::Delete, handle.subject())?;
            check_active(&consortium)?;
            let deleting = Some(ConsortiumPhase::Deleting);
            act.tx.consortium_update(id, expected, None, deleting).await?;
            act.tx.event_insert(&changed(EventKind::Consortium, id, id.uuid(), act.now)).await?;
            let operation = NewOperation {
                id: OperationId::new(),
                kind: OperationKind::ConsortiumDelete,
                target: Target { consortium_id: Some(id), ..Target::default() },
                now: act.now,
                time_max: limits::DELETE_TIME_MAX,
            };
            act.tx.operation_insert(&operation).await
        })
    }
}

/// A consortium that is being ended takes nothing new.
pub(crate) fn check_active(consortium: &Consortium) -> Result<()> {
    match consortium.phase {
        ConsortiumPhase::Active => Ok(()),
        ConsortiumPhase::Deleting | ConsortiumPhase::Deleted => {
            let phase = consortium.phase.as_str();
            Err(Refusal::WrongPhase { kind: Kind::Consortium, phase }.into())
        }
    }
}

/// An event for everybody who sees the consortium.
pub(crate) fn changed(
    kind: EventKind,
    consortium: ConsortiumId,
    subject_id: hansa_core::Uuid,
    at: hansa_core::Timestamp,
) -> NewEvent {
    let target = Target { consortium_id: Some(consortium), ..Target::default() };
    NewEvent { tenant: None, kind, subject_id, target, at }
}
