//! A runtime in memory, for tests of what stands on the contract.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use hansa_core::{Clock, LedgerId, NodeId, Timestamp};

use crate::{
    Correction, Fault, Instance, LOG_LINES_MAX, Placement, Quorum, RetainedVolume, Runtime,
    RuntimeError, Trouble, Workload, WorkloadSpec, WorkloadState,
};

/// A runtime without processes: wishes come true at once.
#[derive(Debug)]
pub struct FakeRuntime {
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    workloads: BTreeMap<NodeId, (Workload, WorkloadSpec)>,
    retained: Vec<RetainedVolume>,
    next: u32,
    quorums: BTreeMap<LedgerId, Quorum>,
    refuses: Option<String>,
    unreachable: Option<String>,
    corrections: Vec<Correction>,
}

impl FakeRuntime {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, held: Mutex::default() }
    }

    /// Lets a workload end by itself: it is started again with the next number.
    ///
    /// # Panics
    /// When there is none.
    pub fn crash(&self, node: NodeId) {
        let mut held = self.held();
        held.next += 1;
        let next = held.next;
        let (workload, _) = held.workloads.get_mut(&node).expect("there is such a workload");
        workload.restarts += 1;
        workload.placement.instance = Some(Instance::Process(next));
        let detail = "ended with signal 9".to_owned();
        workload.trouble = Some(Trouble { fault: Fault::Crashed, detail });
    }

    /// Somebody changes something of a workload, and it is put right.
    pub fn correct(&self, node: NodeId, what: &str) {
        let correction = Correction { node, what: what.to_owned(), at: self.clock.now() };
        self.held().corrections.push(correction);
    }

    /// From now on every wish fails as [`RuntimeError::Transient`] with this text, or no more.
    pub fn refuse(&self, why: Option<&str>) {
        self.held().refuses = why.map(str::to_owned);
    }

    /// From now on every call fails as [`RuntimeError::Unreachable`] with this text, or no more.
    pub fn unreachable(&self, why: Option<&str>) {
        self.held().unreachable = why.map(str::to_owned);
    }

    /// What was last told of a ledger's quorum.
    #[must_use]
    pub fn quorum(&self, ledger: LedgerId) -> Option<Quorum> {
        self.held().quorums.get(&ledger).copied()
    }

    /// What was last wished for a node.
    #[must_use]
    pub fn wish(&self, node: NodeId) -> Option<WorkloadSpec> {
        self.held().workloads.get(&node).map(|(_, spec)| spec.clone())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder panics")
    }
}

impl Held {
    fn check(&self) -> Result<(), RuntimeError> {
        match (&self.unreachable, &self.refuses) {
            (Some(why), _) => Err(RuntimeError::Unreachable(why.clone())),
            (None, Some(why)) => Err(RuntimeError::Transient(why.clone())),
            (None, None) => Ok(()),
        }
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), RuntimeError> {
        let mut held = self.held();
        held.check()?;
        held.next += 1;
        let next = held.next;
        let before = held.workloads.get(&spec.node).map(|(workload, _)| workload.clone());
        if before.as_ref().is_some_and(|w| w.generation > spec.generation) {
            return Ok(());
        }
        let unchanged = before.as_ref().filter(|w| {
            w.generation == spec.generation && (w.state == WorkloadState::Running) == spec.run
        });
        let workload = match (unchanged, spec.run) {
            (Some(workload), _) => workload.clone(),
            (None, run) => Workload {
                node: spec.node,
                generation: spec.generation,
                state: if run { WorkloadState::Running } else { WorkloadState::Stopped },
                placement: Placement {
                    p2p_address: format!("{}:26656", spec.name),
                    http_address: format!("https://{}:8443", spec.name),
                    metrics_address: format!("http://{}:9100/metrics", spec.name),
                    volume: format!("volume-{}", spec.node),
                    instance: run.then_some(Instance::Process(next)),
                },
                outdated: false,
                restarts: 0,
                trouble: None,
            },
        };
        held.workloads.insert(spec.node, (workload, spec.clone()));
        Ok(())
    }

    fn corrections(&self) -> Vec<Correction> {
        std::mem::take(&mut self.held().corrections)
    }

    async fn observe(&self, node: NodeId) -> Result<Option<Workload>, RuntimeError> {
        let held = self.held();
        held.check()?;
        Ok(held.workloads.get(&node).map(|(workload, _)| workload.clone()))
    }

    async fn list(&self) -> Result<Vec<Workload>, RuntimeError> {
        let held = self.held();
        held.check()?;
        Ok(held.workloads.values().map(|(workload, _)| workload.clone()).collect())
    }

    async fn remove(&self, node: NodeId) -> Result<(), RuntimeError> {
        let since = self.clock.now();
        let mut held = self.held();
        held.check()?;
        if let Some((workload, _)) = held.workloads.remove(&node) {
            let volume = workload.placement.volume;
            held.retained.push(RetainedVolume { node, volume, since });
        }
        Ok(())
    }

    async fn keep(&self, quorum: &Quorum) -> Result<(), RuntimeError> {
        let mut held = self.held();
        held.check()?;
        held.quorums.insert(quorum.ledger, *quorum);
        Ok(())
    }

    async fn logs(&self, node: NodeId, lines: u16) -> Result<String, RuntimeError> {
        let held = self.held();
        held.check()?;
        let known = held.workloads.contains_key(&node);
        let log = if known { "the node starts\n" } else { "" };
        Ok(if lines.min(LOG_LINES_MAX) == 0 { String::new() } else { log.to_owned() })
    }

    async fn retained(&self) -> Result<Vec<RetainedVolume>, RuntimeError> {
        Ok(self.held().retained.clone())
    }

    async fn purge(&self, before: Timestamp) -> Result<u32, RuntimeError> {
        let mut held = self.held();
        let kept = held.retained.len();
        held.retained.retain(|volume| volume.since >= before);
        u32::try_from(kept - held.retained.len())
            .map_err(|_| RuntimeError::Unsupported("so many volumes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{self, Harness};
    use hansa_core::{ConsortiumId, SystemClock};

    /// What tests of the control plane rely on must behave as the drivers do.
    #[tokio::test]
    async fn the_fake_passes_the_suite_of_the_drivers() {
        let fake = Arc::new(FakeRuntime::new(Arc::new(SystemClock)));
        let crash = fake.clone();
        let harness = Harness {
            runtime: fake,
            crash: Box::new(move |workload| crash.crash(workload.node)),
            consortium: ConsortiumId::new(),
            enrolment_url: "http://127.0.0.1:9".to_owned(),
        };
        conformance::run(&harness).await;
    }
}
