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
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// What is logged unless `RUST_LOG` says otherwise.
const USUAL: &str = "info,sqlx::query=warn,tower_http=warn";

/// Writes logs to the standard error: as text to a terminal, as JSON lines otherwise. `RUST_LOG`
/// filters them: a level, or `target=level` pairs with commas between.
pub fn init() {
    let is_terminal = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(is_terminal);
    let lines = if is_terminal { lines.boxed() } else { lines.json().boxed() };
    tracing_subscriber::registry().with(filter(std::env::var("RUST_LOG").ok())).with(lines).init();
}

/// A filter that cannot be read is passed over: a service must not stay down for it.
fn filter(asked: Option<String>) -> Targets {
    let asked = asked.filter(|text| !text.is_empty()).and_then(|text| text.parse().ok());
    asked.unwrap_or_else(|| USUAL.parse().expect("it is written above"))
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

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::filter;

    #[test]
    fn an_unreadable_filter_leaves_the_usual_one() {
        // A mistyped variable must neither stop a service nor silence it.
        for asked in [None, Some(String::new()), Some("loud=very".to_owned())] {
            let usual = filter(asked);
            assert!(usual.would_enable("hansa_api", &Level::INFO));
            assert!(!usual.would_enable("sqlx::query", &Level::INFO));
        }
        assert!(filter(Some("hansa_api=debug".into())).would_enable("hansa_api", &Level::DEBUG));
    }
}
