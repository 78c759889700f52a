//! What nodes do about broken disks: look, keep silent, fetch, build again, go on.

use anyhow::Result;
use ledger_consensus::replica::Event;
use ledger_types::{Message, ValidatorIndex, message::DecidedBlock};

use crate::{
    schedule::What,
    world::{World, broken},
};

/// How often a node asks again for blocks that it cannot read.
const ASK_EVERY_MS: u64 = 60;

impl World {
    /// A node reads everything again.
    pub(crate) fn patrol(&mut self, node: usize) -> Result<()> {
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        match running.patrol() {
            Ok(()) => self.mend(node),
            Err(error) => self.fall(node, error),
        }
    }

    /// The validators certified another root than a node's: its state is wrong.
    pub(crate) fn distrust(&mut self, node: usize) -> Result<()> {
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        running.distrust()?;
        self.mend(node)
    }

    /// Takes the next steps back to health: as many as can be taken now.
    pub(crate) fn mend(&mut self, node: usize) -> Result<()> {
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        match running.mending.finish(&mut running.blocks) {
            Ok(mended) => self.report.blocks_mended += mended,
            Err(error) => return self.fall(node, error.into()),
        }
        self.ask_for_blocks(node)?;
        self.execute_stored(node)?;
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        running.recover();
        self.obey(node)
    }

    /// Asks some peer for blocks that cannot be read, now and later again.
    fn ask_for_blocks(&mut self, node: usize) -> Result<()> {
        let (life, peers) = (self.nodes[node].life, self.nodes.len());
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        if running.asks || !running.mending.is_needed() {
            return Ok(());
        }
        running.asks = true;
        let wanted = running.mending.wanted(&running.blocks);
        self.schedule.after(ASK_EVERY_MS, What::Mend { node, life });
        let Some((from, to)) = wanted else { return Ok(()) };
        let peer = (node + 1 + self.luck.index(peers - 1)) % peers;
        let peer = ValidatorIndex(u16::try_from(peer)?);
        self.send(node, Some(peer), &std::sync::Arc::new(Message::FetchBlocks { from, to }))
    }

    /// It is time to ask again.
    pub(crate) fn mend_again(&mut self, node: usize) -> Result<()> {
        if let Some(running) = &mut self.nodes[node].running {
            running.asks = false;
        }
        self.mend(node)
    }

    /// Blocks from a peer; those that a node cannot read mend it.
    pub(crate) fn take_blocks(&mut self, node: usize, blocks: &[DecidedBlock]) -> Result<()> {
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        if !running.mending.is_needed() {
            return Ok(());
        }
        running.mending.take(&self.genesis, blocks);
        self.mend(node)
    }

    /// Executes what a node has stored, and tells its replica of what is new.
    pub(crate) fn execute_stored(&mut self, node: usize) -> Result<()> {
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        let before = running.rebuilt;
        let outcome = running.execute_stored();
        self.report.states_rebuilt += running.rebuilt - before;
        let done = match outcome {
            Ok(done) => done,
            Err(error) => return self.fall(node, error),
        };
        let index = self.nodes[node].index.0;
        for (decided, done) in done {
            let ids = decided.block.transactions.iter().map(|t| t.id());
            let outcomes = ids.zip(done.outcomes);
            self.once.on_outcomes(done.executed.height, outcomes).map_err(broken)?;
            self.agreement.on_executed(index, done.executed).map_err(broken)?;
            let height = done.executed.height;
            let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
            if height > running.told {
                running.told = height;
                self.nodes[node].acknowledged = height.max(self.nodes[node].acknowledged);
                self.tell(node, Event::Executed(done.executed))?;
            }
        }
        Ok(())
    }
}
