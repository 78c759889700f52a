//! The audit trail of the caller's tenant.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::Result;
use hansa_types::AuditEventList;

use crate::control_plane::{ControlPlane, PageQuery};

impl ControlPlane {
    /// The tenant's trail, newest first.
    ///
    /// # Errors
    /// [`hansa_core::Error::Forbidden`].
    pub async fn audit_event_list(
        &self,
        context: &OpContext,
        query: &PageQuery,
    ) -> Result<AuditEventList> {
        context.authorize(Action::Read, Subject::AuditTrail)?;
        let page = self.page(context, "audit-events", query)?;
        self.listed(context, "audit-events", self.reading(context).await?.audit_list(page).await?)
    }
}
