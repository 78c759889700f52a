//! The driver: it remembers nothing, and everything that it says was read from the cluster.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use hansa_core::{Clock, NodeId, Timestamp};
use hansa_runtime::{
    Correction, Fault, LOG_LINES_MAX, Quorum, RetainedVolume, Runtime, RuntimeError, Workload,
    WorkloadSpec, WorkloadState,
};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Event, PersistentVolumeClaim, Pod, Service},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, LogParams},
};

use crate::{
    apply::Target,
    build,
    config::KubeConfig,
    corrections::Corrections,
    error::{ConnectError, of_api},
    evidence::{self, Evidence},
    hearing::{Deaf, Heard},
    names,
    network::Network,
    observe,
    observe::Seen,
    remove::names_of,
    volume,
    watch::{Caches, Touched, get},
    wish::Wish,
    write::{self, write},
};

/// How long a question may take, and how long something that is done in many calls: a cluster that
/// does not answer must not keep whoever drives the nodes of others.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
const CHANGE_TIME_MAX: Duration = Duration::from_secs(20);
/// Between two questions whether the cluster is there.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Times that a wish is written over what the cluster changes at the same time.
const ATTEMPTS_MAX: u32 = 5;
/// Nodes in trouble whose evidence is read at once.
const ASKED_AT_ONCE: usize = 8;

/// Nodes as StatefulSets of one cluster.
#[derive(Debug)]
pub struct KubeRuntime {
    pub(crate) config: KubeConfig,
    pub(crate) caches: Caches,
    pub(crate) touched: Arc<Touched>,
    client: Kube,
    pub(crate) clock: Arc<dyn Clock>,
    evidence: Evidence,
    pub(crate) corrections: Corrections,
    pub(crate) network: Network,
}

/// A client, which prints nothing of its credentials.
struct Kube(Client);

impl std::fmt::Debug for Kube {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl KubeRuntime {
    /// Makes a driver for a cluster, which need not answer yet. The second value watches and keeps
    /// what was wished until it is dropped: the caller runs it. Nodes go on without it.
    ///
    /// # Errors
    /// When the configuration cannot lead to a cluster.
    pub async fn open(
        config: KubeConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Arc<Self>, impl Future<Output = ()> + Send + 'static), ConnectError> {
        config.check()?;
        let client = config.access.client().await?;
        let touched = Arc::new(Touched::default());
        let (caches, watching) = Caches::open(&client, &config.installation, &touched);
        let runtime = Arc::new(Self {
            config,
            caches,
            touched,
            client: Kube(client),
            clock,
            evidence: Evidence::default(),
            corrections: Corrections::default(),
            network: Network::default(),
        });
        let keeping = Arc::clone(&runtime).keep_all();
        let measuring = Arc::clone(&runtime).measure_network();
        let asking = Arc::clone(&runtime).ask_when_doubtful();
        Ok((runtime, async move {
            tokio::join!(watching, keeping, measuring, asking);
        }))
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client.0
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { client: &self.client.0, config: &self.config }
    }

    /// A node's set and the wish in it, as they are now.
    pub(crate) async fn ask(
        &self,
        node: NodeId,
    ) -> Result<Option<(Wish, StatefulSet)>, RuntimeError> {
        let labels =
            format!("{}={},{}={node}", names::INSTALLATION, self.config.installation, names::NODE);
        let sets = Api::<StatefulSet>::all(self.client.0.clone());
        let found = sets.list(&ListParams::default().labels(&labels)).await;
        let found = found.map_err(|error| of_api("a node's StatefulSet", error))?.items;
        let Some(set) = found.into_iter().next() else { return Ok(None) };
        match Wish::read(set.metadata.annotations.as_ref()) {
            Some(wish) => Ok(Some((wish, set))),
            None => Err(RuntimeError::Conflict(format!("{}: its wish", write::called(&set)))),
        }
    }

    /// What is not well is told with what the cluster says about it.
    async fn tell(&self, known: Known<'_>) -> Workload {
        let now = self.clock.now();
        let Known { wish, stateful_set, pod, claim, client_service } = known;
        let seen = |events| Seen { stateful_set, pod, claim, client_service, events };
        let told = observe::workload(&self.config.settings, wish, &seen(&[]), now);
        let is_well = told.trouble.is_none()
            && told.state == WorkloadState::Running
            && pod.is_some_and(observe::is_ready);
        if is_well || !wish.run {
            return told;
        }
        let events = self.evidence.of(&self.client.0, &wish.namespace()).await;
        let events: Vec<Event> = evidence::about(&events, &names_of(wish), wish.wished_at);
        observe::workload(&self.config.settings, wish, &seen(&events), now)
    }

