//! Launches: enrolled nodes and signatures become a charter, a genesis, a running ledger.

use hansa_core::{Error, Result, external_write};
use hansa_store::{DrivenLedger, DrivenNode};
use hansa_types::LedgerPhase;
use ledger_types::{Policy, Quorum, genesis::Charter};

use super::{Controller, log_failure};
use crate::plan::{
    charter::{NotYet, charter, genesis, threshold},
    reach::{Place, unreached},
};

impl Controller {
    /// Takes every launch one step further.
    pub(super) async fn reconcile_launches(&self) -> Result<()> {
        let ledgers = self.tx().await?.ledger_driven_launching().await?;
        for ledger in &ledgers {
            if let Err(error) = self.reconcile_launch(ledger).await {
                log_failure("launch", &error);
            }
        }
        Ok(())
    }

    async fn reconcile_launch(&self, ledger: &DrivenLedger) -> Result<()> {
        let nodes = self.tx().await?.node_driven_of_ledger(ledger.id, self.now()).await?;
        match (&ledger.charter, &ledger.genesis) {
            (_, Some(_)) => self.await_first_block(ledger, &nodes).await,
            (None, None) => self.compose(ledger, &nodes).await,
            (Some(charter), None) => {
                let charter = serde_json::from_value(charter.clone()).map_err(Error::internal)?;
                self.publish(ledger, charter, &nodes).await
            }
        }
    }

    /// Composes the charter once every node has enrolled. What was signed before is forgotten.
    async fn compose(&self, ledger: &DrivenLedger, nodes: &[DrivenNode]) -> Result<()> {
        // The operation ends with the reason before anybody is asked to sign.
        if nodes.iter().any(|node| node.identity.is_none()) || unreached_of(nodes).is_some() {
            return Ok(());
        }
        let authority = external_write!(LaunchAuthority, self.vault.authority(ledger.id).await)?;
        let mut tx = self.tx().await?;
        let members = tx.member_driven(ledger.consortium).await?;
        let (percentage, comparator) = tx.consortium_threshold(ledger.consortium).await?;
        let threshold = threshold(members.len(), percentage, comparator);
        let composed = charter(ledger, &members, threshold, authority.certificate);
        let composed = composed.map_err(|why| Error::internal(format!("{why:?}")))?;
        let document = serde_json::to_value(&composed).map_err(Error::internal)?;
        tx.approval_clear(ledger.id).await?;
        tx.ledger_set_charter(ledger, Some(&document), self.now()).await?;
        external_write!(LaunchCharter, tx.commit().await)?;
        tracing::info!(ledger.id = %ledger.id, "the charter waits for its members' signatures");
        Ok(())
    }

    /// Publishes the genesis once every member has signed.
    async fn publish(
        &self,
        ledger: &DrivenLedger,
        charter: Charter,
        nodes: &[DrivenNode],
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.tx().await?;
        let members = tx.member_driven(ledger.consortium).await?;
        let approvals = tx.approval_list(ledger.id).await?;
        let now_ms = u64::try_from(now.unix_micros() / 1_000).map_err(Error::internal)?;
        let genesis = match genesis(charter, &members, nodes, &approvals, now_ms) {
            Ok(genesis) => genesis,
            Err(NotYet::Signature(_) | NotYet::Enrolment(_)) => return Ok(()),
            Err(why @ (NotYet::Invalid(_) | NotYet::Policy)) => {
                return Err(Error::internal(format!("no genesis can be composed: {why:?}")));
            }
        };
        let document = serde_json::to_value(&genesis).map_err(Error::internal)?;
        tx.ledger_publish(ledger, &document, now).await?;
        external_write!(LaunchGenesis, tx.commit().await)?;
        tracing::info!(ledger.id = %ledger.id, "the genesis is published");
        Ok(())
    }

    /// The ledger runs once as many nodes as certify have executed block 1.
    async fn await_first_block(&self, ledger: &DrivenLedger, nodes: &[DrivenNode]) -> Result<()> {
        let policy = match ledger.policy {
            hansa_types::ConsensusPolicy::Bft => Policy::Bft,
            hansa_types::ConsensusPolicy::Cft => Policy::Cft,
            hansa_types::ConsensusPolicy::Adaptive => return Ok(()),
        };
        let agree = nodes
            .iter()
            .filter(|node| node.observation.as_ref().is_some_and(|heard| heard.root_height >= 1));
        // Nodes may have been deleted meanwhile; who decides is in the genesis.
        let Some(validators) = validators(ledger).filter(|count| *count > 0) else {
            return Err(Error::internal("a genesis without validators"));
        };
        let quorum = Quorum::new(policy, validators);
        if agree.count() < usize::from(quorum.certify) {
            return Ok(());
        }
        let now = self.now();
        let mut tx = self.tx().await?;
        tx.ledger_enter(ledger, LedgerPhase::Running, None, now).await?;
        external_write!(LaunchRunning, tx.commit().await)?;
        tracing::info!(ledger.id = %ledger.id, "the ledger runs");
        Ok(())
    }
}

/// The first node that its peers in other places would not find.
pub(super) fn unreached_of(nodes: &[DrivenNode]) -> Option<&DrivenNode> {
    let places: Vec<_> = nodes
        .iter()
        .map(|node| Place {
            cluster: node.cluster,
            p2p_address: node.record.p2p_address.as_deref(),
        })
        .collect();
    unreached(&places).and_then(|place| nodes.get(place))
}

/// How many validators the published genesis has.
fn validators(ledger: &DrivenLedger) -> Option<u16> {
    let listed = ledger.genesis.as_ref()?.get("validators")?.as_array()?;
    u16::try_from(listed.len()).ok()
}
