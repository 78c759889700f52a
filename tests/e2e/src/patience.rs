//! Waiting for the real world.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// How long anything may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// How soon the API must tell the truth about a node that fell silent.
pub const TRUTH_TIME_MAX: Duration = Duration::from_secs(15);

/// Looks until `look` finds something.
///
/// # Errors
/// When it does not within `time_max`: with what the last look said.
pub fn eventually<T>(
    what: &str,
    time_max: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        let found = look();
        match found {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if began.elapsed() > time_max => bail!("{what}: not within {time_max:?}"),
            Err(error) if began.elapsed() > time_max => {
                return Err(error).with_context(|| format!("{what}: not within {time_max:?}"));
            }
            Ok(None) | Err(_) => thread::sleep(Duration::from_millis(200)),
        }
    }
}
