//! Ledgers and consortiums that are being ended: their nodes first, then they.

use hansa_core::{ConsortiumId, Result, external_write};
use hansa_store::DrivenLedger;
use hansa_types::LedgerPhase;

use super::{Controller, log_failure};

impl Controller {
    /// Takes every ledger that is being ended one step further.
    pub(super) async fn end_ledgers(&self) -> Result<()> {
        let ending = self.tx().await?.ledger_driven_deleting().await?;
        for ledger in &ending {
            if let Err(error) = self.end_ledger(ledger).await {
                log_failure("ledger", &error);
            }
        }
        Ok(())
    }

    /// Takes every consortium that is being ended one step further.
    pub(super) async fn end_consortiums(&self) -> Result<()> {
        let ending = self.tx().await?.consortium_deleting().await?;
        for id in ending {
            if let Err(error) = self.end_consortium(id).await {
                log_failure("consortium", &error);
            }
        }
        Ok(())
    }

    async fn end_ledger(&self, ledger: &DrivenLedger) -> Result<()> {
        let mut tx = self.tx().await?;
        tx.node_end_of_ledger(ledger.id).await?;
        let (_, left) = tx.node_counts_of_ledger(ledger.id).await?;
        if left == 0 {
            tx.ledger_enter(ledger, LedgerPhase::Deleted, None, self.now()).await?;
        }
        external_write!(LedgerEnd, tx.commit().await)
    }

    async fn end_consortium(&self, id: ConsortiumId) -> Result<()> {
        let mut tx = self.tx().await?;
        tx.node_end_all(id).await?;
        let (_, left) = tx.node_counts(id).await?;
        if left == 0 {
            tx.consortium_end(id, self.now()).await?;
        }
        external_write!(ConsortiumEnd, tx.commit().await)
    }
}
