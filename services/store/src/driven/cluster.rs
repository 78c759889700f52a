//! Clusters, with what their drivers need.

use hansa_core::{ClusterId, Name, Result, Revision, Timestamp, limits};
use hansa_types::{ClusterAccessKind, ClusterPhase, ClusterReport, ClusterSettings};
use sqlx::{postgres::PgRow, types::Json};

use crate::{error::database, row::Read, tx::SystemTx};

/// A cluster, for whoever drives its nodes.
#[derive(Clone, Debug)]
pub struct DrivenCluster {
    /// Its id.
    pub id: ClusterId,
    /// Its name.
    pub name: Name,
    /// How it is reached.
    pub access: ClusterAccessKind,
    /// How nodes run there.
    pub settings: ClusterSettings,
    /// Whether it answered.
    pub phase: ClusterPhase,
    /// When it was last asked.
    pub reported_at: Option<Timestamp>,
    /// Changes with each change by people.
    pub revision: Revision,
}

impl SystemTx {
    /// Every cluster, for whoever drives their nodes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cluster_driven(&mut self) -> Result<Vec<DrivenCluster>> {
        let rows = sqlx::query("SELECT * FROM cluster WHERE ended_at IS NULL ORDER BY id LIMIT $1")
            .bind(i64::from(limits::CLUSTERS_MAX))
            .fetch_all(self.connection())
            .await
            .map_err(database)?;
        rows.iter().map(read).collect()
    }

    /// Records what was found in a cluster. It is no change of the cluster: its revision stays.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cluster_report(
        &mut self,
        id: ClusterId,
        phase: ClusterPhase,
        report: &ClusterReport,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query("UPDATE cluster SET phase = $2, report = $3, reported_at = $4 WHERE id = $1")
            .bind(id.uuid())
            .bind(phase.as_str())
            .bind(Json(report))
            .bind(now.to_offset())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }
}

fn read(row: &PgRow) -> Result<DrivenCluster> {
    let row = Read(row);
    Ok(DrivenCluster {
        id: row.id("id")?,
        name: row.name("name")?,
        access: row.text("access")?,
        settings: row.json("settings")?,
        phase: row.text("phase")?,
        reported_at: row.time_opt("reported_at")?,
        revision: row.number("revision")?,
    })
}
