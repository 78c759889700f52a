//! Offers of seats.

use hansa_authz::{InvitationHandle, InvitationSide};
use hansa_core::{
    ConsortiumId, Error, InvitationId, Kind, Page, PageRequest, Position, Refusal, Result,
    TenantId, Timestamp,
};
use hansa_types::{Invitation, InvitationPhase};
use sqlx::postgres::PgRow;

use crate::{error::database, row::Read, tx::TenantTx};

/// An offer of a seat in a consortium of the own tenant.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Its id.
    pub id: InvitationId,
    /// The consortium.
    pub consortium: ConsortiumId,
    /// Who is invited.
    pub tenant: TenantId,
    /// When it is made.
    pub now: Timestamp,
    /// When it ends unanswered.
    pub expires_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT i.*, c.name AS consortium, i.owner_tenant_id = hansa_tenant() AS is_owner, \
             i.tenant_id = hansa_tenant() AS is_invitee FROM invitation i \
             JOIN consortium c ON c.id = i.consortium_id ",
            $rest
        )
    };
}

impl TenantTx {
    /// Makes an offer.
    ///
    /// # Errors
    /// [`Refusal::AlreadyMember`] when the tenant has an open one.
    pub async fn invitation_insert(&mut self, new: &NewInvitation) -> Result<()> {
        let NewInvitation { id, consortium, tenant, now, expires_at } = new;
        let owner = self.scope().tenant();
        sqlx::query(
            "INSERT INTO invitation \
             (id, consortium_id, owner_tenant_id, tenant_id, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.uuid())
        .bind(consortium.uuid())
        .bind(owner.uuid())
        .bind(tenant.uuid())
        .bind(now.to_offset())
        .bind(expires_at.to_offset())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }

    /// An offer that the own tenant sees, with its handle.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn invitation_find(
        &mut self,
        id: InvitationId,
    ) -> Result<(InvitationHandle, Invitation)> {
        let row = sqlx::query(select!("WHERE i.id = $1"))
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?
            .ok_or(Error::NotFound(Kind::Invitation))?;
        let invitation = read(&row)?;
        let columns = Read(&row);
        let side = match (columns.get("is_owner")?, columns.get("is_invitee")?) {
            (true, _) => InvitationSide::Owner,
            (false, true) => InvitationSide::Invitee,
            (false, false) => InvitationSide::Member,
        };
        let handle =
            InvitationHandle::found(self.scope(), invitation.id, invitation.consortium_id, side);
        Ok((handle, invitation))
    }

    /// Offers to the own tenant, or of one consortium that it sees; newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn invitation_list(
        &mut self,
        consortium: Option<ConsortiumId>,
        page: PageRequest,
    ) -> Result<Page<Invitation>> {
        let rows = sqlx::query(select!(
            "WHERE CASE WHEN $1::uuid IS NULL THEN i.tenant_id = hansa_tenant() \
             ELSE i.consortium_id = $1 END \
             AND ($2::uuid IS NULL OR i.id < $2) ORDER BY i.id DESC LIMIT $3"
        ))
        .bind(consortium.map(ConsortiumId::uuid))
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let invitations = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(invitations, page.size, |i: &Invitation| Position::after_id(i.id.uuid())))
    }

    /// Ends an open offer.
    ///
    /// # Errors
    /// [`Refusal::InvitationClosed`] when it is open no more.
    pub async fn invitation_close(
        &mut self,
        id: InvitationId,
        phase: InvitationPhase,
        now: Timestamp,
    ) -> Result<()> {
        let closed = sqlx::query(
            "UPDATE invitation SET phase = $2, answered_at = $3, revision = revision + 1 \
             WHERE id = $1 AND phase = 'pending'",
        )
        .bind(id.uuid())
        .bind(phase.as_str())
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map_err(database)?;
        if closed.rows_affected() == 1 { Ok(()) } else { Err(Refusal::InvitationClosed.into()) }
    }

    /// Ends the open offers of a consortium to a tenant whose time has passed, so that it can be
    /// invited again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn invitation_expire(
        &mut self,
        consortium: ConsortiumId,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<()> {
        let expired = sqlx::query(
            "UPDATE invitation SET phase = 'expired', answered_at = $3, revision = revision + 1 \
             WHERE consortium_id = $1 AND tenant_id = $2 AND phase = 'pending' \
             AND expires_at <= $3",
        )
        .bind(consortium.uuid())
        .bind(tenant.uuid())
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map_err(database)?;
        if expired.rows_affected() > 0 {
            self.access_delete(consortium, tenant).await?;
        }
        Ok(())
    }
}

fn read(row: &PgRow) -> Result<Invitation> {
    let row = Read(row);
    Ok(Invitation {
        id: row.id("id")?,
        consortium_id: row.id("consortium_id")?,
        consortium: row.name("consortium")?,
        tenant_id: row.id("tenant_id")?,
        phase: row.text("phase")?,
        revision: row.number("revision")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        answered_at: row.time_opt("answered_at")?,
    })
}
