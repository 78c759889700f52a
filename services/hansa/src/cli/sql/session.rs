//! A ledger's nodes as the command line uses them: one is asked, and another when it is away.

use std::time::{Duration, Instant};

use hansa_core::{Clock as _, SystemClock};
use hansa_types::{Ledger, Node, NodeHealth, NodePhase};
use ledger_client::{
    NodeClient, NodeError, Signer,
    answer::{Progress, ReceiptState, Wait},
};
use ledger_types::{Digest, Genesis, NodeId, Outcome as Result_, Reason, Receipt, Transaction};

use crate::cli::{
    api::Api,
    failure::{Failure, Kind, Outcome},
    names::{self, Reference},
};

/// How long one answer to a submission may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// How long an outcome or a receipt may take, over all attempts.
const OUTCOME_TIME_MAX: Duration = Duration::from_secs(60);
/// Between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Between two attempts when a node is away or busy.
const REST: Duration = Duration::from_millis(500);

/// Somebody who signs, and the node of a ledger that is asked.
pub(super) struct Session {
    pub(super) signer: Signer,
    pub(super) genesis: Genesis,
    pub(super) node: NodeClient,
    /// Nodes that may be asked, the best first; more than one unless the caller has chosen.
    choice: Vec<Target>,
    /// Which of them is asked.
    at: usize,
}

/// A node and the key that the genesis endorses for it.
struct Target {
    name: String,
    address: String,
    endorsed: Digest,
}

pub(super) fn now_ms() -> u64 {
    u64::try_from(SystemClock.now().unix_micros() / 1_000).unwrap_or_default()
}

impl Session {
    /// Connects to a node of the ledger: `wanted`, or the first that answers, the own ones first.
    pub(super) async fn open(
        api: &Api,
        ledger: &Ledger,
        wanted: Option<&Reference>,
        key: ledger_types::SigningKey,
    ) -> Outcome<Self> {
        let genesis: Genesis = api.get(&format!("/v1/ledgers/{}/genesis", ledger.id)).await?;
        genesis.check().map_err(|error| Failure::failed(format!("the genesis: {error}")))?;
        let nodes = names::nodes(api, ledger).await?;
        let choice = match wanted {
            Some(wanted) => vec![target(names::node_of(&nodes, wanted)?, &genesis)?],
            None => ranked(&nodes)
                .into_iter()
                .map(|node| target(node, &genesis))
                .collect::<Outcome<_>>()?,
        };
        if choice.is_empty() {
            return Err(Failure::new(Kind::Service, "the ledger has no running node")
                .next("`hansa node list` shows them"));
        }
        let (node, at) = first_that_answers(&choice, 0, &genesis).await?;
        let signer = Signer::new(genesis.ledger(), key);
        Ok(Self { signer, genesis, node, choice, at })
    }

    /// Asks another node from now on, if there is a choice and one answers.
    async fn another(&mut self) {
        if self.choice.len() > 1
            && let Ok((node, at)) =
                first_that_answers(&self.choice, self.at + 1, &self.genesis).await
        {
            (self.node, self.at) = (node, at);
        }
    }

    /// The name of the node that is asked.
    fn name(&self) -> &str {
        &self.choice[self.at % self.choice.len()].name
    }

