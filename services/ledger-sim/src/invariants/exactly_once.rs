//! Each transaction has its effect once: the counters add up to the applied increments.

use std::collections::BTreeSet;

use ledger_types::{Digest, Outcome};

use super::Broken;

#[derive(Debug, Default)]
pub(crate) struct ExactlyOnce {
    applied: BTreeSet<Digest>,
    schema: Option<Digest>,
    executed_to: u64,
}

impl ExactlyOnce {
    /// The transaction that makes the table is no increment.
    pub(crate) fn schema(&mut self, id: Digest) {
        self.schema = Some(id);
    }

    /// The first node to execute a height tells its outcomes.
    pub(crate) fn on_outcomes(
        &mut self,
        height: u64,
        outcomes: impl Iterator<Item = (Digest, Outcome)>,
    ) -> Result<(), Broken> {
        if height <= self.executed_to {
            return Ok(());
        }
        self.executed_to = height;
        for (id, outcome) in outcomes {
            if outcome.is_applied() && !self.applied.insert(id) {
                return Err(format!(
                    "transaction {id} was applied twice, again at height {height}"
                ));
            }
        }
        Ok(())
    }

    /// What the counters must add up to.
    pub(crate) fn expected(&self) -> u64 {
        let schema = self.schema.is_some_and(|id| self.applied.contains(&id));
        self.applied.len() as u64 - u64::from(schema)
    }
}
