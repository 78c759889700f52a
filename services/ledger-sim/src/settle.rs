//! The last look at a run: counters add up, roots are those of the rows, disks are whole.

use anyhow::{Result, anyhow, ensure};
use ledger_storage::Scrubber;
use ledger_types::Value;

use crate::{
    faults::{Fault, Report},
    node::Node,
    world::World,
};

impl World {
    /// Checks what every node has at the end, and closes the report.
    pub(crate) fn settle(mut self) -> Result<Report> {
        let expected = self.once.expected();
        let newest = self.nodes.iter().map(Node::executed).max().unwrap_or(0);
        for node in &self.nodes {
            let Some(running) = &node.running else { continue };
            let state = running.state();
            ensure!(
                state.root_from_rows()? == state.state_root(),
                "node {}: the root is not that of its rows",
                node.index
            );
            let rotten = Scrubber::whole_tour(&running.blocks)?;
            ensure!(rotten.is_empty(), "node {}: still broken: {rotten:?}", node.index);
            let whole_to = running.blocks.whole_to();
            ensure!(whole_to >= node.executed(), "node {}: whole to {whole_to}", node.index);
            let mut reader = ledger_state::Reader::open(state.path())?;
            if let Ok(rows) = reader.query("SELECT sum(n) FROM counter", &[], Default::default()) {
                let sum = match rows.rows.first().and_then(|row| row.first()) {
                    Some(Value::Integer(sum)) => *sum,
                    _ => 0,
                };
                if node.executed() == newest && u64::try_from(sum)? != expected {
                    return Err(anyhow!("the counters add up to {sum}, {expected} were applied"));
                }
            }
        }
        for faults in self.nodes.iter().flat_map(Node::disk_faults) {
            for (fault, count) in [
                (Fault::TornWrite, faults.torn),
                (Fault::LostWrite, faults.lost),
                (Fault::ZeroedTail, faults.zeroed),
                (Fault::LostName, faults.names),
            ] {
                *self.report.faults.entry(fault).or_default() += count;
            }
        }
        if self.plan.cheats.len() > 1 {
            self.fault(Fault::SeveralCheats);
        }
        self.report.applied = expected;
        self.report.heights = self.nodes.iter().map(Node::executed).min().unwrap_or(0);
        Ok(self.report)
    }
}
