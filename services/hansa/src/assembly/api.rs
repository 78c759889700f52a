//! The API, with the console beside it.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use anyhow::{Context as _, Result};
use axum::{Router, http::HeaderValue};
use hansa_api::Api;
use hansa_clients::{HttpNodes, Vault};
use hansa_control::{Config, ControlPlane, VaultJwtKeys};
use hansa_core::{Secret, SystemClock};
use hansa_store::{Pools, Store};

use super::{Metrics, console};

/// What an API is made of.
pub(crate) struct ApiParts {
    pub(crate) database: Pools,
    pub(crate) credential_key: Secret,
    pub(crate) page_key: Secret,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) nodes: Arc<HttpNodes>,
    /// The address that clients use; access tokens are issued by it and for it.
    pub(crate) public_url: String,
    /// The origins whose pages may change things with a session cookie.
    pub(crate) origins: Vec<String>,
    /// Folder of the built console.
    pub(crate) console: Option<PathBuf>,
}

/// An API that can be served.
pub(crate) struct ApiService {
    pub(crate) control: Arc<ControlPlane>,
    pub(crate) router: Router,
    pub(crate) store: Store,
    /// Follows the database's notifications; runs beside the server.
    pub(crate) follower: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl ApiService {
    /// # Errors
    /// For an origin that no browser would send, or a folder that holds no console.
    pub(crate) fn assemble(parts: ApiParts, metrics: &Metrics) -> Result<Self> {
        let ApiParts {
            database,
            credential_key,
            page_key,
            vault,
            nodes,
            public_url,
            origins,
            console,
        } = parts;
        let origins = origins.iter().map(|origin| {
            HeaderValue::from_str(origin).with_context(|| format!("{origin:?} is no origin"))
        });
        let origins = origins.collect::<Result<Vec<_>>>()?;
        let store = Store::new(database);
        let (control, follower) = ControlPlane::new(Config {
            store: store.clone(),
            clock: Arc::new(SystemClock),
            credential_key,
            page_key,
            jwt_keys: Arc::new(VaultJwtKeys::new(vault.clone())),
            vault,
            nodes: Some(nodes),
            issuer: public_url,
        });
        let api = Api::new(control.clone(), origins);
        api.register(metrics.registry()).context("metrics of the API")?;
        metrics.watch("api", &store);
        let router = hansa_api::router(api);
        let router = match console {
            Some(folder) => console::beside(router, &folder)?,
            None => router,
        };
        Ok(Self { control, router, store, follower: Box::pin(follower) })
    }
}
