//! Ledger nodes. Co-members see that a node is there and how it does, not where it runs.

use hansa_authz::{LedgerHandle, NodeHandle};
use hansa_core::{
    ClusterId, Error, Kind, LedgerId, MemberId, Name, NodeId, Page, PageRequest, Position, Result,
    Revision, Timestamp,
};
use hansa_types::{Node, NodePrivate, NodeSize, PROCESS, RunState};
use serde::Deserialize;
use sqlx::postgres::PgRow;

use crate::{error::database, row::Read, tx::TenantTx};

/// A node of the own member.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// Its id.
    pub id: NodeId,
    /// Its ledger.
    pub ledger: LedgerHandle,
    /// The seat that it belongs to.
    pub member: MemberId,
    /// Its name.
    pub name: Name,
    /// Where it runs: `process`, or a cluster's name.
    pub runtime: Name,
    /// The cluster, if it is one.
    pub cluster: Option<ClusterId>,
    /// What it may use there.
    pub size: NodeSize,
    /// Gibibytes of its volume there.
    pub volume_gib: u32,
    /// When.
    pub now: Timestamp,
}

/// What the controller writes about where a node runs.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Placement {
    pid: Option<u32>,
    namespace: Option<String>,
    pod: Option<String>,
    machine: Option<String>,
    data_dir: Option<String>,
    metrics_address: Option<String>,
}

/// What only the own member may see is NULL for others before it leaves the database.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant_id, consortium_id, ledger_id, member_id, name, desired, phase, \
             reason, p2p_address, http_address, observation, generation, observed_generation, \
             revision, created_at, tenant_id = hansa_tenant() AS own, \
             CASE WHEN tenant_id = hansa_tenant() THEN runtime END AS runtime, \
             CASE WHEN tenant_id = hansa_tenant() THEN size END AS size, \
             CASE WHEN tenant_id = hansa_tenant() THEN volume_gib END AS volume_gib, \
             CASE WHEN tenant_id = hansa_tenant() THEN detail END AS detail, \
             CASE WHEN tenant_id = hansa_tenant() THEN placement END AS placement \
             FROM node WHERE phase <> 'deleted' AND ",
            $rest
        )
    };
}

impl TenantTx {
    /// Makes a node.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when the ledger has one of this name, [`Error::NotFound`] when the
    /// cluster has ended meanwhile.
    pub async fn node_insert(&mut self, new: &NewNode) -> Result<()> {
        let NewNode { id, ledger, member, name, runtime, cluster, size, volume_gib, now } = new;
        let tenant = self.scope().tenant();
        sqlx::query(
            "INSERT INTO node (id, tenant_id, consortium_id, ledger_id, member_id, name, runtime, \
             cluster_id, size, volume_gib, desired, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $9, $10, $11, 'running', $8)",
        )
        .bind(id.uuid())
        .bind(tenant.uuid())
        .bind(ledger.consortium().uuid())
        .bind(ledger.id().uuid())
        .bind(member.uuid())
        .bind(name.as_str())
        .bind(runtime.as_str())
        .bind(now.to_offset())
        .bind(cluster.map(ClusterId::uuid))
        .bind(size.as_str())
        .bind(i32::try_from(*volume_gib).map_err(Error::internal)?)
        .execute(self.connection())
        .await
        .map_err(database)?;
        // The reference holds the cluster's row from here on: what ended before is seen now, and
        // whoever ends it later sees this node.
        match cluster {
            Some(id) if self.cluster_offered(*id).await?.is_none() => {
                Err(Error::NotFound(Kind::Cluster))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A node that the own tenant sees, with its handle.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn node_find(&mut self, id: NodeId) -> Result<(NodeHandle, Node)> {
        let row = sqlx::query(select!("id = $1"))
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?
            .ok_or(Error::NotFound(Kind::Node))?;
        let node = read(&row)?;
        let own = Read(&row).get("own")?;
        let handle =
            NodeHandle::found(self.scope(), node.id, node.ledger_id, node.consortium_id, own);
        Ok((handle, node))
    }

    /// Lets nobody else change a node of the own member until this transaction ends: what is read of it from
    /// here on is still so when it is changed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_lock(&mut self, id: NodeId) -> Result<()> {
        let locked = sqlx::query("SELECT FROM node WHERE id = $1 FOR NO KEY UPDATE");
        let locked = locked.bind(id.uuid()).execute(self.connection()).await;
        locked.map(drop).map_err(database)
    }

    /// The nodes of a ledger, in order of creation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_list(&mut self, ledger: LedgerId, page: PageRequest) -> Result<Page<Node>> {
        let rows = sqlx::query(select!(
            "ledger_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3"
        ))
        .bind(ledger.uuid())
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let nodes = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(nodes, page.size, |n: &Node| Position::after_id(n.id.uuid())))
    }

