//! What to do about one node, from what it should be and what is seen.

use hansa_core::Generation;
use hansa_runtime::{Fault, RuntimeError, Workload, WorkloadState};
use hansa_types::{NodePhase, OperationReason, RunState};

/// After so many restarts in a row a node counts as failed; it is still tried.
const RESTARTS_TOLERATED: u32 = 3;

/// What is known of a node.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What it should be doing.
    pub desired: RunState,
    /// What should be, counted.
    pub generation: Generation,
    /// What was last recorded.
    pub phase: NodePhase,
    /// It has brought its keys.
    pub enrolled: bool,
    /// It holds a token that it can still use.
    pub token_valid: bool,
    /// Its ledger's genesis is published.
    pub has_genesis: bool,
    /// Its ledger was found to do without it while this generation replaces the last.
    pub has_turn: bool,
    /// What its runtime says.
    pub workload: Option<&'a Workload>,
}

/// What to ask of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    None,
    /// Nothing, before its ledger can do without it.
    TakeTurn,
    /// To start it anew, as soon as its ledger can do without it: a newer image is there.
    Renew,
    /// To make it so.
    Apply {
        /// Whether it should run.
        run: bool,
        /// With a new enrolment token.
        mint: bool,
    },
    /// To end it and keep its volume.
    Remove,
}

/// What to do, and what to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For the runtime.
    pub act: Act,
    /// For the reader.
    pub phase: NodePhase,
    /// Why it failed, or what troubles it.
    pub reason: Option<OperationReason>,
    /// What should be has come true.
    pub settled: bool,
}

/// Decides.
#[must_use]
pub fn plan(facts: &Facts<'_>) -> Plan {
    let quiet = |act, phase, settled| Plan { act, phase, reason: None, settled };
    match (facts.desired, facts.workload) {
        (RunState::Deleted, None) => quiet(Act::None, NodePhase::Deleted, true),
        (RunState::Deleted, Some(workload)) => {
            Plan { reason: trouble(workload), ..quiet(Act::Remove, NodePhase::Deleting, false) }
        }
        (RunState::Stopped, None) => quiet(Act::None, NodePhase::Stopped, true),
        (RunState::Stopped, Some(workload)) => {
            let current = workload.generation >= facts.generation;
            let act = if current { Act::None } else { Act::Apply { run: false, mint: false } };
            let stopped = current && workload.state == WorkloadState::Stopped;
            let phase = if stopped { NodePhase::Stopped } else { facts.phase };
            Plan { reason: trouble(workload), ..quiet(act, phase, stopped) }
        }
        (RunState::Running, None) => {
            let act = Act::Apply { run: true, mint: !facts.enrolled };
            quiet(act, NodePhase::Provisioning, false)
        }
        (RunState::Running, Some(workload)) => running(facts, workload),
    }
}

fn running(facts: &Facts<'_>, workload: &Workload) -> Plan {
    let current = workload.generation >= facts.generation;
    let mint = !facts.enrolled && !facts.token_valid;
    // One that runs in its ledger is a vote, which its restart takes for a while.
    let votes = facts.has_genesis && workload.state == WorkloadState::Running;
    let act = if current && !mint {
        Act::None
    } else if !current && votes && !facts.has_turn {
        Act::TakeTurn
    } else {
        Act::Apply { run: true, mint }
    };
    if let Some(reason) = failure(workload).filter(|_| current) {
        return Plan { act, phase: NodePhase::Failed, reason: Some(reason), settled: false };
    }
    let up = current && workload.state == WorkloadState::Running;
    let phase = match (up, facts.enrolled, facts.has_genesis) {
        (true, true, true) => NodePhase::Running,
        (true, true, false) => NodePhase::Enrolled,
        (true, false, _) => NodePhase::Provisioning,
        // A short restart is no change of the phase that users see; a first start and a start after a stop
        // or a failure is.
        (false, _, _) => match facts.phase {
            NodePhase::Running | NodePhase::Enrolled => facts.phase,
            NodePhase::Pending
            | NodePhase::Provisioning
            | NodePhase::Stopped
            | NodePhase::Failed
            | NodePhase::Deleting
            | NodePhase::Deleted => NodePhase::Provisioning,
        },
    };
    let reason = trouble(workload).filter(|_| current);
    let settled = up && facts.enrolled;
    let act = if settled && act == Act::None && workload.outdated { Act::Renew } else { act };
    Plan { act, phase, reason, settled }
}

