//! What must end by itself: old events, kept answers, open intents, retained volumes.

use hansa_core::{Result, external_write, limits};

use super::{Controller, node::of_runtime};

impl Controller {
    /// Ends what has had its time.
    ///
    /// # Errors
    /// When the database or the runtime does not answer; the next look tries again.
    pub async fn keep_house(&self) -> Result<()> {
        let now = self.now();
        let mut tx = self.tx().await?;
        tx.event_prune(now - limits::EVENTS_KEPT).await?;
        tx.idempotency_prune(now).await?;
        tx.audit_close_unfinished(now - limits::INTENT_OPEN_MAX, now).await?;
        external_write!(Housekeeping, tx.commit().await)?;
        let before = now - limits::VOLUME_RETENTION;
        let purged = external_write!(VolumePurge, self.runtime.purge(before).await);
        let purged = purged.map_err(of_runtime)?;
        if purged > 0 {
            tracing::info!(volumes = purged, "volumes of removed nodes were destroyed");
        }
        Ok(())
    }
}
