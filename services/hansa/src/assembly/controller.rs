//! The controller.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use hansa_clients::{HttpNodes, Vault};
use hansa_control::{Controller, ControllerConfig};
use hansa_core::{Secret, SystemClock};
use hansa_runtime::Runtime;
use hansa_store::{Pools, Store};

use super::Metrics;

/// What a controller is made of.
pub(crate) struct ControllerParts {
    pub(crate) database: Pools,
    pub(crate) credential_key: Secret,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) nodes: Arc<HttpNodes>,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// Where nodes enrol: an address of the API that they reach.
    pub(crate) enrolment_url: String,
}

/// A controller that can be run.
pub(crate) struct ControllerService {
    pub(crate) controller: Arc<Controller>,
    pub(crate) store: Store,
}

impl ControllerService {
    pub(crate) fn assemble(parts: ControllerParts, metrics: &Metrics) -> Result<Self> {
        let ControllerParts { database, credential_key, vault, nodes, runtime, enrolment_url } =
            parts;
        let store = Store::new(database);
        let controller = Controller::new(ControllerConfig {
            store: store.clone(),
            clock: Arc::new(SystemClock),
            credential_key,
            runtime,
            vault,
            nodes,
            enrolment_url,
        });
        controller.register(metrics.registry()).context("metrics of the controller")?;
        metrics.watch("controller", &store);
        Ok(Self { controller, store })
    }
}
