//! How far an operation has come, from what is seen of its object.
//!
//! Reconcilers drive objects towards what should be; nothing drives an operation. It only tells
//! whoever asked how far that has come, and when to give up waiting.

use hansa_core::{Timestamp, limits};
use hansa_types::{NodePhase, OperationKind, OperationReason, OperationStep, StepState};

/// What is seen of an operation's object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facts {
    /// A node.
    Node {
        /// What it is doing.
        phase: NodePhase,
        /// Why it failed.
        reason: Option<OperationReason>,
        /// What should be has come true.
        settled: bool,
        /// It has brought its keys.
        enrolled: bool,
        /// It has a genesis, so that it can be asked how it does.
        in_ledger: bool,
        /// When it last answered; nothing for one that has not answered since.
        heard_at: Option<Timestamp>,
    },
    /// A ledger that is being launched.
    Launch {
        /// All founding nodes have enrolled and the charter is composed.
        composed: bool,
        /// All members have signed and the genesis is published.
        published: bool,
        /// The nodes have it.
        started: bool,
        /// They agree on a first block.
        running: bool,
        /// Why a node failed.
        node_failure: Option<OperationReason>,
    },
    /// A ledger or a consortium that is being ended.
    Ending {
        /// No node is meant to run.
        nodes_ended: bool,
        /// No node is left.
        nodes_gone: bool,
        /// It is over.
        deleted: bool,
    },
    /// The object is no more.
    Gone,
}

/// What to write about an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its steps.
    pub steps: Vec<OperationStep>,
    /// When it fails by itself.
    pub deadline_at: Timestamp,
    /// How it ended, if it did.
    pub end: Option<Result<(), OperationReason>>,
}

/// Looks how far an operation has come.
#[must_use]
pub fn progress(
    kind: OperationKind,
    before: &[OperationStep],
    deadline_at: Timestamp,
    cancel_requested: bool,
    facts: Facts,
    now: Timestamp,
) -> Progress {
    let done = done(kind, before, facts);
    let was_at = before.iter().take_while(|step| step.state == StepState::Succeeded).count();
    let mut steps = before.to_vec();
    for (place, step) in steps.iter_mut().enumerate() {
        if place < done && step.state != StepState::Succeeded {
            step.state = StepState::Succeeded;
            step.started_at.get_or_insert(now);
            step.finished_at = Some(now);
        } else if place == done && step.state == StepState::Pending {
            step.state = StepState::Running;
            step.started_at = Some(now);
        }
    }
    // Each step of a launch has its own time: people sign in days, machines start in minutes.
    let deadline_at = match steps.get(done) {
        Some(step) if kind == OperationKind::LedgerLaunch && done > was_at => {
            now + launch_step_time(&step.name)
        }
        Some(_) | None => deadline_at,
    };
    let end = if done >= steps.len() {
        Some(Ok(()))
    } else if let Some(reason) = failure(kind, facts) {
        Some(Err(reason))
    } else if cancel_requested && can_cancel(facts) {
        Some(Err(OperationReason::Cancelled))
    } else if now >= deadline_at {
        Some(Err(late(kind, done, facts)))
    } else {
        None
    };
    if let (Some(Err(_)), Some(step)) = (end, steps.get_mut(done)) {
        step.state = StepState::Failed;
        step.finished_at = Some(now);
    }
    Progress { steps, deadline_at, end }
}

fn launch_step_time(step: &str) -> std::time::Duration {
    if step == "collect_signatures" {
        limits::LAUNCH_SIGNATURES_TIME_MAX
    } else {
        limits::LAUNCH_STEP_TIME_MAX
    }
}

