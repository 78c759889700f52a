//! What reconcilers read and write: all tenants' nodes, ledgers and consortiums, with what they
//! need to drive them.

use hansa_core::{
    ClusterId, ConsortiumId, Error, Generation, IncidentId, LedgerId, MemberId, Name, NodeId,
    OperationId, Result, Revision, TenantId, Timestamp, limits,
};
use hansa_types::{
    ConsensusPolicy, EventKind, IncidentKind, LedgerPhase, NodeObservation, NodePhase,
    OperationReason, PublicKey, RunState, Target,
};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, postgres::PgRow, types::Json};

use crate::{
    enrolment::{NodeIdentity, read_identity},
    error::database,
    event::NewEvent,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A node, for whoever drives it.
#[derive(Clone, Debug)]
pub struct DrivenNode {
    /// Its id.
    pub id: NodeId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where it belongs.
    pub consortium: ConsortiumId,
    /// Where it belongs.
    pub ledger: LedgerId,
    /// Whose it is.
    pub member: MemberId,
    /// Its name.
    pub name: Name,
    /// The cluster that it runs in; none for a process.
    pub cluster: Option<ClusterId>,
    /// What it should be doing.
    pub desired: RunState,
    /// What was last recorded.
    pub record: NodeRecord,
    /// What should be.
    pub generation: Generation,
    /// What it brought when it enrolled.
    pub identity: Option<NodeIdentity>,
    /// Whether it holds a token that it can still use.
    pub token_valid: bool,
    /// Its ledger's genesis is published.
    pub has_genesis: bool,
    /// How its ledger agrees.
    pub policy: ConsensusPolicy,
    /// Last heard.
    pub observation: Option<NodeObservation>,
    /// Changes with each change.
    pub revision: Revision,
}

/// What a reconciler records of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// What it is doing.
    pub phase: NodePhase,
    /// Why it failed.
    pub reason: Option<OperationReason>,
    /// That in the words of whoever saw it.
    pub detail: Option<String>,
    /// Where peers reach it.
    pub p2p_address: Option<String>,
    /// Where clients reach it.
    pub http_address: Option<String>,
    /// Where it runs.
    pub placement: Option<NodePlacement>,
    /// The generation that is done.
    pub observed_generation: Generation,
}

/// Where a node runs: for its own member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct NodePlacement {
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The namespace of its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The machine of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Its volume.
    pub data_dir: String,
    /// Its metrics.
    pub metrics_address: String,
}

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

macro_rules! select_node {
    ($rest:literal) => {
        concat!(
            "SELECT n.*, l.policy, l.genesis IS NOT NULL AS has_genesis, EXISTS (SELECT FROM \
             enrolment_token t WHERE t.node_id = n.id AND t.used_at IS NULL AND t.expires_at > $1) \
             AS token_valid FROM node n JOIN ledger l ON l.id = n.ledger_id WHERE ",
            $rest
        )
    };
}

