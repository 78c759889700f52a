//! "Something changed": a hint that wakes waiters, which then look for themselves.

use hansa_core::limits::NOTIFY_LOST_AFTER;
use sqlx::{PgConnection, postgres::PgListener};
use tokio::sync::watch;

use crate::{error::database, store::Store};

const CHANNEL: &str = "hansa_change";

/// Tells all processes at commit.
pub(crate) async fn notify(connection: &mut PgConnection) -> hansa_core::Result<()> {
    sqlx::query("SELECT pg_notify('hansa_change', '')")
        .execute(connection)
        .await
        .map(drop)
        .map_err(database)
}

impl Store {
    /// Raises `changes` whenever something was committed that somebody may wait for, until nobody
    /// listens any more. It survives restarts of the database; a hint may be lost meanwhile, which
    /// is why waiters also look again after [`NOTIFY_LOST_AFTER`].
    pub async fn follow_changes(&self, changes: watch::Sender<u64>) {
        while !changes.is_closed() {
            let lost = self.follow_connection(&changes).await;
            if let Err(why) = lost {
                tracing::warn!(error = %why, "notifications of the database were lost");
                changes.send_modify(|count| *count += 1);
                tokio::time::sleep(NOTIFY_LOST_AFTER).await;
            }
        }
    }

    async fn follow_connection(&self, changes: &watch::Sender<u64>) -> sqlx::Result<()> {
        let mut listener = PgListener::connect_with(self.listener_pool()).await?;
        listener.listen(CHANNEL).await?;
        loop {
            tokio::select! {
                () = changes.closed() => return Ok(()),
                heard = listener.recv() => {
                    heard?;
                    changes.send_modify(|count| *count += 1);
                }
            }
        }
    }
}