/// Why a workload counts as failed. A crash or two are mended without a word in the phase.
fn failure(workload: &Workload) -> Option<OperationReason> {
    let fault = workload.trouble.as_ref()?.fault;
    let fails = match fault {
        Fault::OutOfMemory | Fault::Unresponsive | Fault::Crashed => {
            workload.restarts >= RESTARTS_TOLERATED
        }
        // It runs meanwhile, in a volume that is not full yet; or ends as soon as it is let go.
        Fault::VolumeGrowing | Fault::DeletionHeld => false,
        Fault::ProgramMissing
        | Fault::PortsExhausted
        | Fault::DiskFull
        | Fault::ImageMissing
        | Fault::Unschedulable
        | Fault::QuotaExceeded
        | Fault::VolumePending
        | Fault::NamespaceTerminating
        | Fault::Forbidden
        | Fault::Rejected
        | Fault::Evicted => true,
    };
    fails.then_some(reason_of(fault))
}

/// What a workload that has not failed is troubled by: one that was started again says why.
fn trouble(workload: &Workload) -> Option<OperationReason> {
    workload.trouble.as_ref().map(|trouble| reason_of(trouble.fault))
}

const fn reason_of(fault: Fault) -> OperationReason {
    match fault {
        Fault::ProgramMissing => OperationReason::ProgramMissing,
        Fault::PortsExhausted => OperationReason::PortsExhausted,
        Fault::DiskFull => OperationReason::DiskFull,
        Fault::ImageMissing => OperationReason::ImageMissing,
        Fault::Unschedulable => OperationReason::Unschedulable,
        Fault::QuotaExceeded => OperationReason::QuotaExceeded,
        Fault::VolumePending => OperationReason::VolumePending,
        Fault::VolumeGrowing => OperationReason::VolumeGrowing,
        Fault::NamespaceTerminating => OperationReason::NamespaceTerminating,
        Fault::Forbidden => OperationReason::ClusterForbidden,
        Fault::Rejected => OperationReason::ClusterRejected,
        Fault::Evicted => OperationReason::Evicted,
        Fault::DeletionHeld => OperationReason::DeletionHeld,
        Fault::OutOfMemory => OperationReason::OutOfMemory,
        Fault::Unresponsive => OperationReason::Unresponsive,
        Fault::Crashed => OperationReason::NodeCrashed,
    }
}

/// What to record of a node whose place did not do what it was asked; nothing when the next look will
/// do it. What cannot be reached may come back, and what runs there goes on: the phase stays. What is
/// refused stays undone until somebody acts.
#[must_use]
pub fn refused(phase: NodePhase, error: &RuntimeError) -> Option<(NodePhase, OperationReason)> {
    let reason = match error {
        // Whoever was first, or slower.
        RuntimeError::Transient(_) => return None,
        RuntimeError::Unreachable(_) => return Some((phase, OperationReason::ClusterUnreachable)),
        // Another controller may run them; one that nobody has begun with is told of.
        RuntimeError::Unsupported(_) => {
            let is_new = phase == NodePhase::Pending;
            return is_new.then_some((phase, OperationReason::RuntimeMissing));
        }
        RuntimeError::Refused { fault, .. } => reason_of(*fault),
        RuntimeError::Conflict(_) => OperationReason::ClusterConflict,
        RuntimeError::Invalid(_) => OperationReason::ClusterRejected,
    };
    Some(match phase {
        NodePhase::Pending | NodePhase::Provisioning | NodePhase::Failed => {
            (NodePhase::Failed, reason)
        }
        NodePhase::Enrolled
        | NodePhase::Running
        | NodePhase::Stopped
        | NodePhase::Deleting
        | NodePhase::Deleted => (phase, reason),
    })
}

