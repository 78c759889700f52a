//! All honest nodes commit the same blocks in order, each with a certificate that holds, and have
//! the same root after each.

use std::collections::BTreeMap;

use ledger_types::{Digest, Executed, Genesis, message::DecidedBlock};

use super::Broken;

#[derive(Debug, Default)]
pub(crate) struct Agreement {
    blocks: BTreeMap<u64, Digest>,
    roots: BTreeMap<u64, Digest>,
}

impl Agreement {
    /// A node commits a block.
    pub(crate) fn on_commit(
        &mut self,
        genesis: &Genesis,
        node: u16,
        decided: &DecidedBlock,
    ) -> Result<(), Broken> {
        let header = &decided.block.header;
        let digest = header.digest(genesis.ledger());
        let first = *self.blocks.entry(header.height).or_insert(digest);
        if first != digest {
            return Err(format!(
                "node {node} commits {digest:?} at height {}, another node {first:?}",
                header.height
            ));
        }
        let certificate = &decided.certificate;
        let keys = genesis.consensus_keys();
        if certificate.block != digest || !certificate.decides() {
            return Err(format!("node {node}: height {} has no decision", header.height));
        }
        certificate
            .verify(genesis.ledger(), &keys, &genesis.quorum())
            .map_err(|error| format!("node {node}, height {}: {error}", header.height))
    }

    /// A node has executed a block.
    pub(crate) fn on_executed(&mut self, node: u16, executed: Executed) -> Result<(), Broken> {
        let first = *self.roots.entry(executed.height).or_insert(executed.root);
        if first == executed.root {
            Ok(())
        } else {
            Err(format!("node {node} has another root at height {}", executed.height))
        }
    }
}
