//! What every driver does alike. A driver's tests call [`run`] with a way to end a workload from
//! outside.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hansa_core::{ConsortiumId, Generation, LedgerId, NodeId, Secret, TenantId, Timestamp};

use crate::{Enrolment, Fault, Runtime, RuntimeError, Size, Workload, WorkloadSpec, WorkloadState};

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

/// What a driver answers. That somebody was faster, or that a loaded machine is late, is no answer: the
/// contract says to ask again.
///
/// # Panics
/// When it refuses, or does not answer in the end: `what` says what should have come true.
pub async fn answered<T>(what: &str, ask: impl AsyncFn() -> Result<T, RuntimeError>) -> T {
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

/// Looks until `holds`, and says what it waited for when that never comes.
///
/// # Panics
/// When it does not come, or the driver does not answer.
pub async fn until(
    runtime: &dyn Runtime,
    node: NodeId,
    what: &str,
    holds: impl Fn(&Workload) -> bool,
) -> Workload {
    let began = Instant::now();
    loop {
        let found = answered("the driver answers", async || runtime.observe(node).await).await;
        if let Some(workload) = found.clone().filter(&holds) {
            return workload;
        }
        assert!(began.elapsed() < DEADLINE, "never {what}; last seen: {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_gone(harness: &Harness, node: NodeId) {
    let began = Instant::now();
    while answered("the driver answers", async || harness.runtime.observe(node).await)
        .await
        .is_some()
    {
        assert!(began.elapsed() < DEADLINE, "a removed workload is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn runs(generation: Generation) -> impl Fn(&Workload) -> bool {
    move |w| w.state == WorkloadState::Running && w.generation == generation
}

async fn wishes_come_true_and_repeat_without_effect(harness: &Harness) {
    let spec = spec(harness.consortium, "one", &harness.enrolment_url);
    let found =
        answered("the driver answers", async || harness.runtime.observe(spec.node).await).await;
    assert_eq!(found, None, "a workload was there before anybody wished for it");
    answered("a wish is recorded", async || harness.runtime.apply(&spec).await).await;
    let first = until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await;
    assert!(first.placement.http_address.starts_with("https://"), "{first:?}");
    answered("a wish can be repeated", async || harness.runtime.apply(&spec).await).await;
    let second = until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await;
    assert_eq!(first.placement, second.placement, "the same wish moved or restarted the workload");
    let listed = answered("the driver answers", async || harness.runtime.list().await).await;
    assert!(listed.iter().any(|w| w.node == spec.node), "a workload is missing from the list");
    answered("a log can be read", async || harness.runtime.logs(spec.node, 10).await).await;
    answered("a removal is recorded", async || harness.runtime.remove(spec.node).await).await;
    until_gone(harness, spec.node).await;
}

async fn a_newer_generation_restarts_and_an_older_one_does_nothing(harness: &Harness) {
    let mut spec = spec(harness.consortium, "two", &harness.enrolment_url);
    answered("a wish is recorded", async || harness.runtime.apply(&spec).await).await;
    let first = until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await;
    let old = spec.clone();
    spec.generation = spec.generation.next();
    answered("a wish is recorded", async || harness.runtime.apply(&spec).await).await;
    let second = until(&*harness.runtime, spec.node, "restarted", runs(spec.generation)).await;
    assert_ne!(first.placement.instance, second.placement.instance, "it was not restarted");
    assert_eq!(
        first.placement.p2p_address, second.placement.p2p_address,
        "a restart must not move a node: its peers know its address"
    );
    answered("a late wish is no error", async || harness.runtime.apply(&old).await).await;
    let third = until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await;
    assert_eq!(second.placement, third.placement, "a late wish of an old generation took effect");
    answered("a removal is recorded", async || harness.runtime.remove(spec.node).await).await;
    until_gone(harness, spec.node).await;
}

async fn stopping_keeps_the_workload(harness: &Harness) {
    let mut spec = spec(harness.consortium, "three", &harness.enrolment_url);
    answered("a wish is recorded", async || harness.runtime.apply(&spec).await).await;
    let before = until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await;
    spec.generation = spec.generation.next();
    spec.run = false;
    answered("a wish is recorded", async || harness.runtime.apply(&spec).await).await;
    let stopped =
        until(&*harness.runtime, spec.node, "stopped", |w| w.state == WorkloadState::Stopped).await;
    assert_eq!(stopped.placement.instance, None, "a stopped workload has no process");
    assert_eq!(stopped.trouble, None, "stopping as wished is no trouble");
    spec.generation = spec.generation.next();
    spec.run = true;
    answered("a wish is recorded", async || harness.runtime.apply(&spec).await).await;
    let after = until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await;
    assert_eq!(before.placement.volume, after.placement.volume, "it came back without its volume");
    answered("a removal is recorded", async || harness.runtime.remove(spec.node).await).await;
    until_gone(harness, spec.node).await;
}

async fn a_crash_is_mended_and_told(harness: &Harness) {
    let spec = spec(harness.consortium, "four", &harness.enrolment_url);
    answered("a wish is recorded", async || harness.runtime.apply(&spec).await).await;
    let first = until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await;
    (harness.crash)(&first);
    let again = until(&*harness.runtime, spec.node, "running again after a crash", |w| {
        w.state == WorkloadState::Running && w.placement.instance != first.placement.instance
    })
    .await;
    assert_eq!(again.restarts, 1, "restarts are counted: {again:?}");
    let trouble = again.trouble.expect("what happened is told until it has run well for a while");
    assert_eq!(trouble.fault, Fault::Crashed);
    assert!(!trouble.detail.is_empty(), "trouble comes with its evidence");
    answered("a removal is recorded", async || harness.runtime.remove(spec.node).await).await;
    until_gone(harness, spec.node).await;
}

async fn removal_keeps_the_volume_until_it_is_purged(harness: &Harness) {
    let spec = spec(harness.consortium, "five", &harness.enrolment_url);
    answered("a wish is recorded", async || harness.runtime.apply(&spec).await).await;
    until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await;
    answered("a removal is recorded", async || harness.runtime.remove(spec.node).await).await;
    answered("a removal can be repeated", async || harness.runtime.remove(spec.node).await).await;
    until_gone(harness, spec.node).await;
    let of_node = |volumes: Vec<crate::RetainedVolume>| {
        volumes.into_iter().filter(|v| v.node == spec.node).collect::<Vec<_>>()
    };
    let retained =
        of_node(answered("the driver answers", async || harness.runtime.retained().await).await);
    assert_eq!(retained.len(), 1, "the volume of a removed workload is kept: {retained:?}");
    let early = Timestamp::from_unix_micros(0).expect("1970 is a time");
    assert_eq!(
        answered("purged", async || harness.runtime.purge(early).await).await,
        0,
        "purged too early"
    );
    let later = retained[0].since + Duration::from_secs(1);
    assert!(
        answered("purged", async || harness.runtime.purge(later).await).await >= 1,
        "nothing was purged"
    );
    let left =
        of_node(answered("the driver answers", async || harness.runtime.retained().await).await);
    assert!(left.is_empty(), "a purged volume is still there: {left:?}");
}

async fn workloads_do_not_share_addresses(harness: &Harness) {
    let specs = [
        spec(harness.consortium, "six", &harness.enrolment_url),
        spec(harness.consortium, "seven", &harness.enrolment_url),
    ];
    let mut seen = Vec::new();
    for spec in &specs {
        answered("a wish is recorded", async || harness.runtime.apply(spec).await).await;
    }
    for spec in &specs {
        let found =
            until(&*harness.runtime, spec.node, "running", runs(spec.generation)).await.placement;
        seen.extend([found.p2p_address, found.http_address, found.metrics_address, found.volume]);
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "two workloads share an address or a volume: {seen:?}");
    for spec in &specs {
        answered("a removal is recorded", async || harness.runtime.remove(spec.node).await).await;
        until_gone(harness, spec.node).await;
    }
}
