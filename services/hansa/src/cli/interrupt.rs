//! Ctrl-C while something is waited for: what was asked for goes on, and the reader learns how to
//! come back to it.

use super::failure::{Failure, Kind, Outcome};

/// Runs `work` until Ctrl-C; then `text` says what was given up and `next` how to go on.
pub(crate) async fn or_stopped<T>(
    text: &str,
    next: &str,
    work: impl Future<Output = Outcome<T>>,
) -> Outcome<T> {
    tokio::select! {
        done = work => done,
        Ok(()) = tokio::signal::ctrl_c() => {
            // The terminal shows `^C`, without an end of line.
            eprintln!();
            Err(Failure::new(Kind::Interrupted, text).next(next))
        }
    }
}
