//! What Prometheus reads: plain HTTP on an address of its own, for whoever watches the machine.

use std::sync::Arc;

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use prometheus::{IntGaugeVec, Opts, Registry, TextEncoder};
use tokio::net::TcpListener;

use crate::Shutdown;

/// A registry that knows the release of this process.
///
/// # Errors
/// Never for the names given here; the library cannot know that.
pub fn registry() -> prometheus::Result<Registry> {
    let registry = Registry::new();
    let build = Opts::new("hansa_build_info", "The release of this process; always 1.");
    let build = IntGaugeVec::new(build, &["version"])?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    registry.register(Box::new(build))?;
    Ok(registry)
}

/// Answers `GET /metrics` until the shutdown. `look` brings gauges up to date before each answer:
/// it must not wait.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    look: impl Fn() + Send + Sync + 'static,
    shutdown: Shutdown,
) {
    let shown: Arc<Shown> = Arc::new(Shown { registry, look: Box::new(look) });
    let router = Router::new().route("/metrics", get(show)).with_state(shown);
    let begun = async move { shutdown.begun().await };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(begun).await {
        tracing::error!(%error, "metrics are not shown any more");
    }
}

struct Shown {
    registry: Registry,
    look: Box<dyn Fn() + Send + Sync>,
}

async fn show(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    (shown.look)();
    let text = TextEncoder::new().encode_to_string(&shown.registry.gather());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text.unwrap_or_default())
}
