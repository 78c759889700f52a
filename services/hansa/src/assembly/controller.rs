//! The controller.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use hansa_clients::{HttpNodes, Vault};
use hansa_control::{Controller, ControllerConfig, Fleet};
use hansa_core::{Secret, SystemClock};
use hansa_store::{Pools, Store};

use super::Metrics;

/// What a controller is made of.
pub(crate) struct ControllerParts {
    pub(crate) database: Pools,
    pub(crate) credential_key: Secret,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) nodes: Arc<HttpNodes>,
    pub(crate) fleet: Arc<Fleet>,
    /// Where nodes enrol: an address of the API that they reach.
    pub(crate) enrolment_url: String,
    /// The same for nodes in clusters, if it is another.
    pub(crate) cluster_enrolment_url: Option<String>,
}

/// A controller that can be run.
pub(crate) struct ControllerService {
    pub(crate) controller: Arc<Controller>,
    pub(crate) store: Store,
}

impl ControllerService {
    pub(crate) fn assemble(parts: ControllerParts, metrics: &Metrics) -> Result<Self> {
        let ControllerParts {
            database,
            credential_key,
            vault,
            nodes,
            fleet,
            enrolment_url,
            cluster_enrolment_url,
        } = parts;
        let store = Store::new(database);
        let controller = Controller::new(ControllerConfig {
            store: store.clone(),
            clock: Arc::new(SystemClock),
            credential_key,
            fleet,
            vault,
            nodes,
            enrolment_url,
            cluster_enrolment_url,
        });
        controller.register(metrics.registry()).context("metrics of the controller")?;
        metrics.watch("controller", &store);
        Ok(Self { controller, store })
    }
}
