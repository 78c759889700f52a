//! What every driver does alike. A driver's tests call [`run`] with a way to end a workload from
//! outside.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hansa_core::{ConsortiumId, Generation, LedgerId, NodeId, Secret, TenantId, Timestamp};

use crate::{
    Enrolment, Fault, Quorum, RetainedVolume, Runtime, RuntimeError, Size, Workload, WorkloadSpec,
    WorkloadState,
};

/// A driver under test.
#[expect(missing_debug_implementations, reason = "it holds a closure")]
pub struct Harness {
    /// The driver.
    pub runtime: Arc<dyn Runtime>,
    /// Ends a running workload as a crash would.
    pub crash: Box<dyn Fn(&Workload) + Send + Sync>,
    /// Whose workloads the suite makes.
    pub consortium: ConsortiumId,
    /// Where nobody answers: the nodes of the suite wait for their enrolment for ever.
    pub enrolment_url: String,
}

/// A deadline that a slow machine meets too: reaching it is a failure, not a measurement.
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs the whole suite, one case after the other.
///
/// # Panics
/// When the driver does not do as the contract says.
pub async fn run(harness: &Harness) {
    wishes_come_true_and_repeat_without_effect(harness).await;
    a_newer_generation_restarts_and_an_older_one_does_nothing(harness).await;
    stopping_keeps_the_workload(harness).await;
    a_crash_is_mended_and_told(harness).await;
    removal_keeps_the_volume_until_it_is_purged(harness).await;
    workloads_do_not_share_addresses(harness).await;
}

impl Harness {
    fn spec(&self, name: &str) -> WorkloadSpec {
        spec(self.consortium, name, &self.enrolment_url)
    }
}

/// A small workload of a consortium that is wished to run.
///
/// # Panics
/// When `name` is none.
#[must_use]
pub fn spec(consortium: ConsortiumId, name: &str, enrolment_url: &str) -> WorkloadSpec {
    WorkloadSpec {
        node: NodeId::new(),
        consortium,
        ledger: LedgerId::new(),
        tenant: TenantId::new(),
        name: name.parse().expect("a name"),
        generation: Generation::FIRST,
        run: true,
        size: Size { cpu_millis: 50, memory_mib: 128, volume_gib: 1 },
        enrolment: Enrolment {
            url: enrolment_url.to_owned(),
            token: Some(Secret::from("a token that nobody accepts".to_owned())),
        },
    }
}

/// Whoever uses a driver as the contract says: that somebody was faster, or that a loaded machine is late,
/// is no answer, and is asked again. Every call panics when it is refused, or not answered in the end.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a driver need not have one")]
pub struct Patient<'a>(pub &'a dyn Runtime);

