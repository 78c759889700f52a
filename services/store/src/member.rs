//! Seats.

use hansa_core::{
    ConsortiumId, Error, Kind, MemberId, Name, Page, PageRequest, Position, Result, Revision,
    Timestamp,
};
use hansa_types::{Member, PublicKey, Signature};
use sqlx::postgres::PgRow;

use crate::{error::database, row::Read, tx::TenantTx};

/// A seat that the own tenant takes.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// Its id.
    pub id: MemberId,
    /// The consortium.
    pub consortium: ConsortiumId,
    /// Its name.
    pub name: Name,
    /// The member's authority.
    pub administrator_key: PublicKey,
    /// That key's signature over the statement of taking the seat.
    pub signature: Signature,
    /// When.
    pub now: Timestamp,
}

impl TenantTx {
    /// Takes a seat.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] for a name or key that another seat has.
    pub async fn member_insert(&mut self, new: &NewMember) -> Result<()> {
        let NewMember { id, consortium, name, administrator_key, signature, now } = new;
        let tenant = self.scope().tenant();
        sqlx::query(
            "INSERT INTO member \
             (id, consortium_id, tenant_id, name, administrator_key, signature, joined_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.uuid())
        .bind(consortium.uuid())
        .bind(tenant.uuid())
        .bind(name.as_str())
        .bind(administrator_key.bytes().as_slice())
        .bind(signature.bytes().as_slice())
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }

    /// A taken seat of a consortium that the own tenant sees.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn member_get(&mut self, consortium: ConsortiumId, id: MemberId) -> Result<Member> {
        let row = sqlx::query(
            "SELECT * FROM member WHERE id = $1 AND consortium_id = $2 AND phase = 'active'",
        )
        .bind(id.uuid())
        .bind(consortium.uuid())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        row.as_ref().map(read).transpose()?.ok_or(Error::NotFound(Kind::Member))
    }

    /// The taken seats of a consortium, in order of joining.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn member_list(
        &mut self,
        consortium: ConsortiumId,
        page: PageRequest,
    ) -> Result<Page<Member>> {
        let rows = sqlx::query(
            "SELECT * FROM member WHERE consortium_id = $1 AND phase = 'active' \
             AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
        )
        .bind(consortium.uuid())
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let members = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(members, page.size, |m: &Member| Position::after_id(m.id.uuid())))
    }

    /// Taken seats and open invitations of a consortium.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn member_count(&mut self, consortium: ConsortiumId) -> Result<u32> {
        let count: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM member WHERE consortium_id = $1 AND phase = 'active') \
             + (SELECT count(*) FROM invitation WHERE consortium_id = $1 AND phase = 'pending')",
        )
        .bind(consortium.uuid())
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        u32::try_from(count).map_err(Error::internal)
    }

    /// Gives up a seat that still has the expected revision.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub async fn member_remove(&mut self, id: MemberId, expected: Revision) -> Result<()> {
        let removed = sqlx::query(
            "UPDATE member SET phase = 'removed', revision = revision + 1 \
             WHERE id = $1 AND revision = $2 AND phase = 'active'",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .execute(self.connection())
        .await
        .map_err(database)?;
        if removed.rows_affected() == 1 { Ok(()) } else { Err(Error::Stale) }
    }
}

fn read(row: &PgRow) -> Result<Member> {
    let row = Read(row);
    Ok(Member {
        id: row.id("id")?,
        consortium_id: row.id("consortium_id")?,
        tenant_id: row.id("tenant_id")?,
        name: row.name("name")?,
        administrator_key: PublicKey::from(row.bytes::<32>("administrator_key")?),
        phase: row.text("phase")?,
        revision: row.number("revision")?,
        joined_at: row.time("joined_at")?,
    })
}
