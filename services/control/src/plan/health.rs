//! How nodes and ledgers do, from what was last heard of them.
//!
//! An observation is as old as its time says: nothing is called healthy on the word of a node that
//! has not been heard of lately, or that was asked again and did not answer.

use hansa_core::{Timestamp, limits};
use hansa_types::{
    ConsensusPolicy, HealthReason, LedgerHealth, LedgerState, Node, NodeHealth, NodeObservation,
    RunState,
};
use ledger_types::{Policy, Quorum};

/// How a node stands to the others of its ledger, whose genesis is published.
#[must_use]
pub fn node_health(node: &Node, all: &[Node], now: Timestamp) -> NodeHealth {
    if node.desired != RunState::Running {
        return NodeHealth::Stopped;
    }
    let Some(own) = heard_lately(node, now) else { return NodeHealth::Unreachable };
    let others = || {
        all.iter()
            .filter(move |other| other.id != node.id)
            .filter_map(move |other| heard_lately(other, now))
    };
    // Roots are compared at equal heights only: different heights have different roots.
    let same = others().filter(|other| other.root_height == own.root_height).count();
    let equal = others()
        .filter(|other| other.root_height == own.root_height && other.root == own.root)
        .count();
    if equal * 2 < same {
        NodeHealth::Diverged
    } else if !own.may_vote {
        NodeHealth::NotVoting
    } else if !own.quorum_reachable {
        NodeHealth::Isolated
    } else if others().any(|other| was_ahead(other, own)) {
        NodeHealth::CatchingUp
    } else {
        NodeHealth::Agreeing
    }
}

/// What was heard, unless it is too old to say anything about now.
fn heard_lately(node: &Node, now: Timestamp) -> Option<&NodeObservation> {
    let heard = node.observation.as_ref().filter(|_| node.desired == RunState::Running)?;
    (heard.silent_at.is_none() && is_recent(heard.at, now)).then_some(heard)
}

/// Whether it was asked lately, and did not answer.
fn silent_lately(node: &Node, now: Timestamp) -> bool {
    let silent_at = node.observation.as_ref().and_then(|heard| heard.silent_at);
    silent_at.is_some_and(|at| is_recent(at, now))
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    // A clock that was set back makes an observation young, not old.
    now.since(at).unwrap_or_default() <= limits::OBSERVATION_TIME_MAX
}

/// Whether `other` was further already when it was asked before `own` was: nodes are asked one
/// after the other, and a later answer of a busy ledger is always higher.
fn was_ahead(other: &NodeObservation, own: &NodeObservation) -> bool {
    other.at <= own.at && other.height > own.height + limits::HEIGHTS_BEHIND_TOLERATED
}

