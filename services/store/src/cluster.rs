//! Clusters that nodes can run in.

use hansa_core::{
    ClusterId, Error, Kind, Name, Page, PageRequest, Position, Refusal, Result, Revision,
    Timestamp, limits,
};
use hansa_types::{Cluster, ClusterAccessKind, ClusterSettings};
use sqlx::{postgres::PgRow, types::Json};

use crate::{
    error::database,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A cluster to be registered.
#[derive(Clone, Debug)]
pub struct NewCluster {
    /// Its id.
    pub id: ClusterId,
    /// Its name.
    pub name: Name,
    /// How it is reached.
    pub access: ClusterAccessKind,
    /// How nodes run there.
    pub settings: ClusterSettings,
    /// When.
    pub now: Timestamp,
}

impl TenantTx {
    /// A cluster by its name, for a node.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cluster_by_name(&mut self, name: &Name) -> Result<Option<ClusterId>> {
        let row = sqlx::query("SELECT id FROM cluster WHERE name = $1 AND ended_at IS NULL")
            .bind(name.as_str())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(|row| Read(row).id("id")).transpose()
    }

    /// A cluster, as tenants see it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cluster_offered(&mut self, id: ClusterId) -> Result<Option<Cluster>> {
        let row = sqlx::query(
            "SELECT id, name, phase, revision, created_at FROM cluster \
             WHERE id = $1 AND ended_at IS NULL",
        )
        .bind(id.uuid())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        row.as_ref().map(read_offered).transpose()
    }

    /// The clusters, as tenants see them, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cluster_list_offered(&mut self, page: PageRequest) -> Result<Page<Cluster>> {
        let rows = sqlx::query(
            "SELECT id, name, phase, revision, created_at FROM cluster WHERE ended_at IS NULL \
             AND ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2",
        )
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let clusters = rows.iter().map(read_offered).collect::<Result<_>>()?;
        Ok(Page::of(clusters, page.size, |c: &Cluster| Position::after_id(c.id.uuid())))
    }
}

impl SystemTx {
    /// Registers a cluster.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when the name is taken, [`Error::QuotaExceeded`].
    pub async fn cluster_insert(&mut self, new: &NewCluster) -> Result<()> {
        let NewCluster { id, name, access, settings, now } = new;
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM cluster WHERE ended_at IS NULL")
            .fetch_one(self.connection())
            .await
            .map_err(database)?;
        if count >= i64::from(limits::CLUSTERS_MAX) {
            return Err(Error::QuotaExceeded { limit: limits::CLUSTERS_MAX });
        }
        sqlx::query(
            "INSERT INTO cluster (id, name, access, settings, created_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id.uuid())
        .bind(name.as_str())
        .bind(access.as_str())
        .bind(Json(settings))
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }

    /// A cluster with all that is known of it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn cluster_get(&mut self, id: ClusterId) -> Result<Cluster> {
        let row = sqlx::query("SELECT * FROM cluster WHERE id = $1 AND ended_at IS NULL")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        read(&row.ok_or(Error::NotFound(Kind::Cluster))?)
    }

    /// All clusters, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cluster_list(&mut self, page: PageRequest) -> Result<Page<Cluster>> {
        let rows = sqlx::query(
            "SELECT * FROM cluster WHERE ended_at IS NULL AND ($1::uuid IS NULL OR id < $1) \
             ORDER BY id DESC LIMIT $2",
        )
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let clusters = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(clusters, page.size, |c: &Cluster| Position::after_id(c.id.uuid())))
    }

    /// Changes how a cluster is reached and how nodes run there; what is `None` stays.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`].
    pub async fn cluster_update(
        &mut self,
        id: ClusterId,
        expected: Revision,
        access: Option<ClusterAccessKind>,
        settings: Option<&ClusterSettings>,
    ) -> Result<Cluster> {
        let updated = sqlx::query(
            "UPDATE cluster SET access = coalesce($3, access), settings = coalesce($4, settings), \
             phase = 'pending', revision = revision + 1 \
             WHERE id = $1 AND revision = $2 AND ended_at IS NULL",
        )
        .bind(id.uuid())
        .bind(expected.get())
        .bind(access.map(ClusterAccessKind::as_str))
        .bind(settings.map(Json))
        .execute(self.connection())
        .await
        .map_err(database)?;
        let cluster = self.cluster_get(id).await?;
        if updated.rows_affected() == 1 { Ok(cluster) } else { Err(Error::Stale) }
    }

    /// Takes a cluster out of the installation.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`], [`Refusal::InUse`] while it has nodes.
    pub async fn cluster_end(
        &mut self,
        id: ClusterId,
        expected: Revision,
        now: Timestamp,
    ) -> Result<()> {
        // Locked: a node that is put into it meanwhile refers to this row, waits, and looks again.
        let found = sqlx::query(
            "SELECT revision FROM cluster WHERE id = $1 AND ended_at IS NULL FOR UPDATE",
        )
        .bind(id.uuid())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?
        .ok_or(Error::NotFound(Kind::Cluster))?;
        if Read(&found).number::<Revision>("revision")? != expected {
            return Err(Error::Stale);
        }
        let nodes: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM node WHERE cluster_id = $1 AND phase <> 'deleted')",
        )
        .bind(id.uuid())
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        if nodes {
            return Err(Refusal::InUse(Kind::Cluster).into());
        }
        sqlx::query("UPDATE cluster SET ended_at = $2, revision = revision + 1 WHERE id = $1")
            .bind(id.uuid())
            .bind(now.to_offset())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }
}

fn read_offered(row: &PgRow) -> Result<Cluster> {
    let row = Read(row);
    Ok(Cluster {
        id: row.id("id")?,
        name: row.name("name")?,
        phase: row.text("phase")?,
        access: None,
        settings: None,
        report: None,
        reported_at: None,
        revision: row.number("revision")?,
        created_at: row.time("created_at")?,
    })
}

fn read(row: &PgRow) -> Result<Cluster> {
    let offered = read_offered(row)?;
    let row = Read(row);
    Ok(Cluster {
        access: Some(row.text("access")?),
        settings: Some(row.json("settings")?),
        report: row.json_opt("report")?,
        reported_at: row.time_opt("reported_at")?,
        ..offered
    })
}