    /// Nodes of a ledger that are meant to stay.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_count(&mut self, ledger: LedgerId) -> Result<u32> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM node WHERE ledger_id = $1 AND desired <> 'deleted'",
        )
        .bind(ledger.uuid())
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        u32::try_from(count).map_err(Error::internal)
    }

    /// Nodes of a member that are not gone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn node_count_of_member(&mut self, member: MemberId) -> Result<u32> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM node WHERE member_id = $1 AND phase <> 'deleted'",
        )
        .bind(member.uuid())
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        u32::try_from(count).map_err(Error::internal)
    }

    /// Changes what a node of the own member should be doing, if it still has the expected
    /// revision. The generation grows also when nothing else changes: that is a restart.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`].
    pub async fn node_set_desired(
        &mut self,
        id: NodeId,
        expected: Revision,
        desired: RunState,
    ) -> Result<Node> {
        let updated = sqlx::query(
            // A failure was one of what was wished before.
            "UPDATE node SET desired = $3, generation = generation + 1, revision = revision + 1, \
             phase = CASE phase WHEN 'failed' THEN 'provisioning' ELSE phase END, reason = NULL \
             WHERE id = $1 AND revision = $2",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .bind(desired.as_str())
        .execute(self.connection())
        .await
        .map_err(database)?;
        let (_, node) = self.node_find(id).await?;
        if updated.rows_affected() == 1 { Ok(node) } else { Err(Error::Stale) }
    }

    /// Changes what a node of the own member may use, if it still has the expected revision. It is
    /// another generation of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`].
    pub async fn node_resize(
        &mut self,
        id: NodeId,
        expected: Revision,
        size: NodeSize,
        volume_gib: u32,
    ) -> Result<Node> {
        let updated = sqlx::query(
            // A failure was one of what was wished before.
            "UPDATE node SET size = $3, volume_gib = $4, generation = generation + 1, \
             revision = revision + 1, \
             phase = CASE phase WHEN 'failed' THEN 'provisioning' ELSE phase END, reason = NULL \
             WHERE id = $1 AND revision = $2",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .bind(size.as_str())
        .bind(i32::try_from(volume_gib).map_err(Error::internal)?)
        .execute(self.connection())
        .await
        .map_err(database)?;
        let (_, node) = self.node_find(id).await?;
        if updated.rows_affected() == 1 { Ok(node) } else { Err(Error::Stale) }
    }
}

fn read(row: &PgRow) -> Result<Node> {
    let row = Read(row);
    let placement: Placement = row.json_opt("placement")?.unwrap_or_default();
    let runtime: Option<String> = row.get("runtime")?;
    let runtime = runtime.map(Name::try_from).transpose().map_err(Error::internal)?;
    let detail: Option<String> = row.get("detail")?;
    let size: Option<NodeSize> = row.text_opt("size")?;
    let volume_gib: Option<i32> = row.get("volume_gib")?;
    let volume_gib = volume_gib.map(u32::try_from).transpose().map_err(Error::internal)?;
    let private = runtime.map(|runtime| NodePrivate {
        // A process shares its machine with the others.
        size: size.filter(|_| runtime.as_str() != PROCESS),
        volume_gib: volume_gib.filter(|_| runtime.as_str() != PROCESS),
        runtime,
        detail,
        pid: placement.pid,
        namespace: placement.namespace,
        pod: placement.pod,
        machine: placement.machine,
        data_dir: placement.data_dir,
        metrics_address: placement.metrics_address,
    });
    Ok(Node {
        id: row.id("id")?,
        consortium_id: row.id("consortium_id")?,
        ledger_id: row.id("ledger_id")?,
        member_id: row.id("member_id")?,
        tenant_id: row.id("tenant_id")?,
        name: row.name("name")?,
        desired: row.text("desired")?,
        phase: row.text("phase")?,
        reason: row.text_opt("reason")?,
        p2p_address: row.get("p2p_address")?,
        http_address: row.get("http_address")?,
        observation: row.json_opt("observation")?,
        // Not stored: whoever answers a reader works it out of what is.
        health: None,
        private,
        generation: row.number("generation")?,
        observed_generation: row.number("observed_generation")?,
        revision: row.number("revision")?,
        created_at: row.time("created_at")?,
    })
}
