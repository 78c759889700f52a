//! Logs, metrics and shutdown, the same for every service.
//!
//! Owns how a process logs, how it shows its metrics, and how it learns that it should end. Must not know any other crate of
//! ours.

pub mod metrics;

use std::io::IsTerminal as _;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

/// Writes logs to the standard error: as text to a terminal, as JSON lines otherwise. `RUST_LOG`
/// filters them.
pub fn init() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx::query=warn,tower_http=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().init();
    }
}

/// Tells every part of a process that it should end.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Begins the end.
#[derive(Debug)]
pub struct Ender(watch::Sender<bool>);

impl Shutdown {
    /// A shutdown that `Ender` begins.
    #[must_use]
    pub fn new() -> (Ender, Self) {
        let (sender, receiver) = watch::channel(false);
        (Ender(sender), Self(receiver))
    }

    /// Returns when the process should end.
    pub async fn begun(&self) {
        let mut receiver = self.0.clone();
        // An error says that the ender is gone, which is the same.
        let _ = receiver.wait_for(|ended| *ended).await;
    }

    /// Whether the process should end.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

impl Ender {
    /// Tells everybody to end.
    pub fn end(&self) {
        self.0.send_replace(true);
    }
}

/// Returns at SIGTERM or SIGINT.
///
/// # Errors
/// When the signals cannot be listened for.
pub async fn terminated() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
