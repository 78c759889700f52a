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
    /// What its runtime says.
    pub workload: Option<&'a Workload>,
}

/// What to ask of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    None,
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
    /// Why it failed.
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
        (RunState::Deleted, Some(_)) => quiet(Act::Remove, NodePhase::Deleting, false),
        (RunState::Stopped, None) => quiet(Act::None, NodePhase::Stopped, true),
        (RunState::Stopped, Some(workload)) => {
            let current = workload.generation >= facts.generation;
            let act = if current { Act::None } else { Act::Apply { run: false, mint: false } };
            let stopped = current && workload.state == WorkloadState::Stopped;
            quiet(act, if stopped { NodePhase::Stopped } else { facts.phase }, stopped)
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
    let act = if current && !mint { Act::None } else { Act::Apply { run: true, mint } };
    if let Some(reason) = failure(workload).filter(|_| current) {
        return Plan { act, phase: NodePhase::Failed, reason: Some(reason), settled: false };
    }
    let up = current && workload.state == WorkloadState::Running;
    let phase = match (up, facts.enrolled, facts.has_genesis) {
        (true, true, true) => NodePhase::Running,
        (true, true, false) => NodePhase::Enrolled,
        (true, false, _) => NodePhase::Provisioning,
        // A short restart is no change of what users see; a first start and a start after a stop
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
    Plan { act, phase, reason: None, settled: up && facts.enrolled }
}

/// Why a workload counts as failed. A crash or two are mended without a word in the phase.
fn failure(workload: &Workload) -> Option<OperationReason> {
    let trouble = workload.trouble.as_ref()?;
    let repeated = workload.restarts >= RESTARTS_TOLERATED;
    match trouble.fault {
        Fault::ProgramMissing => Some(OperationReason::ProgramMissing),
        Fault::PortsExhausted => Some(OperationReason::PortsExhausted),
        Fault::DiskFull => Some(OperationReason::DiskFull),
        Fault::ImageMissing => Some(OperationReason::ImageMissing),
        Fault::Unschedulable => Some(OperationReason::Unschedulable),
        Fault::QuotaExceeded => Some(OperationReason::QuotaExceeded),
        Fault::VolumePending => Some(OperationReason::VolumePending),
        Fault::NamespaceTerminating => Some(OperationReason::NamespaceTerminating),
        Fault::Forbidden => Some(OperationReason::ClusterForbidden),
        Fault::Rejected => Some(OperationReason::ClusterRejected),
        // It runs meanwhile, in a volume that is not full yet.
        Fault::VolumeGrowing => None,
        Fault::Evicted => Some(OperationReason::Evicted),
        Fault::Unreachable => Some(OperationReason::ClusterUnreachable),
        Fault::OutOfMemory => repeated.then_some(OperationReason::OutOfMemory),
        Fault::Unresponsive => repeated.then_some(OperationReason::Unresponsive),
        Fault::Crashed => repeated.then_some(OperationReason::NodeCrashed),
    }
}

/// What a node is when its place did not do what it was asked. What cannot be reached may come back,
/// and what runs there goes on: the phase stays. What is refused stays undone until somebody acts.
#[must_use]
pub fn refused(phase: NodePhase, error: &RuntimeError) -> (NodePhase, Option<OperationReason>) {
    let reason = match error {
        // Whoever was first, or slower: the next look goes on.
        RuntimeError::Transient(_) => return (phase, None),
        RuntimeError::Unreachable(_) => return (phase, Some(OperationReason::ClusterUnreachable)),
        RuntimeError::Refused { fault, .. } => match fault {
            Fault::NamespaceTerminating => OperationReason::NamespaceTerminating,
            Fault::QuotaExceeded => OperationReason::QuotaExceeded,
            Fault::Rejected => OperationReason::ClusterRejected,
            _ => OperationReason::ClusterForbidden,
        },
        RuntimeError::Conflict(_) => OperationReason::ClusterConflict,
        RuntimeError::Invalid(_) | RuntimeError::Unsupported(_) => OperationReason::ClusterRejected,
    };
    match phase {
        NodePhase::Pending | NodePhase::Provisioning | NodePhase::Failed => {
            (NodePhase::Failed, Some(reason))
        }
        NodePhase::Enrolled
        | NodePhase::Running
        | NodePhase::Stopped
        | NodePhase::Deleting
        | NodePhase::Deleted => (phase, Some(reason)),
    }
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
        let cases = [
            (facts(Running, None), apply(true, true), NodePhase::Provisioning, false),
            (facts(Running, Some(&up)), apply(true, true), NodePhase::Provisioning, false),
            (with_token, Act::None, NodePhase::Provisioning, false),
            (enrolled, Act::None, NodePhase::Enrolled, true),
            (in_ledger, Act::None, NodePhase::Running, true),
            // A restart: the generation grew, the phase stays.
            (
                Facts { phase: NodePhase::Running, workload: Some(&old), ..in_ledger },
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

    /// One crash is mended silently; a node that keeps ending says why, and what cannot be mended
    /// by trying says so at once.
    #[test]
    fn a_node_that_keeps_ending_has_failed_with_a_reason() {
        let mut ill = workload(WorkloadState::BackingOff, 2);
        let crashed = Trouble { fault: Fault::Crashed, detail: "signal 9".to_owned() };
        ill.trouble = Some(crashed);
        ill.restarts = 1;
        let phase = NodePhase::Running;
        let before = Facts { phase, enrolled: true, ..facts(RunState::Running, Some(&ill)) };
        assert_eq!(plan(&before).phase, NodePhase::Running);
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
}
