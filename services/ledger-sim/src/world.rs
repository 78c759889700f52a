//! The event loop: virtual time, nodes, and what they ask of their shells.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, anyhow};
use ledger_consensus::{
    Rules,
    replica::{Effect, Event},
};
use ledger_types::{Genesis, Message, Transaction};

use crate::{
    attack::Siege,
    cheat::Cheater,
    client::Client,
    faults::{Failure, Fault, Report},
    genesis::{START_MS, administrator, consensus_key, genesis},
    invariants::{Agreement, Broken, ExactlyOnce, OneVote, check_evidence},
    luck::Luck,
    machines::Doom,
    network::Network,
    node::Node,
    plan::{Misfortune, Plan},
    schedule::{Schedule, What},
};

/// Virtual time after healing in which the ledger must go on.
const RECOVERY_MS: u64 = 120_000;
/// Events of one run at most: more means that something spins.
const EVENTS_MAX: u64 = 3_000_000;

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) luck: Luck,
    pub(crate) genesis: Genesis,
    pub(crate) schedule: Schedule,
    pub(crate) nodes: Vec<Node>,
    pub(crate) cheaters: BTreeMap<u16, Cheater>,
    pub(crate) network: Network,
    /// Nodes whose disk is about to fail.
    pub(crate) dooms: Vec<Option<Doom>>,
    pub(crate) skew: Vec<u64>,
    /// When each node's vote log and block log are next free: both work in order.
    busy: Vec<[u64; 2]>,
    client: Client,
    schema: Arc<Transaction>,
    /// The misfortune of a lost vote log has happened.
    pub(crate) forgot: bool,
    pub(crate) agreement: Agreement,
    pub(crate) one_vote: OneVote,
    pub(crate) once: ExactlyOnce,
    pub(crate) report: Report,
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

impl World {
    fn new(seed: u64, rules: Rules) -> Result<Self> {
        let plan = Plan::of(seed);
        let mut luck = Luck::new(seed);
        let genesis = genesis(&plan);
        genesis.check()?;
        let folder = tempfile::tempdir()?;
        let nodes: Vec<Node> = (0..plan.validators)
            .map(|n| {
                let path = folder.path().join(format!("{n}.db"));
                Node::new(n, consensus_key(n), &genesis, rules, seed, path)
            })
            .collect();
        let cheaters = plan.cheats.iter().map(|(node, kind)| {
            let index = nodes[usize::from(*node)].index;
            let key = consensus_key(*node);
            (*node, Cheater::new(*kind, key, genesis.ledger(), index, plan.validators))
        });
        let cheaters = cheaters.collect();
        let skew = nodes.iter().map(|_| luck.below(plan.skew_ms + 1)).collect();
        let siege = plan.attack.map(|attack| Siege::new(attack, luck.between(2, 6)));
        let mut client = Client::new(genesis.ledger(), administrator());
        let schema = client.schema(START_MS);
        let mut once = ExactlyOnce::default();
        once.schema(schema.id());
        Ok(Self {
            dooms: vec![None; nodes.len()],
            busy: vec![[0; 2]; nodes.len()],
            plan,
            luck,
            genesis,
            schedule: Schedule::new(START_MS),
            nodes,
            cheaters,
            network: Network::under(siege),
            skew,
            client,
            schema,
            forgot: false,
            agreement: Agreement::default(),
            one_vote: OneVote::default(),
            once,
            report: Report::default(),
            _folder: folder,
        })
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        *self.report.faults.entry(fault).or_default() += 1;
    }

    pub(crate) fn healed(&self) -> bool {
        self.schedule.now_ms >= START_MS + self.plan.heal_at_ms
    }