/// How many steps are done.
fn done(kind: OperationKind, before: &[OperationStep], facts: Facts) -> usize {
    let all = kind.steps().len();
    let first = |conditions: &[bool]| conditions.iter().take_while(|holds| **holds).count();
    match facts {
        Facts::Gone => match kind {
            OperationKind::NodeDelete
            | OperationKind::LedgerDelete
            | OperationKind::ConsortiumDelete => all,
            OperationKind::NodeCreate
            | OperationKind::NodeStart
            | OperationKind::NodeStop
            | OperationKind::NodeRestart
            | OperationKind::NodeResize
            | OperationKind::LedgerLaunch => 0,
        },
        Facts::Launch { composed, published, started, running, node_failure: _ } => {
            // A ledger that agrees has started, whatever became of a single node meanwhile.
            first(&[composed, published, published && (started || running), running])
        }
        Facts::Ending { nodes_ended, nodes_gone, deleted } => {
            first(&[nodes_ended, nodes_gone, deleted])
        }
        Facts::Node { phase, settled, enrolled, reason: _, in_ledger, heard_at } => match kind {
            OperationKind::NodeCreate => {
                first(&[!matches!(phase, NodePhase::Pending), enrolled && settled])
            }
            OperationKind::NodeStop => first(&[settled]),
            // A process that runs may end at once: a node that answers has come up.
            OperationKind::NodeStart => {
                let since = before.first().and_then(|start| start.started_at);
                first(&[settled && has_answered(in_ledger, heard_at, since)])
            }
            OperationKind::NodeRestart => {
                let since = before.first().and_then(|stop| stop.finished_at);
                first(&[settled, has_answered(in_ledger, heard_at, since)])
            }
            // One that is stopped takes its size up when it starts.
            OperationKind::NodeResize => {
                let since = before.first().and_then(|resize| resize.started_at);
                let is_up = phase == NodePhase::Stopped || has_answered(in_ledger, heard_at, since);
                first(&[settled && is_up])
            }
            OperationKind::NodeDelete => {
                first(&[phase == NodePhase::Deleting, phase == NodePhase::Deleted])
            }
            OperationKind::LedgerLaunch
            | OperationKind::LedgerDelete
            | OperationKind::ConsortiumDelete => 0,
        },
    }
}

/// Whether a node has answered since then; one without a ledger is not asked.
fn has_answered(in_ledger: bool, heard_at: Option<Timestamp>, since: Option<Timestamp>) -> bool {
    !in_ledger || heard_at.zip(since).is_some_and(|(heard_at, since)| heard_at > since)
}

fn failure(kind: OperationKind, facts: Facts) -> Option<OperationReason> {
    match facts {
        // What is to end may have failed before.
        Facts::Node { .. }
            if matches!(kind, OperationKind::NodeStop | OperationKind::NodeDelete) =>
        {
            None
        }
        Facts::Node { phase: NodePhase::Failed, reason, .. } => {
            Some(reason.unwrap_or(OperationReason::Internal))
        }
        Facts::Launch { published: false, node_failure, .. } => node_failure,
        Facts::Gone => Some(OperationReason::Cancelled),
        Facts::Node { .. } | Facts::Launch { .. } | Facts::Ending { .. } => None,
    }
}

/// Once a genesis is published its nodes begin: there is nothing left to cancel.
const fn can_cancel(facts: Facts) -> bool {
    match facts {
        Facts::Launch { published, .. } => !published,
        Facts::Node { .. } | Facts::Ending { .. } | Facts::Gone => true,
    }
}