impl SystemTx {
    /// Whether somebody asked to end an operation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn operation_cancel_requested(&mut self, id: OperationId) -> Result<bool> {
        sqlx::query_scalar("SELECT cancel_requested FROM operation WHERE id = $1")
            .bind(id.uuid())
            .fetch_one(self.connection())
            .await
            .map_err(database)
    }

    /// Nodes that are not gone, after one, in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_driven_page(
        &mut self,
        after: Option<NodeId>,
        now: Timestamp,
    ) -> Result<Vec<DrivenNode>> {
        let rows = sqlx::query(select_node!(
            "n.phase <> 'deleted' AND ($2::uuid IS NULL OR n.id > $2) ORDER BY n.id LIMIT $3"
        ))
        .bind(now.to_offset())
        .bind(after.map(NodeId::uuid))
        .bind(i64::from(limits::RECONCILE_PAGE))
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        rows.iter().map(read_node).collect()
    }

    /// A node, gone or not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_driven(&mut self, id: NodeId, now: Timestamp) -> Result<Option<DrivenNode>> {
        let row = sqlx::query(select_node!("n.id = $2"))
            .bind(now.to_offset())
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read_node).transpose()
    }

    /// The nodes of a ledger that are meant to stay, in order of creation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_driven_of_ledger(
        &mut self,
        ledger: LedgerId,
        now: Timestamp,
    ) -> Result<Vec<DrivenNode>> {
        let rows = sqlx::query(select_node!(
            "n.ledger_id = $2 AND n.desired <> 'deleted' ORDER BY n.id LIMIT $3"
        ))
        .bind(now.to_offset())
        .bind(ledger.uuid())
        .bind(i64::from(limits::NODES_PER_LEDGER_MAX))
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        rows.iter().map(read_node).collect()
    }

    /// Records what a node is doing, if nothing has changed since it was read.
    ///
    /// # Errors
    /// [`Error::Stale`] when something has: look again.
    pub async fn node_record(
        &mut self,
        node: &DrivenNode,
        record: &NodeRecord,
        now: Timestamp,
    ) -> Result<()> {
        let NodeRecord {
            phase,
            reason,
            detail,
            p2p_address,
            http_address,
            placement,
            observed_generation,
        } = record;
        let written = sqlx::query(
            "UPDATE node SET phase = $3, reason = $4, p2p_address = $5, http_address = $6, \
             placement = $7, observed_generation = $8, detail = $9, revision = revision + 1 \
             WHERE id = $1 AND revision = $2",
        )
        .bind(node.id.uuid())
        .bind(node.revision.get())
        .bind(phase.as_str())
        .bind(reason.map(OperationReason::as_str))
        .bind(p2p_address)
        .bind(http_address)
        .bind(placement.as_ref().map(Json))
        .bind(observed_generation.get())
        .bind(detail)
        .execute(self.connection())
        .await
        .map_err(database)?;
        if written.rows_affected() != 1 {
            return Err(Error::Stale);
        }
        self.event_insert(&node.changed(now)).await
    }

    /// Records what was heard of a node. It is not a change of the node: its revision stays.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_observe(&mut self, id: NodeId, heard: &NodeObservation) -> Result<()> {
        sqlx::query("UPDATE node SET observation = $2 WHERE id = $1")
            .bind(id.uuid())
            .bind(Json(heard))
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }

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

impl DrivenNode {
    fn changed(&self, at: Timestamp) -> NewEvent {
        let target = Target {
            consortium_id: Some(self.consortium),
            ledger_id: Some(self.ledger),
            node_id: Some(self.id),
        };
        let (kind, subject_id) = (EventKind::Node, self.id.uuid());
        NewEvent { tenant: None, kind, subject_id, target, at }
    }
}

fn read_node(row: &PgRow) -> Result<DrivenNode> {
    let identity = read_identity(row)?;
    let row = Read(row);
    Ok(DrivenNode {
        id: row.id("id")?,
        tenant: row.id("tenant_id")?,
        consortium: row.id("consortium_id")?,
        ledger: row.id("ledger_id")?,
        member: row.id("member_id")?,
        name: row.name("name")?,
        cluster: row.id_opt("cluster_id")?,
        desired: row.text("desired")?,
        record: NodeRecord {
            phase: row.text("phase")?,
            reason: row.text_opt("reason")?,
            detail: row.get("detail")?,
            p2p_address: row.get("p2p_address")?,
            http_address: row.get("http_address")?,
            placement: row.json_opt("placement")?,
            observed_generation: row.number("observed_generation")?,
        },
        generation: row.number("generation")?,
        identity,
        token_valid: row.get("token_valid")?,
        has_genesis: row.get("has_genesis")?,
        policy: row.text("policy")?,
        observation: row.json_opt("observation")?,
        revision: row.number("revision")?,
    })
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

impl TenantTx {
    /// The seats of a consortium that are held, in order of joining.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn member_all(&mut self, consortium: ConsortiumId) -> Result<Vec<DrivenMember>> {
        members(self.connection(), consortium).await
    }

    /// The nodes of a seat in a ledger that have enrolled and are meant to stay.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_identities(
        &mut self,
        ledger: LedgerId,
        member: MemberId,
    ) -> Result<Vec<(NodeId, Name, NodeIdentity)>> {
        let rows = sqlx::query(
            "SELECT id, name, consensus_key, tls_key, certificate FROM node \
             WHERE ledger_id = $1 AND member_id = $2 AND desired <> 'deleted' \
             AND enrolled_at IS NOT NULL ORDER BY id LIMIT $3",
        )
        .bind(ledger.uuid())
        .bind(member.uuid())
        .bind(i64::from(limits::NODES_PER_LEDGER_MAX))
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let node = |row: &PgRow| {
            let identity = read_identity(row)?;
            let identity = identity.ok_or_else(|| Error::internal("enrolled without keys"))?;
            Ok((Read(row).id("id")?, Read(row).name("name")?, identity))
        };
        rows.iter().map(node).collect()
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
