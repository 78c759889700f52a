//! How nodes get their identity: one-time tokens, and what a node brings.

use hansa_core::{EnrolmentTokenId, Error, Kind, NodeId, Result, Tag, TenantId, Timestamp};
use sqlx::postgres::PgRow;

use crate::{
    error::database,
    notify::notify,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A new token.
#[derive(Clone, Debug)]
pub struct NewEnrolmentToken {
    /// Its id.
    pub id: EnrolmentTokenId,
    /// Whose node.
    pub tenant: TenantId,
    /// The node.
    pub node: NodeId,
    /// Keyed hash of its secret.
    pub secret_hash: Tag,
    /// When.
    pub now: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

/// A token as it is stored.
#[derive(Clone, Debug)]
pub struct EnrolmentToken {
    /// The node that it is for.
    pub node: NodeId,
    /// Keyed hash of its secret.
    pub secret_hash: Vec<u8>,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// Digest of the request that it was used for.
    pub used_for: Option<[u8; 32]>,
}

/// What a node brings when it enrols, with the certificate that it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// Ed25519, signs votes.
    pub consensus_key: [u8; 32],
    /// SHA-256 over the DER of its TLS key.
    pub tls_key: [u8; 32],
    /// PEM.
    pub certificate: String,
}

impl TenantTx {
    /// A token, locked until this transaction ends: of two requests with one token the second sees
    /// what the first has done.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enrolment_token_find(
        &mut self,
        id: EnrolmentTokenId,
    ) -> Result<Option<EnrolmentToken>> {
        let row = sqlx::query("SELECT * FROM enrolment_token WHERE id = $1 FOR UPDATE")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read_token).transpose()
    }

    /// Notes what a token was used for.
    ///
    /// # Errors
    /// [`Error::Stale`] when it was used before.
    pub async fn enrolment_token_use(
        &mut self,
        id: EnrolmentTokenId,
        request_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<()> {
        let used = sqlx::query(
            "UPDATE enrolment_token SET used_at = $2, request_hash = $3 \
             WHERE id = $1 AND used_at IS NULL",
        )
        .bind(id.uuid())
        .bind(now.to_offset())
        .bind(&request_hash[..])
        .execute(self.connection())
        .await
        .map_err(database)?;
        if used.rows_affected() == 1 { Ok(()) } else { Err(Error::Stale) }
    }

    /// Gives a node of the own member its identity, once.
    ///
    /// # Errors
    /// [`Error::Stale`] when it has one.
    pub async fn node_enrol(
        &mut self,
        id: NodeId,
        identity: &NodeIdentity,
        now: Timestamp,
    ) -> Result<()> {
        let NodeIdentity { consensus_key, tls_key, certificate } = identity;
        let enrolled = sqlx::query(
            "UPDATE node SET consensus_key = $2, tls_key = $3, certificate = $4, \
             enrolled_at = $5, revision = revision + 1 \
             WHERE id = $1 AND enrolled_at IS NULL",
        )
        .bind(id.uuid())
        .bind(&consensus_key[..])
        .bind(&tls_key[..])
        .bind(certificate)
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map_err(database)?;
        if enrolled.rows_affected() != 1 {
            return Err(Error::Stale);
        }
        notify(self.connection()).await
    }

    /// The identity of a node, once it has enrolled.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn node_identity(&mut self, id: NodeId) -> Result<Option<NodeIdentity>> {
        let row = sqlx::query(
            "SELECT consensus_key, tls_key, certificate FROM node \
             WHERE id = $1 AND phase <> 'deleted'",
        )
        .bind(id.uuid())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?
        .ok_or(Error::NotFound(Kind::Node))?;
        read_identity(&row)
    }
}

impl SystemTx {
    /// Makes a token; the ones before it for the same node end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enrolment_token_insert(&mut self, new: &NewEnrolmentToken) -> Result<()> {
        let NewEnrolmentToken { id, tenant, node, secret_hash, now, expires_at } = new;
        sqlx::query("DELETE FROM enrolment_token WHERE node_id = $1 AND used_at IS NULL")
            .bind(node.uuid())
            .execute(self.connection())
            .await
            .map_err(database)?;
        sqlx::query(
            "INSERT INTO enrolment_token (id, tenant_id, node_id, secret_hash, created_at, \
             expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.uuid())
        .bind(tenant.uuid())
        .bind(node.uuid())
        .bind(&secret_hash[..])
        .bind(now.to_offset())
        .bind(expires_at.to_offset())
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(database)
    }
}

/// The identity in a row of `node`.
pub(crate) fn read_identity(row: &PgRow) -> Result<Option<NodeIdentity>> {
    let row = Read(row);
    let Some(certificate) = row.get("certificate")? else { return Ok(None) };
    let (consensus_key, tls_key) = (row.bytes("consensus_key")?, row.bytes("tls_key")?);
    Ok(Some(NodeIdentity { consensus_key, tls_key, certificate }))
}

fn read_token(row: &PgRow) -> Result<EnrolmentToken> {
    let row = Read(row);
    let used_for = match row.get::<Option<Vec<u8>>>("request_hash")? {
        Some(hash) => Some(hash.try_into().map_err(|_| Error::internal("a hash's length"))?),
        None => None,
    };
    Ok(EnrolmentToken {
        node: row.id("node_id")?,
        secret_hash: row.get("secret_hash")?,
        expires_at: row.time("expires_at")?,
        used_for,
    })
}
