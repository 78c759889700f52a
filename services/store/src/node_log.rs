//! Questions for logs of nodes, from an API to whichever controller reaches the node.

use hansa_core::{ClusterId, Error, NodeId, Result, TenantId, Timestamp, Uuid, limits};
use sqlx::postgres::PgRow;

use crate::{
    error::database,
    notify::notify,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A question for the last lines of a node's log.
#[derive(Clone, Debug)]
pub struct NewLogRequest {
    /// Its own id.
    pub id: Uuid,
    /// Whose node.
    pub tenant: TenantId,
    /// The node.
    pub node: NodeId,
    /// How many of the last lines.
    pub lines: u16,
    /// When.
    pub now: Timestamp,
}

/// A question that nobody has answered, for whoever drives nodes.
#[derive(Clone, Debug)]
pub struct OpenLogRequest {
    /// Its id.
    pub id: Uuid,
    /// The node.
    pub node: NodeId,
    /// The cluster that it runs in; none for a process.
    pub cluster: Option<ClusterId>,
    /// How many of the last lines.
    pub lines: u16,
}

/// The last lines, or why there are none.
pub type LogAnswer = std::result::Result<String, String>;

impl TenantTx {
    /// Asks for a log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_request_insert(&mut self, request: &NewLogRequest) -> Result<()> {
        let NewLogRequest { id, tenant, node, lines, now } = request;
        sqlx::query(
            "INSERT INTO node_log_request (id, tenant_id, node_id, lines, asked_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(tenant.uuid())
        .bind(node.uuid())
        .bind(i32::from(*lines))
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map_err(database)?;
        notify(self.connection()).await
    }

    /// Takes an answer away; nothing while there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_request_take(&mut self, id: Uuid) -> Result<Option<LogAnswer>> {
        let row = sqlx::query(
            "DELETE FROM node_log_request WHERE id = $1 AND (log IS NOT NULL OR problem IS NOT NULL) \
             RETURNING log, problem",
        )
        .bind(id)
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        row.as_ref().map(read_answer).transpose()
    }

    /// Takes a question back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_request_delete(&mut self, id: Uuid) -> Result<()> {
        let deleted = sqlx::query("DELETE FROM node_log_request WHERE id = $1").bind(id);
        deleted.execute(self.connection()).await.map(drop).map_err(database)
    }
}

impl SystemTx {
    /// Questions that nobody has answered, oldest first; at most [`limits::LOG_REQUESTS_AT_ONCE`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_request_open(&mut self) -> Result<Vec<OpenLogRequest>> {
        let rows = sqlx::query(
            "SELECT r.id, r.node_id, r.lines, n.cluster_id FROM node_log_request r \
             JOIN node n ON n.id = r.node_id \
             WHERE r.log IS NULL AND r.problem IS NULL ORDER BY r.id LIMIT $1",
        )
        .bind(limits::LOG_REQUESTS_AT_ONCE)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        rows.iter().map(read).collect()
    }

    /// Answers a question, unless it was answered or taken back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_request_answer(&mut self, id: Uuid, answer: &LogAnswer) -> Result<()> {
        sqlx::query(
            "UPDATE node_log_request SET log = $2, problem = $3 \
             WHERE id = $1 AND log IS NULL AND problem IS NULL",
        )
        .bind(id)
        .bind(answer.as_ref().ok())
        .bind(answer.as_ref().err())
        .execute(self.connection())
        .await
        .map_err(database)?;
        notify(self.connection()).await
    }

    /// Forgets what nobody has taken away.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_request_prune(&mut self, before: Timestamp) -> Result<()> {
        let pruned = sqlx::query("DELETE FROM node_log_request WHERE asked_at < $1");
        let pruned = pruned.bind(before.to_offset()).execute(self.connection());
        pruned.await.map(drop).map_err(database)
    }
}

fn read_answer(row: &PgRow) -> Result<LogAnswer> {
    let row = Read(row);
    let problem: Option<String> = row.get("problem")?;
    match problem {
        Some(problem) => Ok(Err(problem)),
        None => row.get("log").map(Ok),
    }
}

fn read(row: &PgRow) -> Result<OpenLogRequest> {
    let row = Read(row);
    Ok(OpenLogRequest {
        id: row.get("id")?,
        node: row.id("node_id")?,
        cluster: row.id_opt("cluster_id")?,
        lines: row.get::<i32>("lines")?.try_into().map_err(Error::internal)?,
    })
}