    fn play(mut self) -> Result<Report> {
        self.begin()?;
        let mut target = None;
        for _ in 0..EVENTS_MAX {
            let what = self.schedule.next().ok_or_else(|| anyhow!("nothing is left to happen"))?;
            if self.healed() && target.is_none() {
                self.heal()?;
                let highest = self.nodes.iter().map(Node::executed).max().unwrap_or(0);
                target = Some(highest + self.plan.heights_after);
            }
            self.happen(what)?;
            let Some(target) = target else { continue };
            if self.nodes.iter().all(|node| node.executed() >= target && node.is_well()) {
                return self.settle();
            }
            if self.schedule.now_ms > START_MS + self.plan.heal_at_ms + RECOVERY_MS {
                return Err(anyhow!(
                    "two minutes after all faults ended not all nodes are at height {target}:\n\
                     {}\n{:?}",
                    self.nodes.iter().map(Node::described).collect::<Vec<_>>().join("\n"),
                    self.plan
                ));
            }
        }
        Err(anyhow!("{EVENTS_MAX} events: something spins"))
    }

    /// Starts the nodes, and plans the first of everything that the seed brings.
    fn begin(&mut self) -> Result<()> {
        for node in 0..self.nodes.len() {
            self.start(node)?;
            self.schedule.after(1, What::Tick { node });
        }
        self.schedule.after(1, What::Client);
        let plan = &self.plan;
        let disks_fail = plan.full_disks || plan.power_cuts;
        for (is_planned, in_ms, what) in [
            (plan.crash_every_ms.is_some(), 200, What::Crash),
            (plan.partition_every_ms.is_some(), 300, What::Partition),
            (plan.one_way_every_ms.is_some(), 250, What::CutOneWay),
            (plan.misfortune.is_some(), 500, What::Misfortune),
            (disks_fail, 150, What::FailDisk),
            (plan.withdrawals, 400, What::Withdraw),
        ] {
            if is_planned {
                self.schedule.after(in_ms, what);
            }
        }
        Ok(())
    }

    fn happen(&mut self, what: What) -> Result<()> {
        match what {
            What::Deliver { from, to, life, message } => {
                let to = to.place();
                if self.nodes[to].life != life {
                    return Ok(());
                }
                if let Message::Blocks(blocks) = &*message {
                    self.take_blocks(to, blocks)?;
                }
                self.tell(to, Event::Message { from, message: (*message).clone() })
            }
            What::Timer { node, life, timer } if self.nodes[node].life == life => {
                self.tell(node, Event::Timer(timer))
            }
            What::Sync { node, life, token } if self.nodes[node].life == life => {
                let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
                match running.sync_votes() {
                    Ok(()) => self.tell(node, Event::Saved { token }),
                    Err(error) => self.fall(node, error),
                }
            }
            What::Commit { node, life, height } if self.nodes[node].life == life => {
                let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
                match running.store(height) {
                    Ok(()) => self.mend(node),
                    Err(error) => self.fall(node, error),
                }
            }
            What::Patrol { node, life } if self.nodes[node].life == life => self.patrol(node),
            What::Mend { node, life } if self.nodes[node].life == life => self.mend_again(node),
            What::Rejoin { node, life } if self.nodes[node].life == life => {
                if let Some(running) = &mut self.nodes[node].running {
                    running.resting = false;
                }
                self.mend(node)
            }
            What::Timer { .. }
            | What::Sync { .. }
            | What::Commit { .. }
            | What::Patrol { .. }
            | What::Mend { .. }
            | What::Rejoin { .. } => Ok(()),
            What::Tick { node } => {
                self.schedule.after(10, What::Tick { node });
                self.tell(node, Event::Tick)
            }
            What::Client => self.submit(),
            What::Restart { node } => self.start(node),
            What::HealPartition => self.heal_partition(),
            What::HealOneWay => self.heal_one_way(),
            fault if !self.healed() => self.strike(fault),
            _ => Ok(()),
        }
    }