fn late(kind: OperationKind, step: usize, facts: Facts) -> OperationReason {
    if let Facts::Node { reason: Some(OperationReason::QuorumMargin), .. } = facts {
        return OperationReason::QuorumMargin;
    }
    match (kind, kind.steps().get(step).copied()) {
        (OperationKind::LedgerLaunch, Some("collect_signatures")) => {
            OperationReason::SignatureMissing
        }
        (OperationKind::LedgerLaunch, Some("first_block")) => OperationReason::NoAgreement,
        _ => OperationReason::DeadlineExceeded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(kind: OperationKind) -> Vec<OperationStep> {
        let step = |name: &&str| OperationStep {
            name: (*name).to_owned(),
            state: StepState::Pending,
            started_at: None,
            finished_at: None,
        };
        kind.steps().iter().map(step).collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).expect("a time of this century")
    }

    fn launch(composed: bool, published: bool, started: bool, running: bool) -> Facts {
        Facts::Launch { composed, published, started, running, node_failure: None }
    }

    /// A launch waits days for people and minutes for machines, and says which it waited for.
    #[test]
    fn a_launch_gives_each_step_its_own_time() {
        let kind = OperationKind::LedgerLaunch;
        let look = |steps: &[_], deadline, facts, now| {
            progress(kind, steps, deadline, false, facts, at(now))
        };
        let first = look(&fresh(kind), at(600), launch(false, false, false, false), 0);
        assert_eq!(first.steps[0].state, StepState::Running);
        let signing = look(&first.steps, at(600), launch(true, false, false, false), 10);
        assert_eq!(signing.deadline_at, at(10) + limits::LAUNCH_SIGNATURES_TIME_MAX);
        let late = look(&signing.steps, signing.deadline_at, launch(true, false, false, false), 10)
            .deadline_at;
        assert_eq!(late, signing.deadline_at, "looking again must not give more time");
        let expired = progress(
            kind,
            &signing.steps,
            signing.deadline_at,
            false,
            launch(true, false, false, false),
            signing.deadline_at,
        );
        assert_eq!(expired.end, Some(Err(OperationReason::SignatureMissing)));
        assert_eq!(expired.steps[1].state, StepState::Failed);
        let started =
            look(&signing.steps, signing.deadline_at, launch(true, true, true, false), 20);
        assert_eq!(started.deadline_at, at(20) + limits::LAUNCH_STEP_TIME_MAX);
        let done = look(&started.steps, started.deadline_at, launch(true, true, true, true), 30);
        assert_eq!(done.end, Some(Ok(())));
        assert!(done.steps.iter().all(|step| step.state == StepState::Succeeded));
    }

    /// A genesis that is out cannot be called back.
    #[test]
    fn a_launch_cannot_be_cancelled_once_its_genesis_is_published() {
        let kind = OperationKind::LedgerLaunch;
        let cancel = |facts| progress(kind, &fresh(kind), at(600), true, facts, at(0)).end;
        let cancelled = Some(Err(OperationReason::Cancelled));
        assert_eq!(cancel(launch(true, false, false, false)), cancelled);
        assert_eq!(cancel(launch(true, true, false, false)), None);
    }

    /// A restart that waited for its turn in vain says so: that it was too slow would help nobody.
    #[test]
    fn a_restart_that_never_had_its_turn_says_why() {
        let (kind, reason) = (OperationKind::NodeRestart, Some(OperationReason::QuorumMargin));
        let (phase, settled, enrolled) = (NodePhase::Running, false, true);
        let (in_ledger, heard_at) = (true, Some(at(1)));
        let facts = Facts::Node { phase, reason, settled, enrolled, in_ledger, heard_at };
        let look = |now| progress(kind, &fresh(kind), at(600), false, facts, at(now)).end;
        assert_eq!(look(599), None, "a wait is no failure");
        assert_eq!(look(600), Some(Err(OperationReason::QuorumMargin)));
    }

    /// A failed node ends the operation that waits for it, with the node's own reason.
    #[test]
    fn a_failed_node_ends_its_operation() {
        let kind = OperationKind::NodeCreate;
        let reason = Some(OperationReason::ProgramMissing);
        let phase = NodePhase::Failed;
        let (settled, enrolled) = (false, false);
        let (in_ledger, heard_at) = (true, None);
        let facts = Facts::Node { phase, reason, settled, enrolled, in_ledger, heard_at };
        let ended = progress(kind, &fresh(kind), at(600), false, facts, at(1));
        assert_eq!(ended.end, Some(Err(OperationReason::ProgramMissing)));
        assert_eq!(ended.steps[1].state, StepState::Failed);
        let stop = OperationKind::NodeStop;
        let stopping = progress(stop, &fresh(stop), at(600), false, facts, at(1));
        assert_eq!(stopping.end, None, "one that has failed can still be stopped");
    }

    /// A process that was started may end at once: only an answer shows that the node is back.
    #[test]
    fn a_node_has_come_up_when_it_answers() {
        let facts = |heard_at| Facts::Node {
            phase: NodePhase::Running,
            reason: None,
            settled: true,
            enrolled: true,
            in_ledger: true,
            heard_at,
        };
        for kind in [OperationKind::NodeStart, OperationKind::NodeRestart] {
            let look = |steps: &[_], heard_at, now| {
                progress(kind, steps, at(600), false, facts(heard_at), at(now))
            };
            let begun = look(&fresh(kind), Some(at(9)), 10);
            assert_eq!(begun.end, None, "{kind:?}: the answer is of before");
            assert_eq!(look(&begun.steps, Some(at(9)), 11).end, None, "{kind:?}: still of before");
            let silent = look(&begun.steps, None, 11);
            assert_eq!(silent.end, None, "{kind:?}: nobody answers");
            assert_eq!(look(&silent.steps, Some(at(12)), 12).end, Some(Ok(())), "{kind:?}");
        }
    }

    /// What should be gone and is gone is done; what should be there and is gone is over.
    #[test]
    fn an_object_that_is_gone_ends_its_operations() {
        let end = |kind| progress(kind, &fresh(kind), at(600), false, Facts::Gone, at(0)).end;
        assert_eq!(end(OperationKind::NodeDelete), Some(Ok(())));
        assert_eq!(end(OperationKind::NodeStart), Some(Err(OperationReason::Cancelled)));
    }
}