#[cfg(test)]
mod tests {
    use hansa_core::NodeId;
    use hansa_runtime::{Placement, Trouble};

    use super::*;

    fn workload(state: WorkloadState, generation: i64) -> Workload {
        Workload {
            node: NodeId::new(),
            generation: generation.into(),
            state,
            placement: Placement::default(),
            outdated: false,
            restarts: 0,
            trouble: None,
        }
    }

    fn facts(desired: RunState, workload: Option<&Workload>) -> Facts<'_> {
        Facts {
            desired,
            generation: 2.into(),
            phase: NodePhase::Pending,
            enrolled: false,
            token_valid: false,
            has_genesis: false,
            has_turn: false,
            workload,
        }
    }

    /// A node's life from nothing to its end: each line is what a reconciler meets next.
    #[test]
    fn a_node_goes_from_nothing_to_its_ledger_and_to_its_end() {
        use RunState::{Deleted, Running, Stopped};
        let apply = |run, mint| Act::Apply { run, mint };
        let (up, old) = (workload(WorkloadState::Running, 2), workload(WorkloadState::Running, 1));
        let down = workload(WorkloadState::Stopped, 2);
        let with_token = Facts { token_valid: true, ..facts(Running, Some(&up)) };
        let enrolled = Facts { enrolled: true, ..facts(Running, Some(&up)) };
        let in_ledger = Facts { has_genesis: true, ..enrolled };
        let restart = Facts { phase: NodePhase::Running, workload: Some(&old), ..in_ledger };
        let ended = workload(WorkloadState::BackingOff, 1);
        let cases = [
            (facts(Running, None), apply(true, true), NodePhase::Provisioning, false),
            (facts(Running, Some(&up)), apply(true, true), NodePhase::Provisioning, false),
            (with_token, Act::None, NodePhase::Provisioning, false),
            (enrolled, Act::None, NodePhase::Enrolled, true),
            (in_ledger, Act::None, NodePhase::Running, true),
            // A restart: the generation grew, the phase stays. A vote is given up in turn only.
            (restart, Act::TakeTurn, NodePhase::Running, false),
            (Facts { has_turn: true, ..restart }, apply(true, false), NodePhase::Running, false),
            (
                Facts { workload: Some(&ended), ..restart },
                apply(true, false),
                NodePhase::Running,
                false,
            ),
            (facts(Stopped, Some(&old)), apply(false, false), NodePhase::Pending, false),
            (facts(Stopped, Some(&down)), Act::None, NodePhase::Stopped, true),
            (facts(Stopped, None), Act::None, NodePhase::Stopped, true),
            (facts(Deleted, Some(&up)), Act::Remove, NodePhase::Deleting, false),
            (facts(Deleted, None), Act::None, NodePhase::Deleted, true),
        ];
        for (facts, act, phase, settled) in cases {
            let found = plan(&facts);
            assert_eq!((found.act, found.phase, found.settled), (act, phase, settled), "{facts:?}");
        }
    }

    /// One crash is mended, and told while it is news; a node that keeps ending has failed, and what
    /// cannot be mended by trying says so at once.
    #[test]
    fn a_node_that_keeps_ending_has_failed_with_a_reason() {
        let mut ill = workload(WorkloadState::BackingOff, 2);
        let crashed = Trouble { fault: Fault::Crashed, detail: "signal 9".to_owned() };
        ill.trouble = Some(crashed);
        ill.restarts = 1;
        let phase = NodePhase::Running;
        let before = Facts { phase, enrolled: true, ..facts(RunState::Running, Some(&ill)) };
        let once = plan(&before);
        assert_eq!((once.phase, once.reason), (phase, Some(OperationReason::NodeCrashed)));
        let mut worse = ill.clone();
        worse.restarts = RESTARTS_TOLERATED;
        let after = plan(&Facts { workload: Some(&worse), ..before });
        assert_eq!(after.phase, NodePhase::Failed);
        assert_eq!(after.reason, Some(OperationReason::NodeCrashed));
        let missing = Trouble { fault: Fault::ProgramMissing, detail: String::new() };
        let unable = Workload { trouble: Some(missing), ..ill.clone() };
        let after = plan(&Facts { workload: Some(&unable), ..before });
        assert_eq!(after.reason, Some(OperationReason::ProgramMissing));
    }

    /// A failure without a reason is refused by the database, and a running node must not be called
    /// failed because its cluster is away for a while.
    #[test]
    fn what_a_place_refuses_is_recorded_with_its_reason() {
        let transient = RuntimeError::Transient("a conflict".to_owned());
        let away = RuntimeError::Unreachable("no route".to_owned());
        let denied =
            RuntimeError::Refused { fault: Fault::Forbidden, detail: "secrets".to_owned() };
        let nobody = RuntimeError::Unsupported("processes");
        for phase in NodePhase::ALL.iter().copied() {
            assert_eq!(refused(phase, &transient), None, "the next look does it");
            let unreachable = Some((phase, OperationReason::ClusterUnreachable));
            assert_eq!(refused(phase, &away), unreachable);
        }
        let forbidden = OperationReason::ClusterForbidden;
        let failed = Some((NodePhase::Failed, forbidden));
        assert_eq!(refused(NodePhase::Pending, &denied), failed);
        assert_eq!(refused(NodePhase::Running, &denied), Some((NodePhase::Running, forbidden)));
        let missing = Some((NodePhase::Pending, OperationReason::RuntimeMissing));
        assert_eq!(refused(NodePhase::Pending, &nobody), missing);
        assert_eq!(refused(NodePhase::Running, &nobody), None, "another controller runs it");
    }

    /// A newer image reaches every node by itself, but only one that runs as it should: what is being
    /// changed takes it up on the way.
    #[test]
    fn a_node_of_an_older_image_is_renewed_once_it_is_settled() {
        let mut old = workload(WorkloadState::Running, 2);
        old.outdated = true;
        let settled =
            Facts { enrolled: true, has_genesis: true, ..facts(RunState::Running, Some(&old)) };
        assert_eq!(plan(&settled).act, Act::Renew);
        assert!(plan(&settled).settled, "what was wished for has come true");
        let enrolling = Facts { enrolled: false, token_valid: true, ..settled };
        assert_eq!(plan(&enrolling).act, Act::None);
        let restarting = Facts { generation: 3.into(), has_turn: true, ..settled };
        assert_eq!(plan(&restarting).act, Act::Apply { run: true, mint: false });
        let stopped = Facts { desired: RunState::Stopped, generation: 3.into(), ..settled };
        assert_eq!(plan(&stopped).act, Act::Apply { run: false, mint: false });
    }

    /// Whoever waits for a node's end learns what holds it; it has not failed, it goes on when it may.
    #[test]
    fn an_end_that_is_held_is_told() {
        let mut held = workload(WorkloadState::Stopping, 2);
        let detail = "Pod n/a1-0: finaliser example.com/audit".to_owned();
        held.trouble = Some(Trouble { fault: Fault::DeletionHeld, detail });
        for desired in [RunState::Deleted, RunState::Stopped, RunState::Running] {
            let facts = Facts { phase: NodePhase::Running, ..facts(desired, Some(&held)) };
            let plan = plan(&facts);
            assert_eq!(plan.reason, Some(OperationReason::DeletionHeld), "{desired:?}");
            assert_ne!(plan.phase, NodePhase::Failed, "{desired:?}");
        }
    }

    /// A volume that grows is no failure, and whoever asked for it is told what it waits for.
    #[test]
    fn a_growing_volume_is_told_of_a_node_that_runs() {
        let mut growing = workload(WorkloadState::Running, 1);
        growing.trouble =
            Some(Trouble { fault: Fault::VolumeGrowing, detail: "10 of 20".to_owned() });
        assert_eq!(failure(&growing), None);
        assert_eq!(trouble(&growing), Some(OperationReason::VolumeGrowing));
    }
}
