//! Long polls and event streams: how many may be open, in all and for one tenant.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hansa_core::{Error, Result, TenantId, limits};

/// Counts those who wait, so that one tenant cannot take the places of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters(Arc<Mutex<HashMap<TenantId, usize>>>);

/// One place among those who wait; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    waiters: Waiters,
    tenant: TenantId,
}

impl Waiters {
    /// Takes a place.
    ///
    /// # Errors
    /// [`Error::Busy`] when the tenant or the process has no place left.
    pub(crate) fn take(&self, tenant: TenantId) -> Result<Place> {
        let mut counts = self.counts();
        let all: usize = counts.values().sum();
        let own = counts.get(&tenant).copied().unwrap_or(0);
        if all >= limits::WAITERS_MAX || own >= limits::WAITERS_PER_TENANT_MAX {
            return Err(Error::Busy { retry_after: limits::RETRY_AFTER });
        }
        counts.insert(tenant, own + 1);
        drop(counts);
        Ok(Place { waiters: self.clone(), tenant })
    }

    /// Counts are whole after each change, so a holder that panicked left them usable.
    fn counts(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.waiters.counts();
        let left = counts.get(&self.tenant).map_or(0, |count| count - 1);
        if left == 0 {
            counts.remove(&self.tenant);
        } else {
            counts.insert(self.tenant, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-60: a tenant that opens streams without end must leave places for others.
    #[test]
    fn s60_one_tenant_cannot_take_all_places() {
        let (waiters, greedy) = (Waiters::default(), TenantId::new());
        let mut places: Vec<Place> = (0..limits::WAITERS_PER_TENANT_MAX)
            .map(|_| waiters.take(greedy).expect("free"))
            .collect();
        assert!(matches!(waiters.take(greedy), Err(Error::Busy { .. })));
        assert!(waiters.take(TenantId::new()).is_ok(), "another tenant still has places");
        places.pop();
        assert!(waiters.take(greedy).is_ok(), "a place that was given back can be taken");
        drop(places);
        assert!(waiters.counts().is_empty(), "nobody waits, so nobody is counted");
    }
}
