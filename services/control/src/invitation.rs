//! Offers of seats: the owner makes them, the invited tenant answers with its own key.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{
    ConsortiumId, Error, InvitationId, MemberId, Refusal, Result, Rule, TenantId, Timestamp, limits,
};
use hansa_store::{NewEvent, NewInvitation, NewMember};
use hansa_types::{
    EventKind, Invitation, InvitationAccept, InvitationCreate, InvitationList, InvitationPhase,
    Relation, Target, statement::Accept,
};

use crate::{
    act::{Act, Repeat, act},
    consortium::{changed, check_active},
    control_plane::{ControlPlane, PageQuery},
    signature,
    user::own,
};

impl ControlPlane {
    /// Invites a tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::QuotaExceeded`],
    /// [`Refusal::TenantUnknown`], [`Refusal::AlreadyMember`].
    pub async fn invitation_create(
        &self,
        context: &OpContext,
        consortium: ConsortiumId,
        request: &InvitationCreate,
        repeat: Option<Repeat>,
    ) -> Result<Invitation> {
        let InvitationCreate { tenant, expires_at } = request;
        act!(self, context, "invitation_create", Some(consortium.uuid()), repeat, |act| {
            let (handle, found) = act.tx.consortium_find(consortium).await?;
            context.authorize(Action::Invite, handle.subject())?;
            check_active(&found)?;
            let now = act.now;
            let expires_at = expiry(*expires_at, now)?;
            // Names of tenants are looked up only for somebody who may invite.
            let tenant = self.tenant_to_invite(context, tenant).await?;
            if tenant == found.owner_tenant_id {
                return Err(Refusal::AlreadyMember.into());
            }
            act.tx.consortium_lock(consortium).await?;
            act.tx.invitation_expire(consortium, tenant, now).await?;
            if act.tx.member_count(consortium).await? >= limits::MEMBERS_PER_CONSORTIUM_MAX {
                return Err(Error::QuotaExceeded { limit: limits::MEMBERS_PER_CONSORTIUM_MAX });
            }
            let id = InvitationId::new();
            act.about(id.uuid());
            act.tx.access_insert(consortium, tenant, Relation::Invitee).await?;
            let new = NewInvitation { id, consortium, tenant, now, expires_at };
            act.tx.invitation_insert(&new).await?;
            tell_both(&mut act, consortium, id, tenant).await?;
            act.tx.invitation_find(id).await.map(|(_, invitation)| invitation)
        })
    }

