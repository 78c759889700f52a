//! Consortiums of all tenants that are founded and ended, and their members.

use hansa_core::{ConsortiumId, Error, MemberId, Name, Result, TenantId, Timestamp, limits};
use hansa_types::{EventKind, PublicKey, Target};
use sqlx::{PgConnection, postgres::PgRow};

use crate::{
    error::database,
    event::NewEvent,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A seat, for the composition of a charter.
#[derive(Clone, Debug)]
pub struct DrivenMember {
    /// Its id.
    pub id: MemberId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: Name,
    /// Its authority.
    pub administrator_key: PublicKey,
}

impl SystemTx {
    /// Wishes the end of all nodes of a consortium.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_end_all(&mut self, consortium: ConsortiumId) -> Result<u64> {
        let ended = sqlx::query(
            "UPDATE node SET desired = 'deleted', generation = generation + 1, \
             revision = revision + 1 WHERE consortium_id = $1 AND desired <> 'deleted'",
        )
        .bind(consortium.uuid())
        .execute(self.connection())
        .await
        .map_err(database)?;
        Ok(ended.rows_affected())
    }

    /// The seats of a consortium that are held, in order of joining.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn member_driven(&mut self, consortium: ConsortiumId) -> Result<Vec<DrivenMember>> {
        members(self.connection(), consortium).await
    }

    /// Percentage and comparator of a consortium's decisions.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consortium_threshold(
        &mut self,
        consortium: ConsortiumId,
    ) -> Result<(u8, hansa_types::Comparator)> {
        let row =
            sqlx::query("SELECT threshold_percentage, comparator FROM consortium WHERE id = $1")
                .bind(consortium.uuid())
                .fetch_one(self.connection())
                .await
                .map_err(database)?;
        let row = Read(&row);
        let percentage = row.get::<i16>("threshold_percentage")?;
        Ok((u8::try_from(percentage).map_err(Error::internal)?, row.text("comparator")?))
    }

    /// Consortiums that are being ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consortium_deleting(&mut self) -> Result<Vec<ConsortiumId>> {
        let rows =
            sqlx::query("SELECT id FROM consortium WHERE phase = 'deleting' ORDER BY id LIMIT $1")
                .bind(i64::from(limits::RECONCILE_PAGE))
                .fetch_all(self.connection())
                .await
                .map_err(database)?;
        rows.iter().map(|row| Read(row).id("id")).collect()
    }

    /// How many nodes of a consortium should still run, and how many are not gone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_counts(&mut self, consortium: ConsortiumId) -> Result<(i64, i64)> {
        let row = sqlx::query(
            "SELECT count(*) FILTER (WHERE desired <> 'deleted') AS wanted, count(*) AS left \
             FROM node WHERE consortium_id = $1 AND phase <> 'deleted'",
        )
        .bind(consortium.uuid())
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        let row = Read(&row);
        Ok((row.get("wanted")?, row.get("left")?))
    }

    /// Ends a consortium whose nodes are gone, and its ledgers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consortium_end(&mut self, id: ConsortiumId, now: Timestamp) -> Result<()> {
        sqlx::query(
            "UPDATE ledger SET phase = 'deleted', revision = revision + 1 \
             WHERE consortium_id = $1 AND phase <> 'deleted'",
        )
        .bind(id.uuid())
        .execute(self.connection())
        .await
        .map_err(database)?;
        sqlx::query(
            "UPDATE consortium SET phase = 'deleted', deleted_at = $2, revision = revision + 1 \
             WHERE id = $1 AND phase = 'deleting'",
        )
        .bind(id.uuid())
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map_err(database)?;
        let target = Target { consortium_id: Some(id), ..Target::default() };
        let (kind, subject_id) = (EventKind::Consortium, id.uuid());
        self.event_insert(&NewEvent { tenant: None, kind, subject_id, target, at: now }).await
    }

    /// Whether a consortium was ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consortium_is_deleted(&mut self, id: ConsortiumId) -> Result<bool> {
        sqlx::query_scalar("SELECT phase = 'deleted' FROM consortium WHERE id = $1")
            .bind(id.uuid())
            .fetch_one(self.connection())
            .await
            .map_err(database)
    }
}

impl TenantTx {
    /// The seats of a consortium that are held, in order of joining.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn member_all(&mut self, consortium: ConsortiumId) -> Result<Vec<DrivenMember>> {
        members(self.connection(), consortium).await
    }
}

async fn members(
    connection: &mut PgConnection,
    consortium: ConsortiumId,
) -> Result<Vec<DrivenMember>> {
    let rows = sqlx::query(
        "SELECT id, tenant_id, name, administrator_key FROM member \
         WHERE consortium_id = $1 AND phase = 'active' ORDER BY joined_at, id LIMIT $2",
    )
    .bind(consortium.uuid())
    .bind(i64::from(limits::MEMBERS_PER_CONSORTIUM_MAX))
    .fetch_all(connection)
    .await
    .map_err(database)?;
    rows.iter().map(read_member).collect()
}

fn read_member(row: &PgRow) -> Result<DrivenMember> {
    let row = Read(row);
    Ok(DrivenMember {
        id: row.id("id")?,
        tenant: row.id("tenant_id")?,
        name: row.name("name")?,
        administrator_key: row.bytes::<32>("administrator_key")?.into(),
    })
}