/// How a ledger does whose genesis has `validators`; `nodes` are those that are still there.
#[must_use]
pub fn ledger_health(
    policy: ConsensusPolicy,
    validators: u32,
    nodes: &[Node],
    now: Timestamp,
) -> LedgerHealth {
    let each: Vec<(&Node, NodeHealth)> =
        nodes.iter().map(|node| (node, node_health(node, nodes, now))).collect();
    let of = |wanted: NodeHealth| {
        let found = each.iter().filter(move |(_, health)| *health == wanted);
        found.map(|(node, _)| node.name.as_str()).collect::<Vec<_>>()
    };
    let participating = of(NodeHealth::Agreeing).len() + of(NodeHealth::CatchingUp).len();
    let participating = u32::try_from(participating).unwrap_or(u32::MAX);
    let needed = needed(policy, validators);
    let heard = || nodes.iter().filter_map(move |node| heard_lately(node, now));
    let missing = [
        (HealthReason::NodesDiverged, of(NodeHealth::Diverged), "has another state root"),
        (HealthReason::NodesUnreachable, of(NodeHealth::Unreachable), "does not answer"),
        (HealthReason::NodesNotVoting, of(NodeHealth::NotVoting), "does not vote"),
        (HealthReason::NodesIsolated, of(NodeHealth::Isolated), "reaches too few others"),
        (HealthReason::NodesStopped, of(NodeHealth::Stopped), "is stopped"),
    ];
    let gravest = missing.iter().find(|(_, names, _)| !names.is_empty()).map(|(why, ..)| *why);
    let is_unknown = |(node, health): &(&Node, NodeHealth)| {
        *health == NodeHealth::Unreachable && !silent_lately(node, now)
    };
    let (state, reason) = if heard().next().is_none() && each.iter().any(is_unknown) {
        (LedgerState::Unknown, Some(HealthReason::NotObserved))
    } else if participating < needed {
        (LedgerState::Halted, gravest.or(Some(HealthReason::NodesStopped)))
    } else if participating < validators {
        (LedgerState::Degraded, gravest.or(Some(HealthReason::NodesStopped)))
    } else {
        (LedgerState::Agreeing, None)
    };
    let mut detail =
        format!("{participating} of {validators} nodes take part, {needed} are needed");
    for (_, names, what) in missing.iter().filter(|(_, names, _)| !names.is_empty()) {
        detail += &format!("; {what}: {}", names.join(", "));
    }
    let height = heard().map(|heard| heard.height).max();
    LedgerHealth { state, reason, detail, nodes: validators, participating, needed, height }
}

