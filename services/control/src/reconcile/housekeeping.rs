//! What must end by itself: old events, kept answers, open intents, retained volumes.

use hansa_core::{Result, limits};

use super::{Controller, node::of_runtime};

impl Controller {
    /// Ends what has had its time.
    pub(super) async fn keep_house(&self) -> Result<()> {
        let now = self.now();
        let mut tx = self.tx().await?;
        tx.event_prune(now - limits::EVENTS_KEPT).await?;
        tx.idempotency_prune(now).await?;
        tx.audit_close_unfinished(now - limits::INTENT_OPEN_MAX, now).await?;
        tx.commit().await?;
        let purged = self.runtime.purge(now - limits::VOLUME_RETENTION).await;
        let purged = purged.map_err(of_runtime)?;
        if purged > 0 {
            tracing::info!(volumes = purged, "volumes of removed nodes were destroyed");
        }
        Ok(())
    }
}
