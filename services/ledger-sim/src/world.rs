//! The event loop: virtual time, network, faults.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

use anyhow::{Result, anyhow};
use ledger_consensus::{
    Rules, Timer,
    replica::{Effect, Event},
};
use ledger_types::{
    Digest, Endorsement, Genesis, LedgerId, Member, Message, NodeId, SigningKey, Suite, Validator,
    ValidatorIndex, genesis::Charter, message::DecidedBlock,
};

use crate::{
    cheat::Cheater,
    client::Client,
    invariants::{Agreement, Broken, ExactlyOnce, OneVote, check_evidence},
    luck::Luck,
    node::Node,
    plan::Plan,
};

const START_MS: u64 = 1_700_000_000_000;
/// Virtual time after healing in which the ledger must go on.
const RECOVERY_MS: u64 = 120_000;
/// Events of one run at most: more means that something spins.
const EVENTS_MAX: u64 = 3_000_000;

/// A run that broke an invariant.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What happened.
    pub what: String,
}

/// What a run did, to be added up over runs.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often each fault did something.
    pub faults: BTreeMap<String, u64>,
    /// Heights that all nodes committed.
    pub heights: u64,
    /// Transactions applied.
    pub applied: u64,
}

impl Report {
    /// Adds another run's figures.
    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.faults {
            *self.faults.entry(fault.clone()).or_default() += count;
        }
        self.heights += other.heights;
        self.applied += other.applied;
    }
}

#[derive(Debug)]
enum What {
    Deliver { from: ValidatorIndex, to: ValidatorIndex, message: Arc<Message> },
    Timer { node: usize, life: u64, timer: Timer },
    Sync { node: usize, life: u64, token: u64 },
    Commit { node: usize, life: u64, decided: DecidedBlock },
    Tick { node: usize },
    Client,
    Crash,
    PowerCut { node: usize },
    Restart { node: usize, trust_state: bool },
    Partition,
    Rejoin,
}

struct Happening(u64, u64, What);

impl PartialEq for Happening {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Happening {}

impl PartialOrd for Happening {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Happening {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

struct World {
    plan: Plan,
    luck: Luck,
    genesis: Genesis,
    now_ms: u64,
    queue: BinaryHeap<Reverse<Happening>>,
    count: u64,
    nodes: Vec<Node>,
    skew: Vec<u64>,
    /// When each node's vote log and block log are next free: both work in order.
    busy: Vec<[u64; 2]>,
    client: Client,
    schema: Arc<ledger_types::Transaction>,
    /// Nodes cut off from the rest.
    island: BTreeSet<usize>,
    forgot: bool,
    agreement: Agreement,
    one_vote: OneVote,
    once: ExactlyOnce,
    report: Report,
    _folder: tempfile::TempDir,
}

/// Runs one seed under the production rules.
///
/// # Errors
/// When an invariant breaks, or the ledger does not go on after the faults have ended.
pub fn run(seed: u64) -> Result<Report, Failure> {
    run_mutant(seed, Rules::PRODUCTION)
}

/// Runs one seed under other rules.
///
/// # Errors
/// As [`run`].
pub fn run_mutant(seed: u64, rules: Rules) -> Result<Report, Failure> {
    let outcome = World::new(seed, rules).and_then(World::play);
    outcome.map_err(|error| Failure { seed, what: format!("{error:#}") })
}

fn genesis(plan: &Plan, keys: &[Arc<SigningKey>]) -> Genesis {
    let administrator = SigningKey::from_seed(&[201; 32]);
    let charter = Charter {
        ledger: LedgerId([9; 16]),
        name: "simulated".into(),
        suite: Suite::Ed25519Sha256,
        policy: plan.policy,
        development: false,
        members: vec![Member { name: "all".into(), administrator: administrator.public_key() }],
        threshold: 1,
        anchor: None,
        ca_certificate: "none".into(),
    };
    let validators = keys
        .iter()
        .zip(0u8..)
        .map(|(key, n)| {
            let identity = Endorsement {
                node: NodeId([n; 16]),
                name: format!("node-{n}"),
                member: 0,
                consensus_key: key.public_key(),
                tls_key: Digest([n; 32]),
            };
            let endorsed = identity.sign(&charter, &administrator);
            Validator { identity, p2p: "simulated".into(), endorsed }
        })
        .collect();
    let charter_signatures = vec![charter.sign(&administrator)];
    Genesis { charter, charter_signatures, validators, created_at_ms: START_MS }
}

impl World {
    fn new(seed: u64, rules: Rules) -> Result<Self> {
        let plan = Plan::of(seed);
        let mut luck = Luck::new(seed);
        let keys: Vec<Arc<SigningKey>> = (0..plan.validators)
            .map(|n| Arc::new(SigningKey::from_seed(&[100 + u8::try_from(n).expect("few"); 32])))
            .collect();
        let genesis = genesis(&plan, &keys);
        genesis.check()?;
        let folder = tempfile::tempdir()?;
        let nodes: Vec<Node> = keys
            .iter()
            .zip(0u16..)
            .map(|(key, n)| {
                let path = folder.path().join(format!("{n}.db"));
                Node::new(n, key.clone(), &genesis, rules, seed, path)
            })
            .collect();
        let skew = nodes.iter().map(|_| luck.below(plan.skew_ms + 1)).collect();
        let busy = vec![[0; 2]; nodes.len()];
        let mut client = Client::new(genesis.ledger(), SigningKey::from_seed(&[201; 32]));
        let schema = client.schema(START_MS);
        let mut once = ExactlyOnce::default();
        once.schema(schema.id());
        Ok(Self {
            plan,
            luck,
            genesis,
            now_ms: START_MS,
            queue: BinaryHeap::new(),
            count: 0,
            nodes,
            skew,
            busy,
            client,
            schema,
            island: BTreeSet::new(),
            forgot: false,
            agreement: Agreement::default(),
            one_vote: OneVote::default(),
            once,
            report: Report::default(),
            _folder: folder,
        })
    }

