//! Reads that were denied, on the caller's trail: written by themselves, with a bound, so that a
//! flood of them cannot fill the trail.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use hansa_authz::OpContext;
use hansa_core::{AuditActId, Result, TenantId, Timestamp, Uuid, limits};
use hansa_store::AuditEntry;
use hansa_types::{AuditPhase, AuditResult, Code};
use prometheus::IntCounter;

use crate::control_plane::ControlPlane;

/// Who may still be recorded, by tenant.
#[derive(Debug)]
pub(crate) struct Denials {
    windows: Mutex<BTreeMap<TenantId, Window>>,
    suppressed: IntCounter,
}

/// What was recorded of one tenant since a time.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Timestamp,
    recorded: u32,
}

/// What becomes of one denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// It is recorded.
    Recorded,
    /// The bound is reached: one line says so.
    Reached,
    /// It is counted and no more.
    Suppressed,
}

impl Denials {
    pub(crate) fn new() -> Self {
        let suppressed = IntCounter::new(
            "hansa_audit_denials_suppressed_total",
            "Denied reads beyond the bound of the audit trail.",
        );
        Self { windows: Mutex::default(), suppressed: suppressed.expect("a name and its help") }
    }

    fn admit(&self, tenant: TenantId, now: Timestamp) -> Admission {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |window: &Window| {
            now.since(window.since).is_some_and(|age| age < limits::DENIAL_WINDOW)
        };
        if windows.len() >= limits::DENIAL_WINDOWS_MAX {
            windows.retain(|_, window| open(window));
        }
        let fresh = Window { since: now, recorded: 0 };
        let window = windows.entry(tenant).or_insert(fresh);
        if !open(window) {
            *window = fresh;
        }
        window.recorded = window.recorded.saturating_add(1);
        match window.recorded {
            number if number <= limits::DENIALS_PER_WINDOW_MAX => Admission::Recorded,
            number => {
                self.suppressed.inc();
                if number == limits::DENIALS_PER_WINDOW_MAX + 1 {
                    Admission::Reached
                } else {
                    Admission::Suppressed
                }
            }
        }
    }
}

impl ControlPlane {
    /// Shows its metrics in a registry.
    ///
    /// # Errors
    /// When the registry has metrics of these names.
    pub fn register(&self, registry: &prometheus::Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.denials.suppressed.clone()))
    }

    /// Records that a read was denied: of something that the caller's role may not see, or of an id
    /// that its tenant does not see. Whether such an id exists for others is not asked: nothing
    /// that serves a tenant can know it.
    ///
    /// At most [`limits::DENIALS_PER_WINDOW_MAX`] are recorded of one tenant in
    /// [`limits::DENIAL_WINDOW`] by one process; then one line with the code `too_many_requests`
    /// says that the rest is only counted.
    pub async fn read_denied(
        &self,
        context: &OpContext,
        action: &'static str,
        subject: Option<Uuid>,
        code: Code,
    ) {
        let Some(tenant) = context.tenant() else { return };
        let now = self.now();
        let code = match self.denials.admit(tenant, now) {
            Admission::Recorded => code,
            Admission::Reached => Code::TooManyRequests,
            Admission::Suppressed => return,
        };
        let entry = AuditEntry {
            act: AuditActId::new(),
            phase: AuditPhase::Outcome,
            action,
            actor: context.actor().to_string(),
            subject_id: subject,
            request: context.request(),
            result: Some(AuditResult::Denied),
            code: Some(code),
            at: now,
        };
        if let Err(error) = self.append(context, &entry).await {
            // The caller is refused all the same.
            tracing::warn!(action, %error, "a denied read was not recorded");
        }
    }

    async fn append(&self, context: &OpContext, entry: &AuditEntry) -> Result<()> {
        let mut tx = self.reading(context).await?;
        tx.audit_append(entry).await?;
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flood of denials must not fill the trail, and must not hide that it happened; another
    /// tenant's denials are recorded all the while.
    #[test]
    fn a_flood_is_recorded_up_to_its_bound_and_counted_beyond() {
        let denials = Denials::new();
        let (loud, quiet) = (TenantId::new(), TenantId::new());
        let start = Timestamp::from_unix_micros(1_800_000_000_000_000).expect("a year");
        for _ in 0..limits::DENIALS_PER_WINDOW_MAX {
            assert_eq!(denials.admit(loud, start), Admission::Recorded);
        }
        assert_eq!(denials.admit(loud, start), Admission::Reached);
        assert_eq!(denials.admit(loud, start), Admission::Suppressed);
        assert_eq!(denials.admit(quiet, start), Admission::Recorded);
        assert_eq!(denials.suppressed.get(), 2, "what is not recorded is counted");
        let later = start + limits::DENIAL_WINDOW;
        assert_eq!(denials.admit(loud, later), Admission::Recorded, "a new window begins");
    }
}
