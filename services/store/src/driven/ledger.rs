//! Ledgers of all tenants, on their way to a first block and to their end, and what was found wrong.

use hansa_core::{
    ConsortiumId, Error, Generation, IncidentId, LedgerId, Name, NodeId, Result, Revision,
    Timestamp, limits,
};
use hansa_types::{ConsensusPolicy, EventKind, IncidentKind, LedgerPhase, OperationReason, Target};
use serde_json::Value;
use sqlx::postgres::PgRow;

use crate::{error::database, event::NewEvent, row::Read, tx::SystemTx};

/// A ledger, for whoever drives it.
#[derive(Clone, Debug)]
pub struct DrivenLedger {
    /// Its id.
    pub id: LedgerId,
    /// Its consortium.
    pub consortium: ConsortiumId,
    /// Its name.
    pub name: Name,
    /// How its nodes agree.
    pub policy: ConsensusPolicy,
    /// Accepts fewer nodes.
    pub development: bool,
    /// Where it is.
    pub phase: LedgerPhase,
    /// What members sign.
    pub charter: Option<Value>,
    /// What nodes start from.
    pub genesis: Option<Value>,
    /// What should be.
    pub generation: Generation,
    /// Changes with each change.
    pub revision: Revision,
}

/// Something that a node found wrong.
#[derive(Clone, Debug)]
pub struct FoundIncident {
    /// The node.
    pub node: NodeId,
    /// Its ledger.
    pub ledger: LedgerId,
    /// Its consortium.
    pub consortium: ConsortiumId,
    /// The node's own name for it.
    pub node_incident: String,
    /// What.
    pub kind: IncidentKind,
    /// In words.
    pub summary: String,
    /// When.
    pub opened_at: Timestamp,
    /// When it was put right.
    pub resolved_at: Option<Timestamp>,
}

