//! Consortiums, and who stands how to them.

use hansa_authz::ConsortiumHandle;
use hansa_core::{
    ConsortiumId, Error, Kind, Name, Page, PageRequest, Position, Result, Revision, TenantId,
    Timestamp,
};
use hansa_types::{Consortium, ConsortiumPhase, DisplayName, Relation, VotingPolicy};
use sqlx::postgres::PgRow;

use crate::{error::database, row::Read, tx::TenantTx};

/// A consortium to be founded by the own tenant.
#[derive(Clone, Debug)]
pub struct NewConsortium {
    /// Its id.
    pub id: ConsortiumId,
    /// Its name.
    pub name: Name,
    /// Its title.
    pub display_name: DisplayName,
    /// When proposals pass.
    pub voting_policy: VotingPolicy,
    /// When.
    pub now: Timestamp,
}

/// A consortium that the tenant sees, with its relation and its own seat.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, a.relation, m.id AS seat_id FROM consortium c \
             JOIN consortium_access a ON a.consortium_id = c.id AND a.tenant_id = hansa_tenant() \
             LEFT JOIN member m ON m.consortium_id = c.id AND m.tenant_id = hansa_tenant() \
             AND m.phase = 'active' ",
            $rest
        )
    };
}

impl TenantTx {
    /// Founds a consortium and stands to it as its owner.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when the own tenant has one of this name.
    pub async fn consortium_insert(&mut self, new: &NewConsortium) -> Result<()> {
        let NewConsortium { id, name, display_name, voting_policy, now } = new;
        let owner = self.scope().tenant();
        sqlx::query(
            "INSERT INTO consortium (id, owner_tenant_id, name, display_name, \
             threshold_percentage, comparator, proposal_duration_hours, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(name.as_str())
        .bind(display_name.as_str())
        .bind(i16::from(voting_policy.threshold_percentage))
        .bind(voting_policy.comparator.as_str())
        .bind(i16::from(voting_policy.proposal_duration_hours))
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map_err(database)?;
        self.access_insert(*id, owner, Relation::Owner).await
    }

    /// Lets a tenant see a consortium of the own tenant.
    ///
    /// # Errors
    /// When it already does.
    pub async fn access_insert(
        &mut self,
        consortium: ConsortiumId,
        tenant: TenantId,
        relation: Relation,
    ) -> Result<()> {
        let owner = self.scope().tenant();
        sqlx::query(
            "INSERT INTO consortium_access (consortium_id, tenant_id, owner_tenant_id, relation) \
             VALUES ($1, $2, $3, $4)",
        )
        .bind(consortium.uuid())
        .bind(tenant.uuid())
        .bind(owner.uuid())
        .bind(relation.as_str())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }

    /// Turns the own tenant from an invitee into a member.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is no invitee.
    pub async fn access_accept(&mut self, consortium: ConsortiumId) -> Result<()> {
        let accepted = sqlx::query(
            "UPDATE consortium_access SET relation = 'member' \
             WHERE consortium_id = $1 AND tenant_id = hansa_tenant() AND relation = 'invitee'",
        )
        .bind(consortium.uuid())
        .execute(self.connection())
        .await
        .map_err(database)?;
        if accepted.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Kind::Consortium)) }
    }

    /// Ends a tenant's sight of a consortium: its own, or another's of a consortium that it owns.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn access_delete(
        &mut self,
        consortium: ConsortiumId,
        tenant: TenantId,
    ) -> Result<()> {
        sqlx::query("DELETE FROM consortium_access WHERE consortium_id = $1 AND tenant_id = $2")
            .bind(consortium.uuid())
            .bind(tenant.uuid())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }

    /// A consortium that the own tenant sees.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn consortium_get(&mut self, id: ConsortiumId) -> Result<Consortium> {
        self.consortium_find(id).await.map(|(_, consortium)| consortium)
    }

    /// A consortium that the own tenant sees, with its handle.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn consortium_find(
        &mut self,
        id: ConsortiumId,
    ) -> Result<(ConsortiumHandle, Consortium)> {
        let row = sqlx::query(select!("WHERE c.id = $1 AND c.phase <> 'deleted'"))
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?
            .ok_or(Error::NotFound(Kind::Consortium))?;
        let consortium = read(&row)?;
        let seat = Read(&row).id_opt("seat_id")?;
        let handle =
            ConsortiumHandle::found(self.scope(), consortium.id, consortium.relation, seat);
        Ok((handle, consortium))
    }

    /// Locks a consortium that the own tenant owns until the end of the transaction, so that counts
    /// of what it holds stay true.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the own tenant does not own it.
    pub async fn consortium_lock(&mut self, id: ConsortiumId) -> Result<()> {
        sqlx::query("SELECT id FROM consortium WHERE id = $1 FOR UPDATE")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?
            .map(drop)
            .ok_or(Error::NotFound(Kind::Consortium))
    }

    /// The consortiums that the own tenant sees, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consortium_list(&mut self, page: PageRequest) -> Result<Page<Consortium>> {
        let rows = sqlx::query(select!(
            "WHERE c.phase <> 'deleted' AND ($1::uuid IS NULL OR c.id < $1) \
             ORDER BY c.id DESC LIMIT $2"
        ))
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let consortiums = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(consortiums, page.size, |c: &Consortium| Position::after_id(c.id.uuid())))
    }

    /// How many consortiums the own tenant owns.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consortium_count_own(&mut self) -> Result<u32> {
        let query = "SELECT count(*) FROM consortium \
                     WHERE owner_tenant_id = hansa_tenant() AND phase <> 'deleted'";
        crate::user::count(self.connection(), query).await
    }

    /// Changes a consortium that the own tenant owns and that still has the expected revision.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`].
    pub async fn consortium_update(
        &mut self,
        id: ConsortiumId,
        expected: Revision,
        display_name: Option<&DisplayName>,
        phase: Option<ConsortiumPhase>,
    ) -> Result<Consortium> {
        let updated = sqlx::query(
            "UPDATE consortium SET display_name = coalesce($3, display_name), \
             phase = coalesce($4, phase), revision = revision + 1 \
             WHERE id = $1 AND revision = $2",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .bind(display_name.map(DisplayName::as_str))
        .bind(phase.map(ConsortiumPhase::as_str))
        .execute(self.connection())
        .await
        .map_err(database)?;
        let now = self.consortium_get(id).await?;
        if updated.rows_affected() == 1 { Ok(now) } else { Err(Error::Stale) }
    }
}

fn read(row: &PgRow) -> Result<Consortium> {
    let row = Read(row);
    let bounded = |column: &str| row.get::<i16>(column);
    Ok(Consortium {
        id: row.id("id")?,
        name: row.name("name")?,
        display_name: row.text("display_name")?,
        owner_tenant_id: row.id("owner_tenant_id")?,
        relation: row.text("relation")?,
        voting_policy: VotingPolicy {
            threshold_percentage: bounded("threshold_percentage")?
                .try_into()
                .map_err(Error::internal)?,
            comparator: row.text("comparator")?,
            proposal_duration_hours: bounded("proposal_duration_hours")?
                .try_into()
                .map_err(Error::internal)?,
        },
        phase: row.text("phase")?,
        revision: row.number("revision")?,
        created_at: row.time("created_at")?,
    })
}