    fn at(&mut self, in_ms: u64, what: What) {
        self.count += 1;
        self.queue.push(Reverse(Happening(self.now_ms + in_ms, self.count, what)));
    }

    fn fault(&mut self, name: impl Into<String>) {
        *self.report.faults.entry(name.into()).or_default() += 1;
    }

    fn healed(&self) -> bool {
        self.now_ms >= START_MS + self.plan.heal_at_ms
    }

    fn play(mut self) -> Result<Report> {
        for node in 0..self.nodes.len() {
            self.start(node, true)?;
            self.at(1, What::Tick { node });
        }
        self.at(1, What::Client);
        if self.plan.crash_every_ms.is_some() {
            self.at(200, What::Crash);
        }
        if self.plan.partition_every_ms.is_some() {
            self.at(300, What::Partition);
        }
        let mut target = None;
        for _ in 0..EVENTS_MAX {
            let Some(Reverse(Happening(at, _, what))) = self.queue.pop() else {
                return Err(anyhow!("nothing is left to happen"));
            };
            self.now_ms = at;
            self.happen(what)?;
            if !self.healed() {
                continue;
            }
            if target.is_none() {
                self.heal()?;
                let highest = self.nodes.iter().map(committed).max().unwrap_or(0);
                target = Some(highest + self.plan.heights_after);
            }
            let reached = self.nodes.iter().map(committed).min().unwrap_or(0);
            if target.is_some_and(|target| reached >= target) {
                self.report.heights = reached;
                return self.settle();
            }
            if self.now_ms > START_MS + self.plan.heal_at_ms + RECOVERY_MS {
                return Err(anyhow!(
                    "two minutes after all faults ended the target {target:?} is not reached:\n{}\n{:?}",
                    self.nodes.iter().map(described).collect::<Vec<_>>().join("\n"),
                    self.plan
                ));
            }
        }
        Err(anyhow!("{EVENTS_MAX} events: something spins"))
    }

