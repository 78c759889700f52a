//! What is on a ledger, relayed from a node of the caller's own member. Each relayed read is on the
//! member's audit trail: the operator of the platform passes it on and can see it.

use hansa_authz::{Action, OpContext};
use hansa_clients::Nodes;
use hansa_core::{Error, Kind, LedgerId, Refusal, Result, Rule, limits};
use hansa_types::{BlockDocument, BlockList, NodePhase, ReceiptDocument};
use serde_json::Value;

use crate::{
    act::{Act, act},
    control_plane::ControlPlane,
};

/// Where the caller's member can be asked.
struct Relay<'c> {
    nodes: &'c dyn Nodes,
    address: String,
    authority: String,
}

impl Relay<'_> {
    async fn read(&self, path: &str) -> Result<Option<Value>> {
        let found = self.nodes.read(&self.address, &self.authority, path).await?;
        found.map(|body| serde_json::from_slice(&body).map_err(Error::unavailable)).transpose()
    }
}

impl ControlPlane {
    /// Blocks below `before` (or the newest), newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::WrongPhase`] before the genesis,
    /// [`Error::Unavailable`] when no node of the own member answers.
    pub async fn block_list(
        &self,
        context: &OpContext,
        ledger: LedgerId,
        before: Option<u64>,
        size: u16,
    ) -> Result<BlockList> {
        if !(1..=limits::BLOCKS_RELAYED_MAX).contains(&size) {
            return Err(Error::invalid("page_size", Rule::Range, "must be 1 to 50"));
        }
        act!(self, context, "block_list", Some(ledger.uuid()), None, |act| {
            let relay = self.relay(context, &mut act, ledger).await?;
            let head = relay.nodes.status(&relay.address, &relay.authority).await?.height;
            let last = before.map_or(head, |before| before.saturating_sub(1).min(head));
            let first = last.saturating_sub(u64::from(size)).saturating_add(1).max(1);
            let mut items = Vec::new();
            for height in (first..=last).rev() {
                match relay.read(&format!("/v1/blocks/{height}")).await? {
                    Some(block) => items.push(BlockDocument(block)),
                    None => break,
                }
            }
            Ok(BlockList { items, next_before: (first > 1).then_some(first) })
        })
    }

    /// One block.
    ///
    /// # Errors
    /// As [`ControlPlane::block_list`].
    pub async fn block_get(
        &self,
        context: &OpContext,
        ledger: LedgerId,
        height: u64,
    ) -> Result<BlockDocument> {
        act!(self, context, "block_get", Some(ledger.uuid()), None, |act| {
            let relay = self.relay(context, &mut act, ledger).await?;
            let found = relay.read(&format!("/v1/blocks/{height}")).await?;
            found.map(BlockDocument).ok_or(Error::NotFound(Kind::Block))
        })
    }

    /// A transaction's receipt, once its result is certified.
    ///
    /// # Errors
    /// As [`ControlPlane::block_list`]; [`Error::Invalid`] for what is no id.
    pub async fn transaction_get(
        &self,
        context: &OpContext,
        ledger: LedgerId,
        transaction: &str,
    ) -> Result<ReceiptDocument> {
        if transaction.len() != 64 || !transaction.bytes().all(|b| b.is_ascii_hexdigit()) {
            let detail = "a transaction's id is 64 hexadecimal digits";
            return Err(Error::invalid("transaction_id", Rule::Format, detail));
        }
        act!(self, context, "transaction_get", Some(ledger.uuid()), None, |act| {
            let relay = self.relay(context, &mut act, ledger).await?;
            let found = relay.read(&format!("/v1/transactions/{transaction}/receipt")).await?;
            found.map(ReceiptDocument).ok_or(Error::NotFound(Kind::Transaction))
        })
    }

    async fn relay(
        &self,
        context: &OpContext,
        act: &mut Act,
        ledger: LedgerId,
    ) -> Result<Relay<'_>> {
        let (handle, found) = act.tx.ledger_find(ledger).await?;
        context.authorize(Action::Read, handle.subject())?;
        let phase = found.phase.as_str();
        let not_yet = || Error::from(Refusal::WrongPhase { kind: Kind::Ledger, phase });
        let genesis = act.tx.ledger_genesis(ledger).await?.ok_or_else(not_yet)?;
        let authority = genesis.pointer("/charter/ca_certificate").and_then(Value::as_str);
        let authority = authority.ok_or_else(|| Error::internal("a genesis without authority"))?;
        let nodes = self.nodes.as_deref();
        let nodes = nodes.ok_or_else(|| Error::unavailable("this process reaches no nodes"))?;
        let all = act.tx.node_list(ledger, hansa_core::PageRequest::whole()).await?;
        let own = all
            .items
            .into_iter()
            .find(|node| node.private.is_some() && node.phase == NodePhase::Running);
        let address = own.and_then(|node| node.http_address);
        let address =
            address.ok_or_else(|| Error::unavailable("no node of the own member runs"))?;
        Ok(Relay { nodes, address, authority: authority.to_owned() })
    }
}
