//! The router, with what every request passes.

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    extract::State,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use hansa_control::ControlPlane;
use hansa_core::{Error, Kind, limits};
use hansa_types::Code;
use http::{HeaderValue, StatusCode, header};
use prometheus::Registry;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    denial::record_denied_reads,
    enrolment,
    error::{ApiError, answer_with_problems},
    metrics::{Metrics, measure},
    openapi,
};

/// What handlers get.
#[derive(Clone, Debug)]
pub struct Api {
    pub(crate) control: Arc<ControlPlane>,
    pub(crate) origins: Arc<[HeaderValue]>,
    metrics: Arc<Metrics>,
}

impl Api {
    /// An API over `control`. Browsers may change things only from pages of these `origins`, each
    /// as a browser writes it: `https://hansa.example`.
    #[must_use]
    pub fn new(control: Arc<ControlPlane>, origins: Vec<HeaderValue>) -> Self {
        Self { control, origins: origins.into(), metrics: Arc::new(Metrics::new()) }
    }

    /// Shows its metrics, and those of the control plane behind it, in a registry.
    ///
    /// # Errors
    /// When the registry has metrics of these names.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        self.control.register(registry)?;
        self.metrics.register(registry)
    }
}

/// The whole API as a service.
pub fn router(api: Api) -> Router {
    let (routes, document) = openapi::routes();
    routes
        .merge(SwaggerUi::new("/docs").external_url_unchecked("/v1/openapi.json", document))
        .merge(enrolment::router())
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .fallback(async || ApiError::from(Error::NotFound(Kind::Route)))
        .with_state(api.clone())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            limits::REQUEST_TIME_MAX + limits::WAIT_MAX,
        ))
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(middleware::from_fn_with_state(api.clone(), record_denied_reads))
        .layer(middleware::from_fn(answer_with_problems))
        .layer(middleware::from_fn_with_state(api.metrics, measure))
}

async fn readyz(State(api): State<Api>) -> Result<Response, ApiError> {
    api.control.ready().await?;
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((StatusCode::OK, plain, "ready\n").into_response())
}

/// A panic is a fault of ours; its text may hold anything and goes nowhere but the log.
fn after_panic(_: Box<dyn Any + Send>) -> Response {
    ApiError::new(Code::Internal, "an internal error occurred").into_response()
}