    /// An invitation.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn invitation_get(
        &self,
        context: &OpContext,
        id: InvitationId,
    ) -> Result<Invitation> {
        let (handle, invitation) = self.reading(context).await?.invitation_find(id).await?;
        context.authorize(Action::Read, handle.subject())?;
        Ok(invitation)
    }

    /// Invitations to the caller's tenant, or those of one consortium.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn invitation_list(
        &self,
        context: &OpContext,
        consortium: Option<ConsortiumId>,
        query: &PageQuery,
    ) -> Result<InvitationList> {
        context.authorize(Action::Read, Subject::Invitations)?;
        let list = match consortium {
            Some(id) => format!("consortium={id} invitations"),
            None => "invitations".to_owned(),
        };
        let page = self.page(context, &list, query)?;
        let mut tx = self.reading(context).await?;
        if let Some(id) = consortium {
            let (handle, _) = tx.consortium_find(id).await?;
            context.authorize(Action::Read, handle.subject())?;
        }
        self.listed(context, &list, tx.invitation_list(consortium, page).await?)
    }

    /// Takes the offered seat.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::InvitationClosed`],
    /// [`Refusal::SignatureInvalid`], [`Refusal::KeyInvalid`], [`Error::AlreadyExists`] for the
    /// name of another seat.
    pub async fn invitation_accept(
        &self,
        context: &OpContext,
        id: InvitationId,
        request: &InvitationAccept,
        repeat: Option<Repeat>,
    ) -> Result<Invitation> {
        let InvitationAccept { member_name, administrator_key, signature } = request;
        act!(self, context, "invitation_accept", Some(id.uuid()), repeat, |act| {
            let invitation = self.open_for_answer(context, &mut act, id).await?;
            let consortium = invitation.consortium_id;
            check_active(&act.tx.consortium_get(consortium).await?)?;
            let tenant = own(&mut act.tx).await?;
            let member = member_name.as_ref().unwrap_or(&tenant.name);
            let statement = Accept {
                invitation: id,
                consortium,
                tenant: tenant.id,
                member,
                administrator_key: *administrator_key,
            };
            signature::check(*administrator_key, &statement.bytes(), *signature)?;
            act.tx.invitation_close(id, InvitationPhase::Accepted, act.now).await?;
            act.tx.access_accept(consortium).await?;
            let seat = NewMember {
                id: MemberId::new(),
                consortium,
                name: member.clone(),
                administrator_key: *administrator_key,
                signature: *signature,
                now: act.now,
            };
            act.tx.member_insert(&seat).await?;
            let joined = changed(EventKind::Member, consortium, seat.id.uuid(), act.now);
            act.tx.event_insert(&joined).await?;
            tell_both(&mut act, consortium, id, tenant.id).await?;
            act.tx.invitation_find(id).await.map(|(_, invitation)| invitation)
        })
    }

    /// Declines the offered seat.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::InvitationClosed`].
    pub async fn invitation_decline(
        &self,
        context: &OpContext,
        id: InvitationId,
        repeat: Option<Repeat>,
    ) -> Result<Invitation> {
        act!(self, context, "invitation_decline", Some(id.uuid()), repeat, |act| {
            let invitation = self.open_for_answer(context, &mut act, id).await?;
            let (consortium, tenant) = (invitation.consortium_id, invitation.tenant_id);
            act.tx.invitation_close(id, InvitationPhase::Declined, act.now).await?;
            tell_both(&mut act, consortium, id, tenant).await?;
            let (_, closed) = act.tx.invitation_find(id).await?;
            act.tx.access_delete(consortium, tenant).await?;
            Ok(closed)
        })
    }

    /// Takes an offer back.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::InvitationClosed`].
    pub async fn invitation_delete(&self, context: &OpContext, id: InvitationId) -> Result<()> {
        act!(self, context, "invitation_delete", Some(id.uuid()), None, |act| {
            let (handle, invitation) = act.tx.invitation_find(id).await?;
            context.authorize(Action::Delete, handle.subject())?;
            let (consortium, tenant) = (invitation.consortium_id, invitation.tenant_id);
            act.tx.invitation_close(id, InvitationPhase::Withdrawn, act.now).await?;
            tell_both(&mut act, consortium, id, tenant).await?;
            act.tx.access_delete(consortium, tenant).await
        })
    }

    /// An invitation that the caller may answer now.
    async fn open_for_answer(
        &self,
        context: &OpContext,
        act: &mut Act,
        id: InvitationId,
    ) -> Result<Invitation> {
        let (handle, invitation) = act.tx.invitation_find(id).await?;
        context.authorize(Action::Answer, handle.subject())?;
        let open = invitation.phase == InvitationPhase::Pending && invitation.expires_at > act.now;
        if open { Ok(invitation) } else { Err(Refusal::InvitationClosed.into()) }
    }
}

/// Those who see the consortium, and the invited tenant, which may not see it any more.
async fn tell_both(
    act: &mut Act,
    consortium: ConsortiumId,
    id: InvitationId,
    tenant: TenantId,
) -> Result<()> {
    let event = changed(EventKind::Invitation, consortium, id.uuid(), act.now);
    act.tx.event_insert(&event).await?;
    let target = Target::default();
    act.tx.event_insert(&NewEvent { tenant: Some(tenant), target, ..event }).await
}

fn expiry(asked: Option<Timestamp>, now: Timestamp) -> Result<Timestamp> {
    match asked {
        None => Ok(now + limits::INVITATION_LIFE_DEFAULT),
        Some(at) if at > now && at <= now + limits::INVITATION_LIFE_MAX => Ok(at),
        Some(_) => {
            let detail = "must be in the future and at most 30 days from now";
            Err(Error::invalid("/expires_at", Rule::Range, detail))
        }
    }
}