    /// Submits a transaction until it has its outcome, to another node when one is away: wherever
    /// it arrives, and however often, it has one effect.
    pub(super) async fn outcome(&mut self, transaction: &Transaction) -> Outcome<(u64, Result_)> {
        let began = Instant::now();
        let id = transaction.id();
        loop {
            let sent = std::slice::from_ref(transaction);
            let failure = match self.node.submit(sent, Wait::Executed, ANSWER_TIME_MAX).await {
                Ok(done) => match done.into_iter().next().map(|submitted| submitted.progress) {
                    // It had its effect in an earlier attempt: what it was, its receipt says.
                    Some(Progress::Executed {
                        outcome: Result_::Refused { reason: Reason::Duplicate, .. },
                        ..
                    }) => {
                        let receipt = self.receipt(id).await?;
                        return Ok((receipt.height, receipt.outcome));
                    }
                    Some(Progress::Executed { height, outcome }) => return Ok((height, outcome)),
                    Some(Progress::Accepted | Progress::Committed { .. }) | None => {
                        let text = format!(
                            "transaction {id} has no outcome yet at {}; it may still take effect",
                            self.name()
                        );
                        Failure::new(Kind::Timeout, text)
                            .next("`hansa ledger get` says whether enough nodes take part")
                    }
                },
                Err(error) if error.is_transient() => {
                    if matches!(error, NodeError::Unreachable { .. }) {
                        self.another().await;
                    }
                    error.into()
                }
                Err(error) => return Err(error.into()),
            };
            if began.elapsed() > OUTCOME_TIME_MAX {
                return Err(failure);
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// The proof of what became of a transaction, verified.
    pub(super) async fn receipt(&self, id: Digest) -> Outcome<Receipt> {
        let began = Instant::now();
        let receipt = loop {
            match self.node.receipt(id).await? {
                ReceiptState::Certified(receipt) => break receipt,
                ReceiptState::Unknown | ReceiptState::NotCertified
                    if began.elapsed() < OUTCOME_TIME_MAX =>
                {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                ReceiptState::Unknown | ReceiptState::NotCertified => {
                    return Err(Failure::new(
                        Kind::Timeout,
                        "the result was not certified in time",
                    )
                    .next("`hansa ledger get` says whether enough nodes take part"));
                }
            }
        };
        let verified = receipt.verify(&self.genesis);
        verified.map_err(|error| Failure::failed(format!("the receipt does not hold: {error}")))?;
        Ok(*receipt)
    }
}

/// Nodes that run: those that agree before others, and the own member's before others'.
fn ranked(nodes: &[Node]) -> Vec<&Node> {
    let running = |node: &&Node| node.phase == NodePhase::Running && node.http_address.is_some();
    let mut found: Vec<&Node> = nodes.iter().filter(running).collect();
    let likely = |node: &Node| match node.health {
        Some(NodeHealth::Agreeing) => 0,
        Some(NodeHealth::Unreachable) => 2,
        Some(_) | None => 1,
    };
    found.sort_by_key(|node| (likely(node), node.private.is_none(), node.name.clone()));
    found
}

fn target(node: &Node, genesis: &Genesis) -> Outcome<Target> {
    let missing = |what: &str| Failure::failed(format!("{what} node {}", node.name));
    let address = node.http_address.clone().ok_or_else(|| missing("there is no address of"))?;
    let id = NodeId(*node.id.uuid().as_bytes());
    let validator = genesis.validators.iter().find(|validator| validator.identity.node == id);
    let validator = validator.ok_or_else(|| missing("the genesis does not list"))?;
    Ok(Target { name: node.name.to_string(), address, endorsed: validator.identity.tls_key })
}

/// Tries all, beginning with `from`.
async fn first_that_answers(
    choice: &[Target],
    from: usize,
    genesis: &Genesis,
) -> Outcome<(NodeClient, usize)> {
    let ca = &genesis.charter.ca_certificate;
    let mut last = None;
    for at in (0..choice.len()).map(|n| (from + n) % choice.len()) {
        let Target { address, endorsed, .. } = &choice[at];
        match NodeClient::connect(address, ca, Some(*endorsed)).await {
            Ok(node) => return Ok((node, at)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| Failure::failed("the ledger has no node"), Failure::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, own: bool, health: &str) -> Node {
        let id = hansa_core::NodeId::new();
        let mut node = json!({
            "id": id, "consortium_id": id, "ledger_id": id, "member_id": id, "tenant_id": id,
            "name": name, "desired": "running", "phase": "running", "health": health,
            "http_address": "https://127.0.0.1:1", "generation": 1, "observed_generation": 1,
            "revision": 1, "created_at": "2026-01-01T00:00:00Z",
        });
        if own {
            node["private"] = json!({ "runtime": "process" });
        }
        serde_json::from_value(node).expect("a node")
    }

    /// A hung node takes connections and answers nothing: it must not be the first that is asked.
    #[test]
    fn a_node_that_agrees_is_asked_first_and_an_own_one_before_others() {
        let nodes = [
            node("b1", false, "agreeing"),
            node("a1", true, "unreachable"),
            node("a2", true, "agreeing"),
            node("b2", false, "isolated"),
        ];
        let names: Vec<&str> = ranked(&nodes).iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["a2", "b1", "b2", "a1"]);
    }
}
