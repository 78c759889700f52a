//! Ledgers.

use hansa_authz::LedgerHandle;
use hansa_core::{
    ConsortiumId, Error, Kind, LedgerId, Name, Page, PageRequest, Position, Result, Revision,
    Timestamp,
};
use hansa_types::{ConsensusPolicy, CryptoSuite, Ledger, LedgerPhase};
use serde_json::Value;
use sqlx::postgres::PgRow;

use crate::{error::database, row::Read, tx::TenantTx};

/// A ledger of a consortium that the own tenant owns.
#[derive(Clone, Debug)]
pub struct NewLedger {
    /// Its id.
    pub id: LedgerId,
    /// The consortium.
    pub consortium: ConsortiumId,
    /// Its name.
    pub name: Name,
    /// How its nodes agree.
    pub policy: ConsensusPolicy,
    /// Accepts fewer nodes than production needs.
    pub development: bool,
    /// Its hashes and signatures.
    pub suite: CryptoSuite,
    /// When.
    pub now: Timestamp,
}

/// A ledger that the tenant sees, with its relation to the consortium and its own seat.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT l.*, a.relation, m.id AS seat_id FROM ledger l \
             JOIN consortium_access a ON a.consortium_id = l.consortium_id \
             AND a.tenant_id = hansa_tenant() \
             LEFT JOIN member m ON m.consortium_id = l.consortium_id \
             AND m.tenant_id = hansa_tenant() AND m.phase = 'active' \
             WHERE l.phase <> 'deleted' AND ",
            $rest
        )
    };
}

impl TenantTx {
    /// Makes a ledger.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when the consortium has one of this name.
    pub async fn ledger_insert(&mut self, new: &NewLedger) -> Result<()> {
        let NewLedger { id, consortium, name, policy, development, suite, now } = new;
        sqlx::query(
            "INSERT INTO ledger (id, consortium_id, name, policy, development, suite, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.uuid())
        .bind(consortium.uuid())
        .bind(name.as_str())
        .bind(policy.as_str())
        .bind(development)
        .bind(suite.as_str())
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }

    /// A ledger that the own tenant sees, with its handle.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn ledger_find(&mut self, id: LedgerId) -> Result<(LedgerHandle, Ledger)> {
        let row = sqlx::query(select!("l.id = $1"))
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?
            .ok_or(Error::NotFound(Kind::Ledger))?;
        let ledger = read(&row)?;
        let columns = Read(&row);
        let (relation, seat) = (columns.text("relation")?, columns.id_opt("seat_id")?);
        let handle =
            LedgerHandle::found(self.scope(), ledger.id, ledger.consortium_id, relation, seat);
        Ok((handle, ledger))
    }

    /// The ledgers of a consortium, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger_list(
        &mut self,
        consortium: ConsortiumId,
        page: PageRequest,
    ) -> Result<Page<Ledger>> {
        let rows = sqlx::query(select!(
            "l.consortium_id = $1 AND ($2::uuid IS NULL OR l.id < $2) ORDER BY l.id DESC LIMIT $3"
        ))
        .bind(consortium.uuid())
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let ledgers = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(ledgers, page.size, |l: &Ledger| Position::after_id(l.id.uuid())))
    }

    /// How many validators a ledger's genesis has; nothing before there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger_validators(&mut self, id: LedgerId) -> Result<Option<u32>> {
        let count: Option<Option<i32>> = sqlx::query_scalar(
            "SELECT jsonb_array_length(genesis->'validators') FROM ledger WHERE id = $1",
        )
        .bind(id.uuid())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        count.flatten().map(|count| u32::try_from(count).map_err(Error::internal)).transpose()
    }

    /// How many ledgers a consortium has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger_count(&mut self, consortium: ConsortiumId) -> Result<u32> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM ledger WHERE consortium_id = $1 AND phase <> 'deleted'",
        )
        .bind(consortium.uuid())
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        u32::try_from(count).map_err(Error::internal)
    }

    /// Changes what a ledger should be, if it still has the expected revision.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`].
    pub async fn ledger_update(
        &mut self,
        id: LedgerId,
        expected: Revision,
        policy: Option<ConsensusPolicy>,
        development: Option<bool>,
    ) -> Result<Ledger> {
        let updated = sqlx::query(
            "UPDATE ledger SET policy = coalesce($3, policy), \
             development = coalesce($4, development), generation = generation + 1, \
             revision = revision + 1 WHERE id = $1 AND revision = $2",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .bind(policy.map(ConsensusPolicy::as_str))
        .bind(development)
        .execute(self.connection())
        .await
        .map_err(database)?;
        let (_, ledger) = self.ledger_find(id).await?;
        if updated.rows_affected() == 1 { Ok(ledger) } else { Err(Error::Stale) }
    }

    /// What the members of a ledger sign, once it is composed.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn ledger_charter(&mut self, id: LedgerId) -> Result<Option<Value>> {
        self.ledger_document("SELECT charter FROM ledger WHERE id = $1 AND phase <> 'deleted'", id)
            .await
    }

    /// What the nodes of a ledger start from, once it is published.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn ledger_genesis(&mut self, id: LedgerId) -> Result<Option<Value>> {
        self.ledger_document("SELECT genesis FROM ledger WHERE id = $1 AND phase <> 'deleted'", id)
            .await
    }

    async fn ledger_document(
        &mut self,
        query: &'static str,
        id: LedgerId,
    ) -> Result<Option<Value>> {
        sqlx::query_scalar(query)
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?
            .ok_or(Error::NotFound(Kind::Ledger))
    }

    /// Moves a ledger that still has the expected revision into a phase.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`].
    pub async fn ledger_set_phase(
        &mut self,
        id: LedgerId,
        expected: Revision,
        phase: LedgerPhase,
    ) -> Result<Ledger> {
        let updated = sqlx::query(
            "UPDATE ledger SET phase = $3, reason = NULL, generation = generation + 1, \
             revision = revision + 1 WHERE id = $1 AND revision = $2",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .bind(phase.as_str())
        .execute(self.connection())
        .await
        .map_err(database)?;
        let (_, ledger) = self.ledger_find(id).await?;
        if updated.rows_affected() == 1 { Ok(ledger) } else { Err(Error::Stale) }
    }
}

fn read(row: &PgRow) -> Result<Ledger> {
    let row = Read(row);
    Ok(Ledger {
        id: row.id("id")?,
        consortium_id: row.id("consortium_id")?,
        name: row.name("name")?,
        policy: row.text("policy")?,
        development: row.get("development")?,
        suite: row.text("suite")?,
        phase: row.text("phase")?,
        reason: row.text_opt("reason")?,
        // Not stored: whoever answers a reader works it out of what is.
        health: None,
        generation: row.number("generation")?,
        observed_generation: row.number("observed_generation")?,
        revision: row.number("revision")?,
        created_at: row.time("created_at")?,
    })
}
