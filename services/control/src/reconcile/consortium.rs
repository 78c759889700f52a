//! Consortiums that are being ended: their nodes first, then their ledgers, then they.

use hansa_core::{ConsortiumId, Result};

use super::{Controller, log_failure};

impl Controller {
    /// Takes every consortium that is being ended one step further.
    pub(super) async fn reconcile_consortiums(&self) -> Result<()> {
        let ending = self.tx().await?.consortium_deleting().await?;
        for id in ending {
            if let Err(error) = self.end_consortium(id).await {
                log_failure("consortium", &error);
            }
        }
        Ok(())
    }

    async fn end_consortium(&self, id: ConsortiumId) -> Result<()> {
        let mut tx = self.tx().await?;
        tx.node_end_all(id).await?;
        let (_, left) = tx.node_counts(id).await?;
        if left == 0 {
            tx.consortium_end(id, self.now()).await?;
        }
        tx.commit().await
    }
}