async fn answered<T>(what: &str, ask: impl AsyncFn() -> Result<T, RuntimeError>) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(RuntimeError::Transient(_) | RuntimeError::Unreachable(_))
                if began.elapsed() < DEADLINE => {}
            Err(error) => panic!("{what}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[expect(missing_docs, clippy::missing_panics_doc, reason = "they are those of the contract")]
impl Patient<'_> {
    pub async fn apply(&self, spec: &WorkloadSpec) {
        answered("apply", async || self.0.apply(spec).await).await;
    }

    pub async fn observe(&self, node: NodeId) -> Option<Workload> {
        answered("observe", async || self.0.observe(node).await).await
    }

    pub async fn list(&self) -> Vec<Workload> {
        answered("list", async || self.0.list().await).await
    }

    pub async fn remove(&self, node: NodeId) {
        answered("remove", async || self.0.remove(node).await).await;
    }

    pub async fn keep(&self, quorum: &Quorum) {
        answered("keep", async || self.0.keep(quorum).await).await;
    }

    pub async fn logs(&self, node: NodeId, lines: u16) -> String {
        answered("logs", async || self.0.logs(node, lines).await).await
    }

    pub async fn retained(&self) -> Vec<RetainedVolume> {
        answered("retained", async || self.0.retained().await).await
    }

    pub async fn purge(&self, before: Timestamp) -> u32 {
        answered("purge", async || self.0.purge(before).await).await
    }

    /// Looks until `holds`, and says what it waited for when that never comes.
    pub async fn until(
        &self,
        node: NodeId,
        what: &str,
        holds: impl Fn(&Workload) -> bool,
    ) -> Workload {
        let began = Instant::now();
        loop {
            let found = self.observe(node).await;
            if let Some(workload) = found.clone().filter(&holds) {
                return workload;
            }
            assert!(began.elapsed() < DEADLINE, "never {what}; last seen: {found:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A list may be a moment older than an answer about one.
    async fn until_listed(&self, node: NodeId) {
        let began = Instant::now();
        while !self.list().await.iter().any(|workload| workload.node == node) {
            assert!(began.elapsed() < DEADLINE, "a workload is missing from the list");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_gone(&self, node: NodeId) {
        let began = Instant::now();
        while self.observe(node).await.is_some() {
            assert!(began.elapsed() < DEADLINE, "a removed workload is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn runs(generation: Generation) -> impl Fn(&Workload) -> bool {
    move |w| w.state == WorkloadState::Running && w.generation == generation
}

async fn wishes_come_true_and_repeat_without_effect(harness: &Harness) {
    let driver = Patient(&*harness.runtime);
    let spec = harness.spec("one");
    let found = driver.observe(spec.node).await;
    assert_eq!(found, None, "a workload was there before anybody wished for it");
    driver.apply(&spec).await;
    let first = driver.until(spec.node, "running", runs(spec.generation)).await;
    assert!(first.placement.http_address.starts_with("https://"), "{first:?}");
    driver.apply(&spec).await;
    let second = driver.until(spec.node, "running", runs(spec.generation)).await;
    assert_eq!(first.placement, second.placement, "the same wish moved or restarted the workload");
    driver.until_listed(spec.node).await;
    driver.logs(spec.node, 10).await;
    driver.remove(spec.node).await;
    driver.until_gone(spec.node).await;
}

async fn a_newer_generation_restarts_and_an_older_one_does_nothing(harness: &Harness) {
    let driver = Patient(&*harness.runtime);
    let mut spec = harness.spec("two");
    driver.apply(&spec).await;
    let first = driver.until(spec.node, "running", runs(spec.generation)).await;
    let old = spec.clone();
    spec.generation = spec.generation.next();
    driver.apply(&spec).await;
    let second = driver.until(spec.node, "restarted", runs(spec.generation)).await;
    assert_ne!(first.placement.instance, second.placement.instance, "it was not restarted");
    assert_eq!(
        first.placement.p2p_address, second.placement.p2p_address,
        "a restart must not move a node: its peers know its address"
    );
    driver.apply(&old).await;
    let third = driver.until(spec.node, "running", runs(spec.generation)).await;
    assert_eq!(second.placement, third.placement, "a late wish of an old generation took effect");
    driver.remove(spec.node).await;
    driver.until_gone(spec.node).await;
}

async fn stopping_keeps_the_workload(harness: &Harness) {
    let driver = Patient(&*harness.runtime);
    let mut spec = harness.spec("three");
    driver.apply(&spec).await;
    let before = driver.until(spec.node, "running", runs(spec.generation)).await;
    spec.generation = spec.generation.next();
    spec.run = false;
    driver.apply(&spec).await;
    let stopped = driver.until(spec.node, "stopped", |w| w.state == WorkloadState::Stopped).await;
    assert_eq!(stopped.placement.instance, None, "a stopped workload has no process");
    assert_eq!(stopped.trouble, None, "stopping as wished is no trouble");
    spec.generation = spec.generation.next();
    spec.run = true;
    driver.apply(&spec).await;
    let after = driver.until(spec.node, "running", runs(spec.generation)).await;
    assert_eq!(before.placement.volume, after.placement.volume, "it came back without its volume");
    driver.remove(spec.node).await;
    driver.until_gone(spec.node).await;
}

async fn a_crash_is_mended_and_told(harness: &Harness) {
    let driver = Patient(&*harness.runtime);
    let spec = harness.spec("four");
    driver.apply(&spec).await;
    let first = driver.until(spec.node, "running", runs(spec.generation)).await;
    (harness.crash)(&first);
    let again = driver
        .until(spec.node, "running again after a crash", |w| {
            w.state == WorkloadState::Running && w.placement.instance != first.placement.instance
        })
        .await;
    assert_eq!(again.restarts, 1, "restarts are counted: {again:?}");
    let trouble = again.trouble.expect("what happened is told until it has run well for a while");
    assert_eq!(trouble.fault, Fault::Crashed);
    assert!(!trouble.detail.is_empty(), "trouble comes with its evidence");
    driver.remove(spec.node).await;
    driver.until_gone(spec.node).await;
}

async fn removal_keeps_the_volume_until_it_is_purged(harness: &Harness) {
    let driver = Patient(&*harness.runtime);
    let spec = harness.spec("five");
    driver.apply(&spec).await;
    driver.until(spec.node, "running", runs(spec.generation)).await;
    driver.remove(spec.node).await;
    driver.remove(spec.node).await;
    driver.until_gone(spec.node).await;
    let of_node = |volumes: Vec<RetainedVolume>| {
        volumes.into_iter().filter(|v| v.node == spec.node).collect::<Vec<_>>()
    };
    let retained = of_node(driver.retained().await);
    assert_eq!(retained.len(), 1, "the volume of a removed workload is kept: {retained:?}");
    let early = Timestamp::from_unix_micros(0).expect("1970 is a time");
    assert_eq!(driver.purge(early).await, 0, "purged too early");
    let later = retained[0].since + Duration::from_secs(1);
    assert!(driver.purge(later).await >= 1, "nothing was purged");
    let left = of_node(driver.retained().await);
    assert!(left.is_empty(), "a purged volume is still there: {left:?}");
}

async fn workloads_do_not_share_addresses(harness: &Harness) {
    let driver = Patient(&*harness.runtime);
    let specs = [harness.spec("six"), harness.spec("seven")];
    let mut seen = Vec::new();
    for spec in &specs {
        driver.apply(spec).await;
    }
    for spec in &specs {
        let found = driver.until(spec.node, "running", runs(spec.generation)).await.placement;
        seen.extend([found.p2p_address, found.http_address, found.metrics_address, found.volume]);
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "two workloads share an address or a volume: {seen:?}");
    for spec in &specs {
        driver.remove(spec.node).await;
        driver.until_gone(spec.node).await;
    }
}