    async fn apply_once(&self, spec: &WorkloadSpec) -> Result<(), RuntimeError> {
        let found = self.ask(spec.node).await?;
        let mut wish = Wish::new(spec, self.clock.now());
        if let Some((before, live)) = &found {
            if volume::is_made_anew(live) {
                return Err(RuntimeError::Transient("its set is being made anew".to_owned()));
            }
            if live.metadata.deletion_timestamp.is_some() {
                return Err(RuntimeError::Conflict("the workload is being removed".to_owned()));
            }
            if before.generation > wish.generation {
                return Ok(());
            }
            // A node's objects keep the name that they were made with; the same wish is not newer.
            wish.name.clone_from(&before.name);
            if before.generation == wish.generation {
                wish.wished_at = before.wished_at;
            }
        }
        let objects = build::node(&self.config, &wish, spec.enrolment.token.as_ref());
        let live = found.as_ref().map(|(_, live)| live);
        self.target().apply(&wish, objects, live).await.map(drop)
    }

    /// That the caches say what is in the cluster: before, nothing is concluded from them. Nobody waits
    /// for a cluster here: [`Self::ask_when_doubtful`] does.
    fn check(&self) -> Result<(), RuntimeError> {
        match self.caches.hearing.state() {
            Heard::All => Ok(()),
            Heard::Filling => {
                Err(RuntimeError::Transient("the first lists are on their way".to_owned()))
            }
            Heard::Deaf(Deaf { is_refused: true, why, .. }) => {
                Err(RuntimeError::Refused { fault: Fault::Forbidden, detail: why })
            }
            Heard::Silent(why) | Heard::Deaf(Deaf { why, .. }) => {
                Err(RuntimeError::Unreachable(why))
            }
        }
    }

    /// Asks whether the cluster is there, while its watches leave that open.
    async fn ask_when_doubtful(self: Arc<Self>) {
        let hearing = &self.caches.hearing;
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            if !hearing.is_doubtful() {
                continue;
            }
            let version = async {
                let asked = self.client().apiserver_version().await;
                asked.map(drop).map_err(|error| of_api("its version", error))
            };
            match in_time(ANSWER_TIME_MAX, version).await {
                Ok(()) => hearing.answered(),
                Err(RuntimeError::Unreachable(why)) => hearing.unanswered(why),
                Err(error) => hearing.unanswered(error.to_string()),
            }
        }
    }

    async fn observe_now(&self, node: NodeId) -> Result<Option<Workload>, RuntimeError> {
        let Some((wish, set)) = self.ask(node).await? else { return Ok(None) };
        let (namespace, object) = (wish.namespace(), wish.object());
        let target = self.target();
        let (pods, claims) = (target.within::<Pod>(&namespace), target.within(&namespace));
        let services = target.within::<Service>(&namespace);
        let (pod, claim, service) =
            (names::pod(&object), names::claim(&object), names::client_service(&object));
        let (pod, claim, client_service) = tokio::try_join!(
            pods.get_opt(&pod),
            claims.get_opt(&claim),
            services.get_opt(&service)
        )
        .map_err(|error| of_api(&object, error))?;
        let known = Known {
            wish: &wish,
            stateful_set: &set,
            pod: pod.as_ref(),
            claim: claim.as_ref(),
            client_service: client_service.as_ref(),
        };
        Ok(Some(self.tell(known).await))
    }

    async fn logs_now(&self, node: NodeId, lines: u16) -> Result<String, RuntimeError> {
        let Some((wish, _)) = self.ask(node).await? else { return Ok(String::new()) };
        let pods = self.target().within::<Pod>(&wish.namespace());
        let name = names::pod(&wish.object());
        let parameters = LogParams {
            container: Some(build::CONTAINER.to_owned()),
            tail_lines: Some(i64::from(lines.min(LOG_LINES_MAX))),
            ..LogParams::default()
        };
        match pods.logs(&name, &parameters).await {
            Ok(text) => Ok(text),
            // No pod, or its container has not been started yet: nothing has been said.
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => Ok(String::new()),
            Err(error) => Err(of_api(&name, error)),
        }
    }
}