    /// A fault of the plan; each plans its next occurrence.
    fn strike(&mut self, fault: What) -> Result<()> {
        match fault {
            What::Crash => self.crash(self.plan.crash_every_ms.unwrap_or(1_000))?,
            What::PowerCut { node } => self.power_cut(node),
            What::Partition => self.partition(self.plan.partition_every_ms.unwrap_or(1_000)),
            What::CutOneWay => self.cut_one_way(self.plan.one_way_every_ms.unwrap_or(1_000)),
            What::FailDisk => self.fail_disk(),
            What::Withdraw => self.withdraw(),
            What::Misfortune => {
                if let Some((node, what)) = self.plan.misfortune {
                    self.misfortune(node.into(), what)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn clock(&self, node: usize) -> u64 {
        self.schedule.now_ms + self.skew[node]
    }

    pub(crate) fn tell(&mut self, node: usize, event: Event) -> Result<()> {
        let now = self.clock(node);
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        running.replica.handle(now, event);
        self.obey(node)
    }

    /// Carries out what a replica wants.
    pub(crate) fn obey(&mut self, node: usize) -> Result<()> {
        let life = self.nodes[node].life;
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        for effect in running.replica.take_effects() {
            if self.nodes[node].life != life {
                // It has fallen over an effect: the rest died with it.
                return Ok(());
            }
            match effect {
                Effect::Save { entries, token } => {
                    let delay = self.disk_time(node, 0);
                    let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
                    match running.write_votes(&entries) {
                        Ok(()) => self.schedule.after(delay, What::Sync { node, life, token }),
                        Err(error) => self.fall(node, error)?,
                    }
                }
                Effect::Send { to, message } => self.send(node, Some(to), &message)?,
                Effect::Broadcast(message) => self.send(node, None, &message)?,
                Effect::SetTimer { timer, at_ms } => {
                    let delay = at_ms.saturating_sub(self.clock(node));
                    self.schedule.after(delay, What::Timer { node, life, timer });
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
                    let height = decided.block.header.height;
                    let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
                    match running.blocks.append(&decided) {
                        Ok(()) => self.schedule.after(delay, What::Commit { node, life, height }),
                        Err(error) => self.fall(node, error.into())?,
                    }
                }
                Effect::SendBlocks { to, from, until } => {
                    if let Some(message) = self.nodes[node].blocks_for(from, until) {
                        self.send(node, Some(to), &message)?;
                    }
                }
                Effect::Diverged { certified, own } => {
                    if !self.plan.has(node, Misfortune::RowsEdited) {
                        return Err(anyhow!("node {node} diverged: {certified:?}, own {own:?}"));
                    }
                    self.distrust(node)?;
                }
                Effect::Report(evidence) => {
                    self.report.evidence += 1;
                    check_evidence(&self.genesis, &evidence, &self.plan).map_err(broken)?;
                }
                Effect::Halt(reason) => return Err(anyhow!("node {node} halts: {reason}")),
            }
        }
        Ok(())
    }

    /// How long until one of a node's disks has done one more piece of work.
    fn disk_time(&mut self, node: usize, disk: usize) -> u64 {
        let slowest = if self.healed() { 3 } else { self.plan.disk_ms };
        let now = self.schedule.now_ms;
        let done = self.busy[node][disk].max(now) + self.luck.between(0, slowest);
        self.busy[node][disk] = done;
        done - now
    }

    fn submit(&mut self) -> Result<()> {
        let gap = self.luck.between(10, 120);
        self.schedule.after(gap, What::Client);
        let node = self.luck.index(self.nodes.len());
        let transaction = if self.luck.percent(15) {
            self.schema.clone()
        } else {
            self.client.increment(&mut self.luck, self.schedule.now_ms)
        };
        self.tell(node, Event::Submit(vec![transaction.clone()]))?;
        if self.luck.percent(20) {
            // A client that got no answer in time tries another node.
            self.fault(Fault::RepeatedSubmission);
            let other = self.luck.index(self.nodes.len());
            self.tell(other, Event::Submit(vec![transaction]))?;
        }
        Ok(())
    }
}

pub(crate) fn broken(what: Broken) -> anyhow::Error {
    anyhow!(what)
}
