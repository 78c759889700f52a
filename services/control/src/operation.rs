//! Operations of the caller's tenant.

use std::time::Duration;

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{OperationId, Result, limits};
use hansa_types::{Operation, OperationList, OperationState};
use tokio::time::{Instant, timeout_at};

use crate::{
    act::{Repeat, act},
    control_plane::{ControlPlane, PageQuery},
};

impl ControlPlane {
    /// An operation. With `wait`, the answer is held back until the operation has ended, or that
    /// time has passed.
    ///
    /// # Errors
    /// [`hansa_core::Error::NotFound`], [`hansa_core::Error::Forbidden`],
    /// [`hansa_core::Error::Busy`] when too many wait.
    pub async fn operation_get(
        &self,
        context: &OpContext,
        id: OperationId,
        wait: Option<Duration>,
    ) -> Result<Operation> {
        context.authorize(Action::Read, Subject::Operations)?;
        let Some(wait) = wait else { return self.operation_read(context, id).await };
        let _place = self.waiters.take(context.tenant_scope()?.tenant())?;
        let until = Instant::now() + wait.min(limits::WAIT_MAX);
        let mut changes = self.changes.clone();
        loop {
            // Marked before it is read: a change in between wakes at once.
            changes.borrow_and_update();
            let operation = self.operation_read(context, id).await?;
            if operation.state.is_final() || Instant::now() >= until {
                return Ok(operation);
            }
            let look_again = until.min(Instant::now() + limits::NOTIFY_LOST_AFTER);
            // Woken or not, the next thing is to look.
            drop(timeout_at(look_again, changes.changed()).await);
        }
    }

    async fn operation_read(&self, context: &OpContext, id: OperationId) -> Result<Operation> {
        self.reading(context).await?.operation_get(id).await
    }

    /// The tenant's operations, all or those in one state.
    ///
    /// # Errors
    /// [`hansa_core::Error::Forbidden`].
    pub async fn operation_list(
        &self,
        context: &OpContext,
        state: Option<OperationState>,
        query: &PageQuery,
    ) -> Result<OperationList> {
        context.authorize(Action::Read, Subject::Operations)?;
        let list = format!("operations state={}", state.map_or("any", OperationState::as_str));
        let page = self.page(context, &list, query)?;
        let found = self.reading(context).await?.operation_list(state, page).await?;
        self.listed(context, &list, found)
    }

    /// Asks to end an operation.
    ///
    /// # Errors
    /// [`hansa_core::Error::NotFound`], [`hansa_core::Error::Forbidden`],
    /// [`hansa_core::Refusal::OperationEnded`].
    pub async fn operation_cancel(
        &self,
        context: &OpContext,
        id: OperationId,
        repeat: Option<Repeat>,
    ) -> Result<Operation> {
        act!(self, context, "operation_cancel", Some(id.uuid()), repeat, |act| {
            act.tx.operation_get(id).await?;
            context.authorize(Action::Cancel, Subject::Operations)?;
            act.tx.operation_cancel(id, act.now).await
        })
    }
}
