//! The net thread: the replica in the middle of everything.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashSet},
    fs::File,
    path::Path,
    sync::{Arc, mpsc as std_mpsc},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use ledger_consensus::{
    ReplicaConfig, Timer,
    replica::{Effect, Event as Input, Replica},
};
use ledger_types::{
    Batch, Digest, Executed, Genesis, Message, Outcome, ValidatorIndex, message::DecidedBlock,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{
    api::{self, Integrity, Refused, Request, Status, Submission},
    boot::{Booted, boot, write_mark},
    commit,
    config::NodeConfig,
    enrol::enrol,
    events::{BlockExecuted, Events, Followed, Happened},
    finding::{Finding, Repaired},
    incident::{Incident, IncidentKind, IncidentLog},
    metrics::Metrics,
    peers::{Frame, Mesh, Peers, frame},
    shares::{NoRoom, Shares},
    tls, verify, votes,
    waiters::Waiters,
    watch::{self, Standing, Watch},
};

/// Events waiting for the loop: when it is full, senders wait.
const EVENTS_MAX: usize = 8_192;
const TICK: Duration = Duration::from_millis(10);
/// How old what metrics say may be.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What happens to a node.
pub(crate) enum Event {
    Connected(ValidatorIndex, mpsc::Sender<Frame>),
    Peer(ValidatorIndex, Message),
    Submitted(Submission, Vec<bool>),
    BatchVerified(Arc<Batch>, bool),
    Saved(Vec<u64>),
    Executed { executed: Executed, block: Digest, outcomes: Vec<(Digest, Outcome)> },
    Blocks(ValidatorIndex, Vec<DecidedBlock>),
    Request(Request),
    Found(Finding),
    Repaired(Repaired),
    NeedBlocks { from: u64, to: u64 },
    Failed(String),
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Runs a node until it is told to stop or cannot go on.
///
/// # Errors
/// When it cannot start, a disk fails, or the ledger's rules say that it must stop.
pub fn run(config: &NodeConfig) -> Result<()> {
    std::fs::create_dir_all(&config.data)?;
    let _lock = lock(&config.data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (watch, metrics) = (Watch::new(), Metrics::new()?);
    if let Some(address) = config.metrics {
        watch::start(address, watch.clone(), metrics.clone())?;
    }
    if !config.genesis.exists() {
        let at = config.enrolment.as_ref();
        let at = at.with_context(|| format!("no genesis in {}", config.genesis.display()))?;
        if !runtime.block_on(unless_stopped(enrol(config, at)))? {
            tracing::info!("the node stops before it has a genesis");
            return Ok(());
        }
    }
    watch.starts();
    let booted = boot(config, now_ms())?;
    let result = runtime.block_on(serve(config, booted, watch, metrics));
    // Connections and their tasks end with the runtime.
    runtime.shutdown_background();
    result
}

/// Two processes on one folder would vote twice and tear each other's files.
fn lock(data: &Path) -> Result<File> {
    let path = data.join("lock");
    let file = File::options().write(true).create(true).truncate(false).open(&path)?;
    file.try_lock().with_context(|| format!("another node uses {}", data.display()))?;
    Ok(file)
}

/// Whether `work` was done before somebody asked to stop.
async fn unless_stopped(work: impl Future<Output = Result<()>>) -> Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        done = work => done.map(|()| true),
        _ = terminate.recv() => Ok(false),
        _ = interrupt.recv() => Ok(false),
    }
}

async fn serve(
    config: &NodeConfig,
    booted: Booted,
    watch: Arc<Watch>,
    metrics: Arc<Metrics>,
) -> Result<()> {
    let Booted { genesis, replica, stored, votes } = booted;
    let (sender, mut events) = mpsc::channel(EVENTS_MAX);
    let identity = tls::Identity::read(config)?;
    let (acceptor, connector) = identity.peers(&genesis)?;
    let p2p = TcpListener::bind(config.p2p).await?;
    let http = TcpListener::bind(config.http).await?;
    let own = replica.own();

    let (commit, committing) = commit::start(stored, genesis.clone(), sender.clone())?;
    let mut node = Node {
        verify: verify::start(sender.clone())?,
        commit,
        votes: votes::start(votes, sender.clone())?,
        genesis: genesis.clone(),
        replica,
        peers: Peers::default(),
        waiters: Waiters::default(),
        shares: Shares::default(),
        events: Events::default(),
        timers: BinaryHeap::new(),
        told_ms: now_ms(),
        serving: HashSet::new(),
        metrics,
        watch,
        decided: BTreeMap::new(),
        looked: Instant::now(),
        incidents: IncidentLog::read(&config.data.join("incidents.json"))?,
    };
    // What was wrong when the node ended is wrong until it is put right.
    if node.incidents.open_and_own().next().is_some() {
        node.replica.withdraw();
        node.commit.send(commit::Job::Recheck)?;
    }
    let mesh = Mesh { genesis: genesis.clone(), own, events: sender.clone() };
    mesh.start(p2p, acceptor, connector);
    let shared = api::Shared::new(genesis, config.data.join("state.db"), sender);
    tokio::spawn(api::serve(http, identity.server()?, shared));
    tracing::info!(node.index = own.0, http = %config.http, p2p = %config.p2p, "the node runs");

    node.obey()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => node.on_event(event)?,
                None => bail!("every part of the node has ended"),
            },
            _ = tick.tick() => node.on_tick()?,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    // No more work; what was decided is finished first. Events that still come are nobody's.
    drop(node);
    events.close();
    match tokio::task::spawn_blocking(move || committing.join()).await? {
        Ok(finished) => finished?,
        Err(_) => bail!("the commit thread panicked"),
    }
    write_mark(&config.data, true)?;
    tracing::info!("the node stops");
    Ok(())
}

