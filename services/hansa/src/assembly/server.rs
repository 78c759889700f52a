//! A listener, and a server that ends without cutting off who is being answered.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use axum::{Router, serve::Listener};
use hansa_telemetry::Shutdown;
use tokio::net::TcpListener;

use super::tls::{TlsFiles, TlsListener};

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
    answer(router, listener, shutdown).await;
}

/// The same over TLS.
///
/// # Errors
/// When the files cannot be used; nothing is answered then.
pub(crate) fn serve_tls(
    router: Router,
    listener: TcpListener,
    files: TlsFiles,
    shutdown: Shutdown,
) -> Result<impl Future<Output = ()> + Send> {
    let listener = TlsListener::new(listener, files)?;
    Ok(answer(router, listener, shutdown))
}

async fn answer<L>(router: Router, listener: L, shutdown: Shutdown)
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
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
