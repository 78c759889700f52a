//! Incidents of a ledger.

use hansa_core::{LedgerId, Page, PageRequest, Position, Result};
use hansa_types::Incident;
use sqlx::postgres::PgRow;

use crate::{error::database, row::Read, tx::TenantTx};

impl TenantTx {
    /// The incidents of a ledger that the own tenant sees, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incident_list(
        &mut self,
        ledger: LedgerId,
        page: PageRequest,
    ) -> Result<Page<Incident>> {
        let rows = sqlx::query(
            "SELECT * FROM incident WHERE ledger_id = $1 AND ($2::uuid IS NULL OR id < $2) \
             ORDER BY id DESC LIMIT $3",
        )
        .bind(ledger.uuid())
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let incidents = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(incidents, page.size, |i: &Incident| Position::after_id(i.id.uuid())))
    }
}

fn read(row: &PgRow) -> Result<Incident> {
    let row = Read(row);
    Ok(Incident {
        id: row.id("id")?,
        ledger_id: row.id("ledger_id")?,
        node_id: row.id_opt("node_id")?,
        kind: row.text("kind")?,
        summary: row.get("summary")?,
        opened_at: row.time("opened_at")?,
        resolved_at: row.time_opt("resolved_at")?,
    })
}
