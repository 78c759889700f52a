//! Whose a key is. A key that has a member keeps it for ever, so one look at the access table is
//! enough for each.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ledger_state::{Reader, StateError};
use ledger_types::PublicKey;

/// Keys remembered; beyond it all are looked up again.
const KEYS_MAX: usize = 65_536;
/// How long a key counts as unknown before the next look.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Known {
    Member(u32),
    /// Not in the table at that moment.
    Unknown(Instant),
}

/// The members of keys.
#[derive(Debug)]
pub(crate) struct Members {
    state: PathBuf,
    known: Mutex<HashMap<PublicKey, Known>>,
}

impl Members {
    pub(crate) fn new(state: PathBuf) -> Self {
        Self { state, known: Mutex::default() }
    }

    /// The member of each key; `None` for those that the ledger does not know.
    pub(crate) async fn of(&self, keys: &[PublicKey]) -> Vec<Option<u32>> {
        let mut missing = self.with(|known| {
            let is_new = |key: &&PublicKey| match known.get(*key) {
                Some(Known::Member(_)) => false,
                Some(Known::Unknown(since)) => since.elapsed() > UNKNOWN_FOR,
                None => true,
            };
            keys.iter().filter(is_new).copied().collect::<Vec<_>>()
        });
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            let state = self.state.clone();
            let found = tokio::task::spawn_blocking(move || look(&state, &missing)).await;
            match found {
                Ok(Ok(found)) => self.with(|known| {
                    if known.len() + found.len() > KEYS_MAX {
                        known.clear();
                    }
                    known.extend(found);
                }),
                // The file is being exchanged: strangers for now.
                Ok(Err(error)) => tracing::debug!("members of keys: {error}"),
                Err(error) => tracing::debug!("members of keys: {error}"),
            }
        }
        self.with(|known| {
            let member = |key| match known.get(key) {
                Some(Known::Member(member)) => Some(*member),
                Some(Known::Unknown(_)) | None => None,
            };
            keys.iter().map(member).collect()
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<PublicKey, Known>) -> T) -> T {
        act(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn look(
    state: &std::path::Path,
    keys: &[PublicKey],
) -> Result<Vec<(PublicKey, Known)>, StateError> {
    let reader = Reader::open(state)?;
    let one = |key: &PublicKey| {
        let found = reader.roles(key)?;
        let known = found.map_or_else(|| Known::Unknown(Instant::now()), |(m, _)| Known::Member(m));
        Ok::<_, StateError>((*key, known))
    };
    keys.iter().map(one).collect()
}
