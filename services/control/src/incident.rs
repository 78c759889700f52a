//! Incidents of a ledger.

use hansa_authz::{Action, OpContext};
use hansa_core::{LedgerId, Result};
use hansa_types::IncidentList;

use crate::control_plane::{ControlPlane, PageQuery};

impl ControlPlane {
    /// The incidents of a ledger.
    ///
    /// # Errors
    /// [`hansa_core::Error::NotFound`], [`hansa_core::Error::Forbidden`].
    pub async fn incident_list(
        &self,
        context: &OpContext,
        ledger: LedgerId,
        query: &PageQuery,
    ) -> Result<IncidentList> {
        let list = format!("ledger={ledger} incidents");
        let page = self.page(context, &list, query)?;
        let mut tx = self.reading(context).await?;
        let (handle, _) = tx.ledger_find(ledger).await?;
        context.authorize(Action::Read, handle.subject())?;
        self.listed(context, &list, tx.incident_list(ledger, page).await?)
    }
}