impl SystemTx {
    /// Ledgers that are on their way to a first block, oldest first: launches, and launches that
    /// were given up after their genesis was out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger_driven_launching(&mut self) -> Result<Vec<DrivenLedger>> {
        let rows = sqlx::query(
            "SELECT * FROM ledger WHERE phase = 'launching' \
             OR (phase = 'failed' AND genesis IS NOT NULL) ORDER BY id LIMIT $1",
        )
        .bind(i64::from(limits::RECONCILE_PAGE))
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        rows.iter().map(read_ledger).collect()
    }

    /// A ledger.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger_driven(&mut self, id: LedgerId) -> Result<Option<DrivenLedger>> {
        let row = sqlx::query("SELECT * FROM ledger WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read_ledger).transpose()
    }

    /// Sets what members sign, or takes it back.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub async fn ledger_set_charter(
        &mut self,
        ledger: &DrivenLedger,
        charter: Option<&Value>,
        now: Timestamp,
    ) -> Result<()> {
        let written = sqlx::query(
            "UPDATE ledger SET charter = $3, revision = revision + 1 \
             WHERE id = $1 AND revision = $2 AND genesis IS NULL",
        )
        .bind(ledger.id.uuid())
        .bind(ledger.revision.get())
        .bind(charter)
        .execute(self.connection())
        .await
        .map_err(database)?;
        self.ledger_changed(ledger, written.rows_affected(), now).await
    }

    /// Publishes what nodes start from. It is written once.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub async fn ledger_publish(
        &mut self,
        ledger: &DrivenLedger,
        genesis: &Value,
        now: Timestamp,
    ) -> Result<()> {
        let written = sqlx::query(
            "UPDATE ledger SET genesis = $3, revision = revision + 1 \
             WHERE id = $1 AND revision = $2 AND genesis IS NULL",
        )
        .bind(ledger.id.uuid())
        .bind(ledger.revision.get())
        .bind(genesis)
        .execute(self.connection())
        .await
        .map_err(database)?;
        self.ledger_changed(ledger, written.rows_affected(), now).await
    }

    /// Moves a ledger into a phase.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub async fn ledger_enter(
        &mut self,
        ledger: &DrivenLedger,
        phase: LedgerPhase,
        reason: Option<OperationReason>,
        now: Timestamp,
    ) -> Result<()> {
        let written = sqlx::query(
            "UPDATE ledger SET phase = $3, reason = $4, observed_generation = generation, \
             revision = revision + 1 WHERE id = $1 AND revision = $2",
        )
        .bind(ledger.id.uuid())
        .bind(ledger.revision.get())
        .bind(phase.as_str())
        .bind(reason.map(OperationReason::as_str))
        .execute(self.connection())
        .await
        .map_err(database)?;
        self.ledger_changed(ledger, written.rows_affected(), now).await
    }

    async fn ledger_changed(
        &mut self,
        ledger: &DrivenLedger,
        rows: u64,
        at: Timestamp,
    ) -> Result<()> {
        if rows != 1 {
            return Err(Error::Stale);
        }
        let target = Target {
            consortium_id: Some(ledger.consortium),
            ledger_id: Some(ledger.id),
            node_id: None,
        };
        let (kind, subject_id) = (EventKind::Ledger, ledger.id.uuid());
        self.event_insert(&NewEvent { tenant: None, kind, subject_id, target, at }).await
    }

    /// Ledgers that are being ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger_driven_deleting(&mut self) -> Result<Vec<DrivenLedger>> {
        let rows =
            sqlx::query("SELECT * FROM ledger WHERE phase = 'deleting' ORDER BY id LIMIT $1")
                .bind(i64::from(limits::RECONCILE_PAGE))
                .fetch_all(self.connection())
                .await
                .map_err(database)?;
        rows.iter().map(read_ledger).collect()
    }

    /// Wishes the end of all nodes of a ledger; how many should still have run.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_end_of_ledger(&mut self, ledger: LedgerId) -> Result<u64> {
        let ended = sqlx::query(
            "UPDATE node SET desired = 'deleted', generation = generation + 1, \
             revision = revision + 1 WHERE ledger_id = $1 AND desired <> 'deleted'",
        )
        .bind(ledger.uuid())
        .execute(self.connection())
        .await
        .map_err(database)?;
        Ok(ended.rows_affected())
    }

    /// How many nodes of a ledger should still run, and how many are not gone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_counts_of_ledger(&mut self, ledger: LedgerId) -> Result<(i64, i64)> {
        let row = sqlx::query(
            "SELECT count(*) FILTER (WHERE desired <> 'deleted') AS wanted, count(*) AS left \
             FROM node WHERE ledger_id = $1 AND phase <> 'deleted'",
        )
        .bind(ledger.uuid())
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        let row = Read(&row);
        Ok((row.get("wanted")?, row.get("left")?))
    }

    /// Records what a node found wrong, or that it was put right; whether that was news.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incident_put(&mut self, found: &FoundIncident, now: Timestamp) -> Result<bool> {
        let id = IncidentId::new();
        let written = sqlx::query(
            "INSERT INTO incident (id, consortium_id, ledger_id, node_id, node_incident, kind, \
             summary, opened_at, resolved_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (node_id, node_incident) DO UPDATE \
             SET resolved_at = excluded.resolved_at, summary = excluded.summary \
             WHERE incident.resolved_at IS DISTINCT FROM excluded.resolved_at",
        )
        .bind(id.uuid())
        .bind(found.consortium.uuid())
        .bind(found.ledger.uuid())
        .bind(found.node.uuid())
        .bind(&found.node_incident)
        .bind(found.kind.as_str())
        .bind(&found.summary)
        .bind(found.opened_at.to_offset())
        .bind(found.resolved_at.map(Timestamp::to_offset))
        .execute(self.connection())
        .await
        .map_err(database)?;
        if written.rows_affected() == 0 {
            return Ok(false);
        }
        let target = Target {
            consortium_id: Some(found.consortium),
            ledger_id: Some(found.ledger),
            node_id: Some(found.node),
        };
        let (kind, subject_id) = (EventKind::Incident, found.node.uuid());
        let event = NewEvent { tenant: None, kind, subject_id, target, at: now };
        self.event_insert(&event).await.map(|()| true)
    }
}

fn read_ledger(row: &PgRow) -> Result<DrivenLedger> {
    let row = Read(row);
    Ok(DrivenLedger {
        id: row.id("id")?,
        consortium: row.id("consortium_id")?,
        name: row.name("name")?,
        policy: row.text("policy")?,
        development: row.get("development")?,
        phase: row.text("phase")?,
        charter: row.get("charter")?,
        genesis: row.get("genesis")?,
        generation: row.number("generation")?,
        revision: row.number("revision")?,
    })
}
