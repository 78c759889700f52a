//! What others changed in a cluster and a driver put right goes on the trail of the node's tenant.

use hansa_authz::Actor;
use hansa_core::{AuditActId, RequestId, Result, external_write};
use hansa_runtime::Correction;
use hansa_store::AuditEntry;
use hansa_types::{AuditPhase, AuditResult};

use super::{Controller, log_failure};

impl Controller {
    /// Writes down what the drivers have put right since the last look. What cannot be written is in
    /// the log; nobody waits for it.
    pub(super) async fn record_corrections(&self) -> Result<()> {
        for (_, runtime) in self.fleet.all() {
            for correction in runtime.corrections() {
                if let Err(error) = self.record_correction(&correction).await {
                    log_failure("correction", &error);
                }
            }
        }
        Ok(())
    }

    /// One entry tells of it: nobody intended what was found.
    async fn record_correction(&self, correction: &Correction) -> Result<()> {
        let Correction { node, what, at } = correction;
        let mut tx = self.tx().await?;
        // One that the database does not know is nobody's.
        let Some(known) = tx.node_driven(*node, self.now()).await? else { return Ok(()) };
        tracing::warn!(node.id = %node, what, "changed by others; put right");
        let entry = AuditEntry {
            act: AuditActId::new(),
            phase: AuditPhase::Outcome,
            action: "node_correct",
            actor: Actor::Reconciler("nodes").to_string(),
            subject_id: Some(node.uuid()),
            request: RequestId::new(),
            result: Some(AuditResult::Succeeded),
            code: None,
            at: *at,
        };
        tx.audit_append(known.tenant, &entry).await?;
        external_write!(ClusterCorrect, tx.commit().await)
    }
}