    /// At the end: the counters add up, and roots are those of the rows.
    fn settle(mut self) -> Result<Report> {
        let behind = self.nodes.iter().map(committed).min().unwrap_or(0);
        let expected = self.once.expected();
        for node in &self.nodes {
            let Some(running) = &node.running else { continue };
            let state = &running.state;
            if state.root_from_rows()? != state.state_root() {
                return Err(anyhow!("node {}: the root is not that of its rows", node.index));
            }
            let mut reader = ledger_state::Reader::open(state.path())?;
            if let Ok(rows) = reader.query("SELECT sum(n) FROM counter", &[], Default::default()) {
                let sum = match rows.rows.first().and_then(|row| row.first()) {
                    Some(ledger_types::Value::Integer(sum)) => *sum,
                    _ => 0,
                };
                let newest = self.nodes.iter().map(committed).max().unwrap_or(0);
                if committed(node) == newest && u64::try_from(sum)? != expected {
                    return Err(anyhow!("the counters add up to {sum}, {expected} were applied"));
                }
            }
        }
        for faults in self.nodes.iter().flat_map(Node::faults) {
            for (name, count) in [
                ("torn write", faults.torn),
                ("lost write", faults.lost),
                ("zeroed tail", faults.zeroed),
                ("lost name", faults.names),
            ] {
                *self.report.faults.entry(name.into()).or_default() += count;
            }
        }
        self.report.applied = expected;
        self.report.heights = behind;
        Ok(self.report)
    }

    fn happen(&mut self, what: What) -> Result<()> {
        match what {
            What::Deliver { from, to, message } => {
                let event = Event::Message { from, message: (*message).clone() };
                self.tell(to.place(), event)
            }
            What::Timer { node, life, timer } if self.nodes[node].life == life => {
                self.tell(node, Event::Timer(timer))
            }
            What::Sync { node, life, token } if self.nodes[node].life == life => {
                let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
                running.votes.sync()?;
                self.tell(node, Event::Saved { token })
            }
            What::Commit { node, life, decided } if self.nodes[node].life == life => {
                self.commit(node, &decided)
            }
            What::Timer { .. } | What::Sync { .. } | What::Commit { .. } => Ok(()),
            What::Tick { node } => {
                self.at(10, What::Tick { node });
                self.tell(node, Event::Tick)
            }
            What::Client => self.submit(),
            What::Crash => self.crash(),
            What::PowerCut { node } => {
                if self.nodes[node].running.is_some() && !self.healed() {
                    self.fault("power cut after a crash");
                }
                self.end(node, true, 100)
            }
            What::Restart { node, trust_state } => self.start(node, trust_state),
            What::Partition => {
                self.partition();
                Ok(())
            }
            What::Rejoin => {
                self.island.clear();
                self.reconnect()
            }
        }
    }

    fn clock(&self, node: usize) -> u64 {
        self.now_ms + self.skew[node]
    }

    fn tell(&mut self, node: usize, event: Event) -> Result<()> {
        let now = self.clock(node);
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        running.replica.handle(now, event);
        self.obey(node)
    }

    fn obey(&mut self, node: usize) -> Result<()> {
        let life = self.nodes[node].life;
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        for effect in running.replica.take_effects() {
            match effect {
                Effect::Save { entries, token } => {
                    let delay = self.disk_time(node, 0);
                    if let Some(running) = &mut self.nodes[node].running {
                        running.write_votes(&entries)?;
                    }
                    self.at(delay, What::Sync { node, life, token });
                }
                Effect::Send { to, message } => self.send(node, Some(to), &message)?,
                Effect::Broadcast(message) => self.send(node, None, &message)?,
                Effect::SetTimer { timer, at_ms } => {
                    let delay = at_ms.saturating_sub(self.clock(node));
                    self.at(delay, What::Timer { node, life, timer });
                }
                Effect::VerifyBatch(batch) => {
                    let valid = batch.transactions.iter().all(|t| t.verify());
                    self.tell(node, Event::BatchVerified { batch, valid })?;
                }
                Effect::Commit(decided) => {
                    self.agreement
                        .on_commit(&self.genesis, self.nodes[node].index.0, &decided)
                        .map_err(broken)?;
                    let delay = self.disk_time(node, 1);
                    if let Some(running) = &mut self.nodes[node].running {
                        running.blocks.append(&decided)?;
                    }
                    self.at(delay, What::Commit { node, life, decided });
                }
                Effect::SendBlocks { to, from, until } => {
                    if let Some(message) = self.nodes[node].blocks_for(from, until) {
                        self.send(node, Some(to), &message)?;
                    }
                }
                Effect::Diverged { certified, own } => {
                    return Err(anyhow!("node {node} diverged: {certified:?}, own {own:?}"));
                }
                Effect::Report(evidence) => {
                    let cheater = self.faulty();
                    self.fault("evidence");
                    check_evidence(&self.genesis, &evidence, cheater).map_err(broken)?;
                }
                Effect::Halt(reason) => return Err(anyhow!("node {node} halts: {reason}")),
            }
        }
        Ok(())
    }