/// Votes that decide a block.
pub(super) fn needed(policy: ConsensusPolicy, validators: u32) -> u32 {
    let policy = match policy {
        ConsensusPolicy::Cft => Policy::Cft,
        // The stricter of the two that `adaptive` moves between.
        ConsensusPolicy::Bft | ConsensusPolicy::Adaptive => Policy::Bft,
    };
    let validators = u16::try_from(validators).unwrap_or(u16::MAX).max(1);
    Quorum::new(policy, validators).certify.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    const NOW_MICROS: i64 = 1_800_000_000_000_000;

    fn ago(age: Duration) -> Timestamp {
        let age = i64::try_from(age.as_micros()).expect("a short time");
        Timestamp::from_unix_micros(NOW_MICROS - age).expect("a time")
    }

    fn now() -> Timestamp {
        ago(Duration::ZERO)
    }

    fn node(name: &str, height: u64, root: &str) -> Node {
        let id = hansa_core::NodeId::new();
        let mut node: Node = serde_json::from_value(json!({
            "id": id, "consortium_id": id, "ledger_id": id, "member_id": id, "tenant_id": id,
            "name": name, "desired": "running", "phase": "running",
            "generation": 1, "observed_generation": 1, "revision": 1, "created_at": now(),
        }))
        .expect("a node");
        node.observation = Some(NodeObservation {
            height,
            root: root.to_owned(),
            root_height: height,
            peers: 3,
            may_vote: true,
            quorum_reachable: true,
            at: ago(Duration::from_secs(1)),
            silent_at: None,
        });
        node
    }

    fn four() -> Vec<Node> {
        ["a1", "a2", "b1", "b2"].map(|name| node(name, 7, "x")).into()
    }

    fn silent(node: &mut Node) {
        let heard = node.observation.as_mut().expect("an observation");
        heard.at = ago(limits::OBSERVATION_TIME_MAX + Duration::from_secs(1));
    }

    fn health(nodes: &[Node]) -> LedgerHealth {
        ledger_health(ConsensusPolicy::Bft, 4, nodes, now())
    }

    /// A process that hangs still exists: only its silence tells, and it must not be called healthy
    /// on the word that it gave before.
    #[test]
    fn a_node_that_fell_silent_is_unreachable_and_the_others_are_not() {
        let mut nodes = four();
        assert_eq!(health(&nodes).state, LedgerState::Agreeing);
        silent(&mut nodes[3]);
        let each: Vec<_> = nodes.iter().map(|one| node_health(one, &nodes, now())).collect();
        use NodeHealth::{Agreeing, Unreachable};
        assert_eq!(each, [Agreeing, Agreeing, Agreeing, Unreachable]);
        let found = health(&nodes);
        assert_eq!(
            (found.state, found.reason, found.participating, found.needed),
            (LedgerState::Degraded, Some(HealthReason::NodesUnreachable), 3, 3)
        );
        assert!(found.detail.contains("does not answer: b2"), "name the node: {}", found.detail);
    }

    /// One question in vain is enough: what a node said before says nothing of now. A ledger whose nodes
    /// were all asked is known to be halted; one whose nodes nobody asks is unknown.
    #[test]
    fn a_node_that_does_not_answer_counts_no_more_at_once() {
        let mut nodes = four();
        let asked_in_vain = |node: &mut Node, age: u64| {
            let heard = node.observation.as_mut().expect("an observation");
            heard.silent_at = Some(ago(Duration::from_secs(age)));
        };
        asked_in_vain(&mut nodes[2], 0);
        asked_in_vain(&mut nodes[3], 0);
        let halted = (LedgerState::Halted, Some(HealthReason::NodesUnreachable));
        let found = health(&nodes);
        assert_eq!((found.state, found.reason), halted);
        assert_eq!(found.participating, 2);
        nodes.iter_mut().for_each(|node| asked_in_vain(node, 0));
        let found = health(&nodes);
        assert_eq!((found.state, found.reason), halted, "all of them are known to be silent");
        let long_ago = limits::OBSERVATION_TIME_MAX.as_secs() + 1;
        nodes.iter_mut().for_each(|node| asked_in_vain(node, long_ago));
        assert_eq!(health(&nodes).state, LedgerState::Unknown, "nobody asks any more");
    }

    /// Two of four missing is a halt, whatever the reason; its reason is the gravest one.
    #[test]
    fn a_ledger_without_a_quorum_is_halted_with_a_reason() {
        let mut nodes = four();
        silent(&mut nodes[3]);
        nodes[2].desired = RunState::Stopped;
        let found = health(&nodes);
        assert_eq!(found.state, LedgerState::Halted);
        assert_eq!(found.reason, Some(HealthReason::NodesUnreachable));
        let found = health(&four()[..2]);
        assert_eq!(found.state, LedgerState::Halted, "nodes that were ended are validators still");
        assert_eq!(found.reason, Some(HealthReason::NodesStopped));
        nodes.iter_mut().for_each(silent);
        let found = health(&nodes);
        assert_eq!(found.state, LedgerState::Unknown, "nobody was heard: nothing is known");
    }

    /// Connections that are gone are a halt even while every node answers us.
    #[test]
    fn nodes_that_do_not_reach_one_another_do_not_take_part() {
        let mut nodes = four();
        for node in &mut nodes {
            node.observation.as_mut().expect("an observation").quorum_reachable = false;
        }
        let found = health(&nodes);
        assert_eq!(
            (found.state, found.reason),
            (LedgerState::Halted, Some(HealthReason::NodesIsolated))
        );
    }

    /// Nodes are asked one after the other: a block in between must not look like a fork or a lag.
    #[test]
    fn only_what_can_be_compared_is_compared() {
        let mut nodes = four();
        nodes[0] = node("a1", 90, "y");
        nodes[0].observation.as_mut().expect("an observation").at = now();
        assert_eq!(node_health(&nodes[1], &nodes, now()), NodeHealth::Agreeing, "asked earlier");
        nodes[0].observation.as_mut().expect("an observation").at = ago(Duration::from_secs(2));
        assert_eq!(node_health(&nodes[1], &nodes, now()), NodeHealth::CatchingUp);
        assert_eq!(node_health(&nodes[0], &nodes, now()), NodeHealth::Agreeing);
        nodes[0] = node("a1", 7, "y");
        assert_eq!(node_health(&nodes[0], &nodes, now()), NodeHealth::Diverged);
        assert_eq!(node_health(&nodes[1], &nodes, now()), NodeHealth::Agreeing);
    }
}
