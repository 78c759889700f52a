//! What must end by itself: old events, kept answers, questions that nobody takes back, open intents, retained volumes.

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
        tx.log_request_prune(now - limits::LOG_REQUEST_KEPT).await?;
        tx.audit_close_unfinished(now - limits::INTENT_OPEN_MAX, now).await?;
        external_write!(Housekeeping, tx.commit().await)?;
        let before = now - limits::VOLUME_RETENTION;
        let mut done = Ok(());
        for (_, runtime) in self.fleet.all() {
            // A cluster that does not answer keeps nobody else's volumes.
            match external_write!(VolumePurge, runtime.purge(before).await) {
                Ok(0) => {}
                Ok(purged) => {
                    tracing::info!(volumes = purged, "volumes of removed nodes destroyed")
                }
                Err(error) => done = done.and(Err(of_runtime(error))),
            }
        }
        done
    }
}