    /// The validator that may contradict itself: a cheat, or one that has lost its vote log before
    /// it had decided anything and so cannot know that it is not new.
    fn faulty(&self) -> Option<u16> {
        let cheater = self.plan.cheat.map(|(node, _)| node);
        cheater.or(self.plan.amnesiac.filter(|_| self.forgot))
    }

    /// How long until one of a node's disks has done one more piece of work.
    fn disk_time(&mut self, node: usize, disk: usize) -> u64 {
        let slowest = if self.healed() { 3 } else { self.plan.disk_ms };
        let done = self.busy[node][disk].max(self.now_ms) + self.luck.between(0, slowest);
        self.busy[node][disk] = done;
        done - self.now_ms
    }

    fn commit(&mut self, node: usize, decided: &DecidedBlock) -> Result<()> {
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        let done = running.commit(decided)?;
        let ids = decided.block.transactions.iter().map(|t| t.id());
        let outcomes = ids.zip(done.outcomes);
        self.once.on_outcomes(done.executed.height, outcomes).map_err(broken)?;
        let index = self.nodes[node].index.0;
        self.agreement.on_executed(index, done.executed).map_err(broken)?;
        self.tell(node, Event::Executed(done.executed))
    }

    fn send(
        &mut self,
        node: usize,
        to: Option<ValidatorIndex>,
        message: &Arc<Message>,
    ) -> Result<()> {
        let from = self.nodes[node].index;
        let cheat = self.plan.cheat.filter(|(cheater, _)| *cheater == from.0 && !self.healed());
        let outgoing = match cheat {
            Some((_, kind)) if to.is_none() => {
                let key = self.nodes[node].key.clone();
                let cheater = Cheater {
                    kind,
                    key: &key,
                    ledger: self.genesis.ledger(),
                    own: from,
                    peers: self.plan.validators,
                };
                let (outgoing, cheated) = cheater.bend(&mut self.luck, message);
                if cheated {
                    self.fault(format!("{kind:?}"));
                }
                outgoing
            }
            Some(_) | None => {
                if self.faulty() != Some(from.0) {
                    let ledger = self.genesis.ledger();
                    self.one_vote.on_send(ledger, from, message).map_err(broken)?;
                }
                vec![(to, message.clone())]
            }
        };
        for (to, message) in outgoing {
            let everybody = (0..self.plan.validators).map(ValidatorIndex);
            for to in everybody.filter(|peer| to.map_or(*peer != from, |to| to == *peer)) {
                self.carry(from, to, &message);
            }
        }
        Ok(())
    }

    fn carry(&mut self, from: ValidatorIndex, to: ValidatorIndex, message: &Arc<Message>) {
        let mut copies = 1;
        let mut delay_max = 3;
        if !self.healed() {
            if self.island.contains(&from.place()) != self.island.contains(&to.place()) {
                return self.fault("partitioned");
            }
            if self.luck.percent(self.plan.loss) {
                return self.fault("lost message");
            }
            if self.luck.percent(self.plan.duplication) {
                self.fault("duplicate");
                copies = 2;
            }
            delay_max = self.plan.delay_ms;
        }
        for _ in 0..copies {
            let delay = self.luck.between(0, delay_max);
            if delay > 50 {
                self.fault("late message");
            }
            self.at(delay, What::Deliver { from, to, message: message.clone() });
        }
    }

    fn start(&mut self, node: usize, trust_state: bool) -> Result<()> {
        if self.nodes[node].running.is_some() {
            return Ok(());
        }
        let now = self.clock(node);
        self.nodes[node].start(now, trust_state)?;
        self.obey(node)?;
        self.reconnect()
    }

