//! What others changed and was put right, until somebody asks.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use hansa_core::NodeId;
use hansa_runtime::Correction;

/// Corrections that wait to be told.
const WAITING_MAX: usize = 1_000;

/// Corrections, and which nodes were as wished before: what a new driver finds otherwise may be its own
/// settings.
#[derive(Debug, Default)]
pub(crate) struct Corrections(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    as_wished: BTreeSet<NodeId>,
    waiting: VecDeque<Correction>,
}

impl Corrections {
    /// A node is as wished.
    pub(crate) fn is_as_wished(&self, node: NodeId) {
        self.known().as_wished.insert(node);
    }

    /// Nodes that are not there any more are forgotten.
    pub(crate) fn retain(&self, nodes: &BTreeSet<NodeId>) {
        self.known().as_wished.retain(|node| nodes.contains(node));
    }

    /// A node was put right.
    pub(crate) fn put_right(&self, correction: Correction) {
        let Known { as_wished, waiting } = &mut *self.known();
        if !as_wished.contains(&correction.node) {
            return;
        }
        if waiting.len() >= WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back(correction);
    }

    /// All of them, once.
    pub(crate) fn take(&self) -> Vec<Correction> {
        self.known().waiting.drain(..).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use hansa_core::Timestamp;

    use super::*;

    /// The trail must not call a change of the platform's own settings somebody's edit, nor tell of
    /// one edit twice.
    #[test]
    fn only_what_was_as_wished_before_was_changed_by_others() {
        let corrections = Corrections::default();
        let at = Timestamp::from_unix_micros(0).unwrap();
        let correction = Correction { node: NodeId::new(), what: "Service n/a1".to_owned(), at };
        corrections.put_right(correction.clone());
        assert_eq!(corrections.take(), [], "the driver is new");
        corrections.is_as_wished(correction.node);
        corrections.put_right(correction.clone());
        assert_eq!(corrections.take(), std::slice::from_ref(&correction));
        assert_eq!(corrections.take(), [], "it was told");
        corrections.retain(&BTreeSet::new());
        corrections.put_right(correction);
        assert_eq!(corrections.take(), [], "its node is gone");
    }
}
