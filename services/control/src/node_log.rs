//! Logs of nodes. Whoever answers requests need not reach the nodes: a controller that does is asked
//! through the database, and answers at once.

use hansa_authz::{Action, OpContext};
use hansa_core::{Error, NodeId, Result, Uuid, limits};
use hansa_store::NewLogRequest;
use tokio::time::{Instant, timeout_at};

use crate::control_plane::ControlPlane;

impl ControlPlane {
    /// The last lines of the log of a node of the caller's own member, at most
    /// [`limits::LOG_BYTES_MAX`].
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Busy`] when too many wait,
    /// [`Error::Unavailable`] when no controller reaches the node, or its runtime does not answer.
    pub async fn node_logs(&self, context: &OpContext, id: NodeId, lines: u16) -> Result<String> {
        let tenant = context.tenant_scope()?.tenant();
        let _place = self.waiters.take(tenant)?;
        let mut tx = self.reading(context).await?;
        let (handle, _) = tx.node_find(id).await?;
        context.authorize(Action::ReadLog, handle.subject())?;
        let (request, now) = (Uuid::now_v7(), self.now());
        let lines = lines.min(limits::LOG_LINES_MAX);
        tx.log_request_insert(&NewLogRequest { id: request, tenant, node: id, lines, now }).await?;
        tx.commit().await?;
        let until = Instant::now() + limits::LOG_WAIT_MAX;
        let mut changes = self.changes.clone();
        loop {
            // Marked before it is read: a change in between wakes at once.
            changes.borrow_and_update();
            let mut tx = self.reading(context).await?;
            if let Some(answer) = tx.log_request_take(request).await? {
                tx.commit().await?;
                return answer.map_err(Error::unavailable);
            }
            if Instant::now() >= until {
                tx.log_request_delete(request).await?;
                tx.commit().await?;
                return Err(Error::unavailable("no controller that reaches the node has answered"));
            }
            drop(tx);
            let look_again = until.min(Instant::now() + limits::NOTIFY_LOST_AFTER);
            // Woken or not, the next thing is to look.
            drop(timeout_at(look_again, changes.changed()).await);
        }
    }
}