    /// Connections come up: everybody greets everybody.
    fn reconnect(&mut self) -> Result<()> {
        for node in 0..self.nodes.len() {
            for peer in 0..self.nodes.len() {
                if node != peer && self.nodes[peer].running.is_some() {
                    let index = self.nodes[peer].index;
                    let now = self.clock(node);
                    if let Some(running) = &mut self.nodes[node].running {
                        running.replica.handle(now, Event::Connected(index));
                    }
                }
            }
        }
        for node in 0..self.nodes.len() {
            self.obey(node)?;
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<()> {
        let gap = self.luck.between(10, 120);
        self.at(gap, What::Client);
        let node = self.luck.index(self.nodes.len());
        let transaction = if self.luck.percent(15) {
            self.schema.clone()
        } else {
            self.client.increment(&mut self.luck, self.now_ms)
        };
        self.tell(node, Event::Submit(vec![transaction.clone()]))?;
        if self.luck.percent(20) {
            // A client that got no answer in time tries another node.
            self.fault("repeated submission");
            let other = self.luck.index(self.nodes.len());
            self.tell(other, Event::Submit(vec![transaction]))?;
        }
        Ok(())
    }

    fn crash(&mut self) -> Result<()> {
        if self.healed() {
            return Ok(());
        }
        let every = self.plan.crash_every_ms.unwrap_or(1_000);
        let gap = self.luck.between(every / 2, every * 3 / 2);
        self.at(gap, What::Crash);
        let node = self.luck.index(self.nodes.len());
        let power_cut = self.plan.power_cuts && self.luck.percent(40);
        if self.plan.power_cuts && !power_cut && self.luck.percent(40) {
            // The process dies, starts again, acts on what it finds, and then the power goes.
            let soon = self.luck.between(30, 400);
            self.at(soon, What::PowerCut { node });
        }
        let down = if power_cut { self.luck.between(10, 1_500) } else { self.luck.between(1, 300) };
        self.end(node, power_cut, down)
    }

    /// Ends one node's process, and its machine with a power cut.
    fn end(&mut self, node: usize, power_cut: bool, down_ms: u64) -> Result<()> {
        if self.nodes[node].running.is_none() || self.healed() {
            return Ok(());
        }
        let lose_votes = self.plan.amnesiac == Some(self.nodes[node].index.0) && !self.forgot;
        self.fault(if power_cut { "power cut" } else { "crash" });
        if lose_votes {
            self.forgot = true;
            self.fault("lost vote log");
        }
        let trust_state = self.nodes[node].crash(power_cut, lose_votes)?;
        self.at(down_ms, What::Restart { node, trust_state });
        Ok(())
    }

    fn partition(&mut self) {
        if self.healed() {
            return;
        }
        let every = self.plan.partition_every_ms.unwrap_or(1_000);
        let (gap, length) = (self.luck.between(every / 2, every * 2), self.luck.between(50, every));
        self.at(gap, What::Partition);
        self.at(length, What::Rejoin);
        let size = self.luck.index(self.nodes.len());
        self.island = (0..=size).map(|_| self.luck.index(self.nodes.len())).collect();
    }

    fn heal(&mut self) -> Result<()> {
        self.island.clear();
        self.skew.fill(0);
        for node in 0..self.nodes.len() {
            self.start(node, true)?;
        }
        self.reconnect()
    }
}

fn committed(node: &Node) -> u64 {
    node.running.as_ref().map_or(0, |running| running.state.executed().height)
}

/// A node in one line, for a failure's message.
fn described(node: &Node) -> String {
    let Some(running) = &node.running else { return format!("  node {} is down", node.index) };
    let engine = running.replica.engine();
    format!(
        "  node {}: committed {}, deciding {} round {}, may vote {}, timeouts from {:?}, waiting {}",
        node.index,
        committed(node),
        engine.height(),
        engine.round(),
        engine.may_vote(),
        engine.timeouts_in_round(),
        running.replica.waiting()
    )
}

fn broken(what: Broken) -> anyhow::Error {
    anyhow!(what)
}