/// What is known of one node.
struct Known<'a> {
    wish: &'a Wish,
    stateful_set: &'a StatefulSet,
    pod: Option<&'a Pod>,
    claim: Option<&'a PersistentVolumeClaim>,
    client_service: Option<&'a Service>,
}

#[async_trait]
impl Runtime for KubeRuntime {
    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), RuntimeError> {
        in_time(CHANGE_TIME_MAX, async {
            // The cluster writes its own part of an object at any moment: then we look again,
            // whether somebody has wished for something newer too.
            for _ in 1..ATTEMPTS_MAX {
                match self.apply_once(spec).await {
                    Err(RuntimeError::Transient(_)) => {}
                    done => return done,
                }
            }
            self.apply_once(spec).await
        })
        .await
    }

    async fn observe(&self, node: NodeId) -> Result<Option<Workload>, RuntimeError> {
        in_time(ANSWER_TIME_MAX, self.observe_now(node)).await
    }

    async fn list(&self) -> Result<Vec<Workload>, RuntimeError> {
        self.check()?;
        let caches = &self.caches;
        let told = stream::iter(caches.stateful_sets.state()).map(|set| async move {
            let wish = Wish::read(set.metadata.annotations.as_ref())?;
            let (namespace, object) = (wish.namespace(), wish.object());
            let pod = get(&caches.pods, &namespace, &names::pod(&object));
            let claim = get(&caches.claims, &namespace, &names::claim(&object));
            let service = get(&caches.services, &namespace, &names::client_service(&object));
            let known = Known {
                wish: &wish,
                stateful_set: &set,
                pod: pod.as_deref(),
                claim: claim.as_deref(),
                client_service: service.as_deref(),
            };
            Some(self.tell(known).await)
        });
        let told = told.buffer_unordered(ASKED_AT_ONCE).filter_map(std::future::ready).collect();
        in_time(CHANGE_TIME_MAX, async { Ok(told.await) }).await
    }

    async fn remove(&self, node: NodeId) -> Result<(), RuntimeError> {
        in_time(CHANGE_TIME_MAX, async {
            let Some((wish, live)) = self.ask(node).await? else { return Ok(()) };
            self.target().remove(&wish, &live, self.clock.now()).await
        })
        .await
    }

    async fn keep(&self, quorum: &Quorum) -> Result<(), RuntimeError> {
        self.check()?;
        let built = build::budget(&self.config, quorum.consortium, quorum.ledger, quorum.stay);
        let namespace = names::namespace(quorum.consortium);
        let cached = get(&self.caches.budgets, &namespace, &built.name_any());
        if cached.is_some_and(|live| write::is_as_built(&built, &live)) {
            return Ok(());
        }
        let budgets = self.target().within(&namespace);
        let write = write(&budgets, &self.config.installation, &built);
        in_time(ANSWER_TIME_MAX, write).await.map(drop)
    }

    fn corrections(&self) -> Vec<Correction> {
        self.corrections.take()
    }

    async fn logs(&self, node: NodeId, lines: u16) -> Result<String, RuntimeError> {
        in_time(ANSWER_TIME_MAX, self.logs_now(node, lines)).await
    }

    async fn retained(&self) -> Result<Vec<RetainedVolume>, RuntimeError> {
        let retained = volume::retained(&self.client.0, &self.config.installation);
        in_time(ANSWER_TIME_MAX, retained).await
    }

    async fn purge(&self, before: Timestamp) -> Result<u32, RuntimeError> {
        self.check()?;
        in_time(CHANGE_TIME_MAX, async {
            let purged = volume::purge(&self.client.0, &self.config.installation, before).await?;
            self.forget_empty().await?;
            Ok(purged)
        })
        .await
    }
}

/// Ends a call that takes too long. What it has written stays; the next call goes on from there.
pub(crate) async fn in_time<T>(
    most: Duration,
    call: impl Future<Output = Result<T, RuntimeError>>,
) -> Result<T, RuntimeError> {
    let late = || RuntimeError::Unreachable(format!("it has not answered in {most:?}"));
    tokio::time::timeout(most, call).await.unwrap_or_else(|_| Err(late()))
}
