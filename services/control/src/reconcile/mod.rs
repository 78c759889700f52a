//! Reconcilers: they look at what should be and what is, again and again, and take the next step.
//!
//! None takes input and none remembers: after a crash at any point the next look goes on from what
//! the database and the runtime say. Several controllers may run at once; what they write is
//! guarded by revisions and leases.

mod cluster;
mod correction;
mod ending;
mod housekeeping;
mod launch;
mod log;
mod metrics;
mod node;
mod observe;
mod operation;
mod quorum;

use std::{
    fmt::Debug,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use hansa_authz::OpContext;
use hansa_clients::{Nodes, Vault};
use hansa_core::{Clock, Error, Mac, RequestId, Result, Secret, Timestamp, Uuid, limits};
use hansa_store::{Store, SystemTx};
use prometheus::Registry;
use tokio::sync::watch;

use crate::fleet::Fleet;
use metrics::Metrics;
use node::Rest;
pub use operation::HeldOperations;

/// What a controller is made of.
#[derive(Debug)]
pub struct ControllerConfig {
    /// The database, in the roles of the controller.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The same key as the API's: enrolment tokens are made here and checked there.
    pub credential_key: Secret,
    /// Where nodes run.
    pub fleet: Arc<Fleet>,
    /// Who signs certificates.
    pub vault: Arc<dyn Vault>,
    /// How nodes are asked.
    pub nodes: Arc<dyn Nodes>,
    /// Where nodes enrol: an address of the API that they reach.
    pub enrolment_url: String,
    /// The same for nodes in clusters, if it is another.
    pub cluster_enrolment_url: Option<String>,
}

/// Drives nodes, ledgers, consortiums and operations.
#[derive(Debug)]
pub struct Controller {
    store: Store,
    clock: Arc<dyn Clock>,
    mac: Mac,
    fleet: Arc<Fleet>,
    vault: Arc<dyn Vault>,
    nodes: Arc<dyn Nodes>,
    enrolment_url: String,
    cluster_enrolment_url: Option<String>,
    metrics: Metrics,
    /// Who holds leases.
    id: Uuid,
}

impl Controller {
    /// Puts it together.
    #[must_use]
    pub fn new(config: ControllerConfig) -> Arc<Self> {
        let ControllerConfig {
            store,
            clock,
            credential_key,
            fleet,
            vault,
            nodes,
            enrolment_url,
            cluster_enrolment_url,
        } = config;
        Arc::new(Self {
            store,
            clock,
            mac: Mac::new(credential_key),
            fleet,
            vault,
            nodes,
            enrolment_url,
            cluster_enrolment_url,
            metrics: Metrics::new(),
            id: Uuid::now_v7(),
        })
    }

    /// Shows its metrics in a registry.
    ///
    /// # Errors
    /// When the registry has metrics of these names.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        self.metrics.register(registry)
    }

    /// Reconciles until it is dropped. Steps wake one another through the database's
    /// notifications; a lost one costs at most [`limits::RECONCILE_EVERY`].
    pub async fn run(self: Arc<Self>) {
        let (sender, changes) = watch::channel(0);
        let driving = self.clone().drive(changes.clone());
        let observing = self
            .clone()
            .repeat("observe", limits::RECONCILE_EVERY, |c| async move { c.observe().await });
        let keeping =
            self.clone().repeat("housekeeping", limits::HOUSEKEEPING_EVERY, |c| async move {
                c.keep_house().await
            });
        let probing = self
            .clone()
            .repeat("probes", limits::RECONCILE_EVERY, |c| async move { c.probe_clusters().await });
        let answering = self.clone().answer(changes);
        let following = self.store.follow_changes(sender);
        tokio::join!(following, driving, observing, keeping, probing, answering);
    }

    /// One pass over everything that is driven, each reconciler once.
    ///
    /// # Errors
    /// The first failure; every reconciler has had its turn by then.
    pub async fn pass(&self, held: &mut HeldOperations) -> Result<()> {
        self.pass_after(held, &mut Rest::default()).await
    }

    /// The same, after a pass that may have left nothing to be done.
    async fn pass_after(&self, held: &mut HeldOperations, rest: &mut Rest) -> Result<()> {
        let passes = [
            self.look("clusters", self.connect_clusters()).await,
            self.look("consortiums", self.end_consortiums()).await,
            self.look("ledgers", self.end_ledgers()).await,
            self.look("nodes", self.reconcile_nodes(rest)).await,
            self.look("corrections", self.record_corrections()).await,
            self.look("launches", self.reconcile_launches()).await,
            self.look("operations", self.reconcile_operations(held)).await,
        ];
        passes.into_iter().fold(Ok(()), Result::and)
    }

    /// One look of one reconciler, measured; a failure is logged. A panic is a failure like others:
    /// what one object brings about must not end the care for all.
    async fn look(&self, name: &'static str, look: impl Future<Output = Result<()>>) -> Result<()> {
        let began = Instant::now();
        let looked = AssertUnwindSafe(look).catch_unwind().await;
        let looked = looked.unwrap_or_else(|_| Err(Error::internal("a reconciler panicked")));
        self.metrics.looked(name, began.elapsed(), looked.is_ok());
        if let Err(error) = &looked {
            log_failure(name, error);
        }
        looked
    }

    async fn drive(self: Arc<Self>, mut changes: watch::Receiver<u64>) {
        let (mut held, mut rest) = (HeldOperations::default(), Rest::default());
        loop {
            changes.mark_unchanged();
            // Every failure was logged; the next pass tries again.
            let _ = self.pass_after(&mut held, &mut rest).await;
            match woken(&mut changes).await {
                Woken::ByChange => rest = Rest::default(),
                Woken::ByTime => {}
                Woken::Never => return,
            }
        }
    }

    /// Beside the passes: who waits for a log does not wait for the nodes.
    async fn answer(self: Arc<Self>, mut changes: watch::Receiver<u64>) {
        loop {
            changes.mark_unchanged();
            // A failure was logged; the next look tries again.
            let _ = self.look("logs", self.answer_logs()).await;
            if woken(&mut changes).await == Woken::Never {
                return;
            }
        }
    }

    async fn repeat<F>(
        self: Arc<Self>,
        name: &'static str,
        every: Duration,
        look: impl Fn(Arc<Self>) -> F,
    ) where
        F: Future<Output = Result<()>>,
    {
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // A failure was logged; the next look tries again.
            let _ = self.look(name, look(self.clone())).await;
        }
    }

    async fn tx(&self) -> Result<SystemTx> {
        let context = OpContext::reconciler(RequestId::new(), "controller");
        self.store.system_tx(context.system_scope()?).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// What ended a rest between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// Somebody changed something.
    ByChange,
    /// Nobody said anything for as long as a lost notification may cost.
    ByTime,
    /// Nobody will say anything any more.
    Never,
}

async fn woken(changes: &mut watch::Receiver<u64>) -> Woken {
    match tokio::time::timeout(limits::RECONCILE_EVERY, changes.changed()).await {
        Ok(Ok(())) => Woken::ByChange,
        Ok(Err(_)) => Woken::Never,
        Err(_) => Woken::ByTime,
    }
}

fn log_failure(name: &str, error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    match error {
        // Somebody else changed it meanwhile: the next look sees that.
        Error::Stale => tracing::debug!(reconciler = name, "overtaken"),
        Error::Unavailable { .. } => tracing::warn!(reconciler = name, %error, cause, "waiting"),
        error => tracing::error!(reconciler = name, %error, cause, "failed"),
    }
}
