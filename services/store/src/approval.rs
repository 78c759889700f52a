//! Members' agreement to a ledger's founding document.

use hansa_authz::LedgerHandle;
use hansa_core::{LedgerId, MemberId, NodeId, Result, Timestamp};
use hansa_types::Signature;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, postgres::PgRow, types::Json};

use crate::{
    error::database,
    notify::notify,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// A member's signature over one of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEndorsement {
    /// The node.
    pub node_id: NodeId,
    /// Over its endorsement.
    pub signature: Signature,
}

/// A member's agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The seat.
    pub member: MemberId,
    /// Over the charter.
    pub signature: Signature,
    /// Over each of its nodes.
    pub endorsements: Vec<NodeEndorsement>,
}

impl TenantTx {
    /// Records the own member's agreement; a later one replaces it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn approval_put(
        &mut self,
        ledger: LedgerHandle,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<()> {
        let Approval { member, signature, endorsements } = approval;
        let tenant = self.scope().tenant();
        sqlx::query(
            "INSERT INTO ledger_approval (ledger_id, member_id, consortium_id, tenant_id, \
             signature, endorsements, approved_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (ledger_id, member_id) DO UPDATE SET signature = excluded.signature, \
             endorsements = excluded.endorsements, approved_at = excluded.approved_at",
        )
        .bind(ledger.id().uuid())
        .bind(member.uuid())
        .bind(ledger.consortium().uuid())
        .bind(tenant.uuid())
        .bind(&signature.bytes()[..])
        .bind(Json(endorsements))
        .bind(now.to_offset())
        .execute(self.connection())
        .await
        .map_err(database)?;
        notify(self.connection()).await
    }

    /// Who has agreed to a ledger that the own tenant sees.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn approval_list(&mut self, ledger: LedgerId) -> Result<Vec<Approval>> {
        list(self.connection(), ledger).await
    }
}

impl SystemTx {
    /// Who has agreed to a ledger.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn approval_list(&mut self, ledger: LedgerId) -> Result<Vec<Approval>> {
        list(self.connection(), ledger).await
    }

    /// Forgets what was agreed to: the document has changed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn approval_clear(&mut self, ledger: LedgerId) -> Result<()> {
        sqlx::query("DELETE FROM ledger_approval WHERE ledger_id = $1")
            .bind(ledger.uuid())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(database)
    }
}

/// At most as many as a consortium has members.
async fn list(connection: &mut PgConnection, ledger: LedgerId) -> Result<Vec<Approval>> {
    let rows = sqlx::query("SELECT * FROM ledger_approval WHERE ledger_id = $1 ORDER BY member_id")
        .bind(ledger.uuid())
        .fetch_all(connection)
        .await
        .map_err(database)?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Approval> {
    let row = Read(row);
    Ok(Approval {
        member: row.id("member_id")?,
        signature: row.bytes::<64>("signature")?.into(),
        endorsements: row.json("endorsements")?,
    })
}
