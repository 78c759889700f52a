//! How nodes and ledgers do, told to whoever reads them.

use hansa_core::{LedgerId, PageRequest, PageSize, Result};
use hansa_store::TenantTx;
use hansa_types::{Ledger, LedgerHealth, Node};

use crate::{
    control_plane::ControlPlane,
    plan::health::{ledger_health, node_health},
};

impl ControlPlane {
    /// How a ledger does; nothing before it has a genesis.
    pub(crate) async fn ledger_health(
        &self,
        tx: &mut TenantTx,
        ledger: &Ledger,
    ) -> Result<Option<LedgerHealth>> {
        let Some(validators) = tx.ledger_validators(ledger.id).await? else { return Ok(None) };
        let nodes = all_nodes(tx, ledger.id).await?;
        Ok(Some(ledger_health(ledger.policy, validators, &nodes, self.now())))
    }

    /// Says of each of a ledger's nodes how it stands to all others.
    pub(crate) async fn tell_health(
        &self,
        tx: &mut TenantTx,
        ledger: LedgerId,
        nodes: &mut [Node],
    ) -> Result<()> {
        if tx.ledger_validators(ledger).await?.is_some() {
            let (all, now) = (all_nodes(tx, ledger).await?, self.now());
            for node in nodes {
                node.health = Some(node_health(node, &all, now));
            }
        }
        Ok(())
    }
}

async fn all_nodes(tx: &mut TenantTx, ledger: LedgerId) -> Result<Vec<Node>> {
    // A ledger has fewer nodes than a page has places.
    Ok(tx.node_list(ledger, PageRequest { size: PageSize::MAX, after: None }).await?.items)
}
