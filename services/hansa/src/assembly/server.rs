//! A listener, and a server that ends without cutting off who is being answered.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use axum::Router;
use hansa_telemetry::Shutdown;
use tokio::net::TcpListener;

/// How long requests may take to end when the process does.
pub(crate) const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// # Errors
/// When somebody else has the address; `how` says how to choose another.
pub(crate) async fn bind(address: SocketAddr, how: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another with {how}"))
}

/// Answers until the shutdown, and then for as long as open requests may take.
pub(crate) async fn serve(router: Router, listener: TcpListener, shutdown: Shutdown) {
    let drain = shutdown.clone();
    let begun = async move { shutdown.begun().await };
    let served = axum::serve(listener, router).with_graceful_shutdown(begun);
    let limit = async {
        drain.begun().await;
        tokio::time::sleep(DRAIN_TIME_MAX).await;
    };
    tokio::select! {
        served = async { served.await } => {
            if let Err(error) = served {
                tracing::error!(%error, "the server failed");
            }
        }
        () = limit => tracing::info!("open requests were ended"),
    }
}
