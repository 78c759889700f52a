//! The metrics of a process, with the use of its database pools.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use hansa_store::Store;
use hansa_telemetry::Shutdown;
use prometheus::{IntGaugeVec, Opts, Registry};
use tokio::net::TcpListener;

/// What a process shows to Prometheus.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: IntGaugeVec,
    stores: Arc<Mutex<Vec<(&'static str, Store)>>>,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self> {
        let registry = hansa_telemetry::metrics::registry().context("a registry")?;
        let options = Opts::new(
            "hansa_database_connections",
            "Connections to the database, by role, pool, and whether somebody uses them.",
        );
        let connections = IntGaugeVec::new(options, &["role", "pool", "state"])?;
        registry.register(Box::new(connections.clone()))?;
        Ok(Self { registry, connections, stores: Arc::default() })
    }

    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Shows the pools of a role's store.
    pub(crate) fn watch(&self, role: &'static str, store: &Store) {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).push((role, store.clone()));
    }

    fn look(&self) {
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        for (role, store) in stores.iter() {
            for pool in store.pools() {
                let used = pool.open.saturating_sub(pool.idle);
                for (state, number) in [("idle", pool.idle), ("used", used)] {
                    let gauge = self.connections.with_label_values(&[*role, pool.name, state]);
                    gauge.set(i64::from(number));
                }
            }
        }
    }

    /// Answers `GET /metrics` until the shutdown.
    pub(crate) fn serve(
        self,
        listener: TcpListener,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> {
        let registry = self.registry.clone();
        hansa_telemetry::metrics::serve(listener, registry, move || self.look(), shutdown)
    }
}
