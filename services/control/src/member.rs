//! Seats of a consortium.

use hansa_authz::{Action, OpContext};
use hansa_core::{ConsortiumId, Error, Kind, MemberId, Refusal, Result, Revision};
use hansa_types::{EventKind, Member, MemberList, Relation};

use crate::{
    act::act,
    consortium::changed,
    control_plane::{ControlPlane, PageQuery},
};

impl ControlPlane {
    /// A seat.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn member_get(
        &self,
        context: &OpContext,
        consortium: ConsortiumId,
        id: MemberId,
    ) -> Result<Member> {
        let mut tx = self.reading(context).await?;
        let (handle, _) = tx.consortium_find(consortium).await?;
        context.authorize(Action::Read, handle.subject())?;
        tx.member_get(consortium, id).await
    }

    /// The seats of a consortium.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn member_list(
        &self,
        context: &OpContext,
        consortium: ConsortiumId,
        query: &PageQuery,
    ) -> Result<MemberList> {
        let list = format!("consortium={consortium} members");
        let page = self.page(context, &list, query)?;
        let mut tx = self.reading(context).await?;
        let (handle, _) = tx.consortium_find(consortium).await?;
        context.authorize(Action::Read, handle.subject())?;
        self.listed(context, &list, tx.member_list(consortium, page).await?)
    }

    /// Gives up the own seat, or removes another's as the owner. The seat's nodes must be gone.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Stale`], [`Refusal::OwnerCannotLeave`],
    /// [`Refusal::InUse`].
    pub async fn member_delete(
        &self,
        context: &OpContext,
        consortium: ConsortiumId,
        id: MemberId,
        expected: Revision,
    ) -> Result<()> {
        act!(self, context, "member_delete", Some(id.uuid()), None, |act| {
            let (handle, found) = act.tx.consortium_find(consortium).await?;
            let seat = act.tx.member_get(consortium, id).await?;
            let own = handle.seat() == Some(id);
            let action = match (own, handle.relation()) {
                (_, Relation::Owner) => Action::Modify,
                (true, Relation::Member | Relation::Invitee) => Action::Leave,
                (false, Relation::Member | Relation::Invitee) => return Err(Error::Forbidden),
            };
            context.authorize(action, handle.subject())?;
            if seat.tenant_id == found.owner_tenant_id {
                return Err(Refusal::OwnerCannotLeave.into());
            }
            if act.tx.node_count_of_member(id).await? > 0 {
                return Err(Refusal::InUse(Kind::Member).into());
            }
            act.tx.member_remove(id, expected).await?;
            // Before the own sight of it ends: the event is for those who stay.
            let event = changed(EventKind::Member, consortium, id.uuid(), act.now);
            act.tx.event_insert(&event).await?;
            act.tx.access_delete(consortium, seat.tenant_id).await
        })
    }
}
