//! Whether SQLite's file can be trusted after a start.
//!
//! SQLite runs without its own syncs: a killed process loses nothing, a power cut may. The node
//! writes a mark when it stops in order, and notes the kernel's boot id while it runs.

use borsh::{BorshDeserialize, BorshSerialize};

/// What the last run left behind.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Mark {
    /// The kernel's boot id during that run (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// Whether it stopped in order, with everything synced.
    pub clean: bool,
}

/// Whether the file is as the last run left it: it stopped in order, or the machine has not gone
/// down since. Without a mark (a new folder) there is nothing to distrust.
pub fn is_trustworthy(last: Option<&Mark>, boot_id: &str) -> bool {
    last.is_none_or(|mark| mark.clean || mark.boot_id == boot_id)
}