struct Node {
    genesis: Arc<Genesis>,
    replica: Replica,
    peers: Peers,
    waiters: Waiters,
    shares: Shares,
    events: Events,
    timers: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// What the replica was last told that the time is.
    told_ms: u64,
    incidents: IncidentLog,
    metrics: Arc<Metrics>,
    watch: Arc<Watch>,
    /// When each block that is not executed yet was decided.
    decided: BTreeMap<u64, Instant>,
    /// When the metrics were last brought up to date.
    looked: Instant,
    verify: verify::Queue,
    votes: std_mpsc::Sender<votes::Job>,
    commit: std_mpsc::Sender<commit::Job>,
    /// Peers for which blocks are being read: one answer at a time for each.
    serving: HashSet<ValidatorIndex>,
}

impl Node {
    fn on_event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Connected(peer, queue) => {
                self.peers.connect(peer, queue);
                self.tell(Input::Connected(peer))
            }
            Event::Peer(from, message) => {
                if let (Message::Blocks(blocks), true) = (&message, self.is_repairing()) {
                    self.commit.send(commit::Job::Mend(blocks.clone()))?;
                }
                self.tell(Input::Message { from, message })
            }
            Event::Found(finding) => self.on_found(&finding),
            Event::Repaired(repaired) => self.on_repaired(&repaired),
            Event::NeedBlocks { from, to } => {
                self.peers.broadcast(&frame(&Message::FetchBlocks { from, to }));
                Ok(())
            }
            Event::Submitted(submission, verdicts) => self.on_submitted(submission, &verdicts),
            Event::BatchVerified(batch, valid) => self.tell(Input::BatchVerified { batch, valid }),
            Event::Saved(tokens) => {
                tokens.into_iter().try_for_each(|token| self.tell(Input::Saved { token }))
            }
            Event::Executed { executed, block, outcomes } => {
                let decided = self.decided.remove(&executed.height);
                self.metrics.executed(outcomes.iter().map(|(_, outcome)| outcome), decided);
                let happened = Happened::Block(BlockExecuted {
                    height: executed.height,
                    digest: block,
                    transactions: u32::try_from(outcomes.len()).expect("blocks are bounded"),
                    execution_root: executed.root,
                });
                self.events.announce(executed.height, happened);
                self.waiters.on_executed(executed, outcomes);
                self.tell(Input::Executed(executed))
            }
            Event::Blocks(to, blocks) => {
                self.serving.remove(&to);
                if !blocks.is_empty() {
                    self.peers.send(to, &frame(&Message::Blocks(blocks)));
                }
                Ok(())
            }
            Event::Request(request) => self.on_request(request),
            Event::Failed(what) => bail!("{what}"),
        }
    }

    fn tell(&mut self, input: Input) -> Result<()> {
        self.told_ms = now_ms();
        self.replica.handle(self.told_ms, input);
        self.obey()
    }

    fn on_tick(&mut self) -> Result<()> {
        let now = Instant::now();
        while let Some(Reverse((at, timer))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.tell(Input::Timer(timer))?;
        }
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            self.waiters.sweep();
            let (status, is_whole) = (self.status(), !self.is_repairing());
            self.metrics.look(&status, is_whole);
            self.watch.beats(Standing {
                may_vote: status.may_vote,
                quorum_reachable: status.quorum_reachable,
                is_whole,
                height: status.height,
                executed_height: status.executed_height,
            });
        }
        self.tell(Input::Tick)
    }

    fn obey(&mut self) -> Result<()> {
        for effect in self.replica.take_effects() {
            match effect {
                Effect::Save { entries, token } => {
                    self.votes.send(votes::Job::Save(entries, token))?;
                }
                Effect::Send { to, message } => self.peers.send(to, &frame(&message)),
                Effect::Broadcast(message) => self.peers.broadcast(&frame(&message)),
                Effect::SetTimer { timer, at_ms } => {
                    // The wall clock may be set; how long a timer runs must not change with it.
                    let runs = Duration::from_millis(at_ms.saturating_sub(self.told_ms));
                    self.timers.push(Reverse((Instant::now() + runs, timer)));
                }
                Effect::VerifyBatch(batch) => self.verify.check(batch)?,
                Effect::Commit(decided) => {
                    let height = decided.block.header.height;
                    decided.block.transactions.iter().for_each(|t| self.shares.remove(&t.id()));
                    self.waiters.on_committed(&decided.block);
                    self.decided.insert(height, Instant::now());
                    self.votes.send(votes::Job::Forget(height + 1))?;
                    self.commit.send(commit::Job::Commit(decided))?;
                }
                Effect::SendBlocks { to, from, until } => {
                    if self.serving.insert(to) {
                        self.commit.send(commit::Job::Blocks { to, from, until })?;
                    }
                }
                Effect::Diverged { certified, own } => {
                    let detail = format!(
                        "its root {} at height {} is not the certified {}",
                        own.root, certified.height, certified.root
                    );
                    self.commit.send(commit::Job::Diverged(detail))?;
                }
                Effect::Report(evidence) => {
                    let culprit = evidence.culprit().0;
                    let summary = format!("validator {culprit} has signed contradictions");
                    let mut incident = Incident::new(IncidentKind::Equivocation, summary, now_ms());
                    incident.culprit = Some(culprit);
                    tracing::error!(culprit, "proven fraud: {evidence:?}");
                    self.open(incident)?;
                }
                Effect::Halt(reason) => bail!("{reason}"),
            }
        }
        Ok(())
    }

    /// Records an incident, unless it is known.
    fn open(&mut self, incident: Incident) -> Result<()> {
        let was_whole = !self.is_repairing();
        if let Some(incident) = self.incidents.open(incident)? {
            self.metrics.incident(incident.kind);
            self.announce(Happened::IncidentOpened(incident));
        }
        if was_whole && self.is_repairing() {
            self.announce(Happened::Integrity(Integrity::Repairing));
        }
        Ok(())
    }

    fn announce(&self, happened: Happened) {
        self.events.announce(self.replica.executed().height, happened);
    }

    /// Whether something of this node's own is wrong.
    fn is_repairing(&self) -> bool {
        self.incidents.open_and_own().next().is_some()
    }

    /// Silence first, then the record: a node that finds itself wrong must not vote.
    fn on_found(&mut self, finding: &Finding) -> Result<()> {
        self.replica.withdraw();
        let mut incident = match finding {
            Finding::Block { file, height, detail, kept } => {
                let summary = format!("{file}: {detail}");
                let mut incident = Incident::new(IncidentKind::BlockCorrupt, summary, now_ms());
                incident.file = Some(file.clone());
                (incident.height, incident.kept_original) = (*height, kept.clone());
                incident
            }
            Finding::State { table, height, detail, kept } => {
                let mut incident =
                    Incident::new(IncidentKind::StateCorrupt, detail.clone(), now_ms());
                incident.table.clone_from(table);
                (incident.height, incident.kept_original) = (Some(*height), kept.clone());
                incident
            }
        };
        incident.height.get_or_insert(self.replica.executed().height);
        tracing::error!("found wrong, not voting: {}", incident.summary);
        self.open(incident)?;
        self.obey()
    }

    fn on_repaired(&mut self, repaired: &Repaired) -> Result<()> {
        let was_repairing = self.is_repairing();
        let resolved = match repaired {
            Repaired::Block { file, kept } => {
                let kept = kept.as_ref().map(|name| format!("blocks/{name}"));
                self.incidents.resolve(now_ms(), kept.as_deref(), |incident| {
                    incident.kind == IncidentKind::BlockCorrupt
                        && incident.file.as_ref() == Some(file)
                })?
            }
            Repaired::All { executed: _ } => self.incidents.resolve(now_ms(), None, |_| true)?,
            Repaired::State { executed: _ } => {
                self.incidents.resolve(now_ms(), None, |incident| {
                    incident.kind == IncidentKind::StateCorrupt
                })?
            }
        };
        for incident in resolved {
            tracing::warn!("put right: {}", incident.summary);
            self.announce(Happened::IncidentResolved(incident));
        }
        if was_repairing && !self.is_repairing() {
            self.announce(Happened::Integrity(Integrity::Ok));
        }
        if !self.is_repairing() {
            let executed = match repaired {
                Repaired::All { executed } | Repaired::State { executed } => *executed,
                Repaired::Block { .. } => self.replica.executed(),
            };
            self.replica.repaired(executed);
        }
        self.obey()
    }

    fn on_submitted(&mut self, submission: Submission, verdicts: &[bool]) -> Result<()> {
        let Submission { transactions, members, wait, answer } = submission;
        if let Some(place) = verdicts.iter().position(|valid| !valid) {
            let _ = answer.send(Err(Refused::Signature { place }));
            return Ok(());
        }
        let taken = if self.waiters.has_room(transactions.len()) {
            let is_full = !self.replica.has_room(transactions.len());
            let waiting_max = ReplicaConfig::default().waiting_max;
            self.shares.take(&transactions, &members, waiting_max, is_full)
        } else {
            Err(NoRoom::All)
        };
        if let Err(no_room) = taken {
            let _ = answer.send(Err(match no_room {
                NoRoom::All => Refused::Busy,
                NoRoom::Share(over) => Refused::Share(over),
            }));
            return Ok(());
        }
        let receivers = transactions
            .iter()
            .map(|t| (wait != api::Wait::None).then(|| self.waiters.add(t.id(), wait)))
            .collect();
        let _ = answer.send(Ok(receivers));
        self.tell(Input::Submit(transactions))
    }

    fn on_request(&mut self, request: Request) -> Result<()> {
        match request {
            Request::Submit(submission) => {
                self.verify.judge(submission)?;
            }
            Request::Find(id, answer) => {
                let waits = self.shares.holds(&id);
                self.commit.send(commit::Job::Find { id, waits, answer })?;
            }
            Request::Watch(id, wait, answer) => {
                let has_room = self.waiters.has_room(1);
                let _ = answer.send(has_room.then(|| self.waiters.add(id, wait)));
            }
            Request::Follow(answer) => {
                let open = |incident: &Incident| incident.resolved_at_ms.is_none();
                let open_incidents = self.incidents.list().into_iter().filter(open).collect();
                let queue = self.events.queue();
                let followed = Followed { status: self.status(), open_incidents, queue };
                let _ = answer.send(followed);
            }
            Request::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Request::Incidents(answer) => {
                let _ = answer.send(self.incidents.list());
            }
            Request::Patrol(answer) => {
                self.commit.send(commit::Job::Patrol(answer))?;
            }
            Request::Block(height, answer) => {
                self.commit.send(commit::Job::Block(height, answer))?;
            }
            Request::Receipt(id, answer) => {
                self.commit.send(commit::Job::Receipt(id, answer))?;
            }
        }
        Ok(())
    }

    fn status(&self) -> Status {
        let engine = self.replica.engine();
        let connected = self.peers.connected();
        Status {
            ledger: self.genesis.ledger(),
            node: self.replica.own().0,
            height: engine.height() - 1,
            executed_height: self.replica.executed().height,
            execution_root: self.replica.executed().root,
            round: engine.round(),
            leader: engine.leader().0,
            policy: self.genesis.charter.policy,
            validators: self.genesis.validators.len(),
            may_vote: engine.may_vote(),
            diverged: self.replica.is_diverged(),
            integrity: if self.is_repairing() { Integrity::Repairing } else { Integrity::Ok },
            waiting: self.replica.waiting(),
            quorum_reachable: connected.len() + 1 >= usize::from(self.genesis.quorum().certify),
            peers_connected: connected.into_iter().map(|peer| peer.0).collect(),
        }
    }
}
