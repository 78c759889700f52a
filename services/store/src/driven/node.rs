//! Nodes of all tenants, with what their drivers need.

use hansa_core::{
    ClusterId, ConsortiumId, Error, Generation, LedgerId, MemberId, Name, NodeId, Result, Revision,
    TenantId, Timestamp, limits,
};
use hansa_types::{
    ConsensusPolicy, EventKind, NodeObservation, NodePhase, NodeSize, OperationReason, RunState,
    Target,
};
use serde::Serialize;
use sqlx::{postgres::PgRow, types::Json};

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
    /// What it may use there.
    pub size: NodeSize,
    /// Gibibytes of its volume there.
    pub volume_gib: u32,
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
    /// How many validators its ledger's genesis has; none before there is one.
    pub validators: u32,
    /// The generation that it had its turn for.
    pub turn: Generation,
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

macro_rules! select_node {
    ($rest:literal) => {
        concat!(
            "SELECT n.*, l.policy, l.genesis IS NOT NULL AS has_genesis, \
             coalesce(jsonb_array_length(l.genesis->'validators'), 0) AS validators, \
             EXISTS (SELECT FROM enrolment_token t WHERE t.node_id = n.id AND t.used_at IS NULL AND t.expires_at > $1) \
             AS token_valid FROM node n JOIN ledger l ON l.id = n.ledger_id WHERE ",
            $rest
        )
    };
}

impl SystemTx {
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

    /// The same, of ledgers that have a genesis.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_driven_page_of_ledgers(
        &mut self,
        after: Option<NodeId>,
        now: Timestamp,
    ) -> Result<Vec<DrivenNode>> {
        let rows = sqlx::query(select_node!(
            "n.phase <> 'deleted' AND l.genesis IS NOT NULL AND ($2::uuid IS NULL OR n.id > $2) \
             ORDER BY n.id LIMIT $3"
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

    /// Lets nobody else decide on turns in a ledger until this transaction ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger_lock_turns(&mut self, ledger: LedgerId) -> Result<()> {
        sqlx::query("SELECT FROM ledger WHERE id = $1 FOR NO KEY UPDATE")
            .bind(ledger.uuid())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }

    /// Gives a node its turn for its generation, if nothing has changed since it was read. Nobody but
    /// controllers sees it: the revision stays.
    ///
    /// # Errors
    /// [`Error::Stale`] when something has: look again.
    pub async fn node_take_turn(&mut self, node: &DrivenNode) -> Result<()> {
        let given = sqlx::query(
            "UPDATE node SET turn_generation = generation WHERE id = $1 AND revision = $2",
        )
        .bind(node.id.uuid())
        .bind(node.revision.get())
        .execute(self.connection())
        .await
        .map_err(database)?;
        if given.rows_affected() == 1 { Ok(()) } else { Err(Error::Stale) }
    }

    /// Wishes a node as it is anew, with the turn for that, if nothing has changed since it was read.
    ///
    /// # Errors
    /// [`Error::Stale`] when something has: look again.
    pub async fn node_renew(&mut self, node: &DrivenNode, now: Timestamp) -> Result<()> {
        let renewed = sqlx::query(
            "UPDATE node SET generation = generation + 1, turn_generation = generation + 1, \
             revision = revision + 1 WHERE id = $1 AND revision = $2",
        )
        .bind(node.id.uuid())
        .bind(node.revision.get())
        .execute(self.connection())
        .await
        .map_err(database)?;
        if renewed.rows_affected() != 1 {
            return Err(Error::Stale);
        }
        self.event_insert(&node.changed(now)).await
    }

    /// Records what a node is doing, if nothing has changed since it was read. What was heard of an
    /// earlier generation is forgotten when a newer one is done: it says nothing about that.
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
             placement = $7, observed_generation = $8, detail = $9, revision = revision + 1, \
             observation = CASE WHEN observed_generation < $8 THEN NULL ELSE observation END \
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

    /// Records what was heard of a node, unless a newer generation was done since it was read. It is
    /// not a change of the node: its revision stays.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_observe(&mut self, node: &DrivenNode, heard: &NodeObservation) -> Result<()> {
        sqlx::query("UPDATE node SET observation = $2 WHERE id = $1 AND observed_generation = $3")
            .bind(node.id.uuid())
            .bind(Json(heard))
            .bind(node.record.observed_generation.get())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }
}

impl TenantTx {
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
        size: row.text("size")?,
        volume_gib: u32::try_from(row.get::<i32>("volume_gib")?).map_err(Error::internal)?,
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
        validators: u32::try_from(row.get::<i32>("validators")?).map_err(Error::internal)?,
        turn: row.number("turn_generation")?,
        observation: row.json_opt("observation")?,
        revision: row.number("revision")?,
    })
}
