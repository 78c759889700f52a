//! A cluster of engines in memory: virtual time, messages delivered in order, saves at once.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use ledger_consensus::{
    Command, Config, Engine, Evidence, HaltReason, Input, Record, Restored, Timer, Timing,
};
use ledger_types::{
    BatchRef, Block, BlockHeader, Certificate, ConsensusMessage, Digest, Executed, LedgerId,
    Policy, Quorum, SigningKey, ValidatorIndex,
};

pub(crate) const LEDGER: LedgerId = LedgerId([1; 16]);
pub(crate) const GENESIS: Digest = Digest([0xaa; 32]);

pub(crate) fn key(index: u16) -> SigningKey {
    SigningKey::from_seed(&[u8::try_from(index).unwrap() + 1; 32])
}

pub(crate) fn config(policy: Policy, n: u16, own: u16) -> Config {
    Config {
        ledger: LEDGER,
        epoch: 0,
        quorum: Quorum::new(policy, n),
        keys: (0..n).map(|i| key(i).public_key()).collect(),
        own: ValidatorIndex(own),
        key: Arc::new(key(own)),
        timing: Timing::default(),
    }
}

pub(crate) fn header(height: u64, parent: Digest, proposer: u16, salt: u8) -> BlockHeader {
    BlockHeader {
        height,
        epoch: 0,
        parent,
        time_ms: height * 1_000 + u64::from(salt),
        proposer: ValidatorIndex(proposer),
        transaction_count: 0,
        transactions_root: Block::transactions_root(&[]),
        batches: BatchRef::list_digest(&[], LEDGER),
        executed: Executed { height: height - 1, root: Digest([salt; 32]) },
    }
}

/// One node: the engine and what its shell would keep.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) log: Vec<Record>,
    pub(crate) decided: Vec<(BlockHeader, Certificate)>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) halted: Option<HaltReason>,
    pub(crate) up: bool,
    /// Refuses to call any block valid.
    pub(crate) refuses: bool,
    timers: Vec<(u64, Timer)>,
}

/// What a test may do to a message on its way: deliver (`true`) or lose it.
pub(crate) type Filter = Box<dyn Fn(u16, u16, &ConsensusMessage) -> bool>;

pub(crate) struct Cluster {
    pub(crate) policy: Policy,
    pub(crate) nodes: Vec<Node>,
    pub(crate) now_ms: u64,
    pub(crate) deliver: Filter,
    /// Whether restarted nodes hear everybody's head at once.
    pub(crate) introduces: bool,
    /// Whether clients always have another transaction.
    busy: bool,
    wire: VecDeque<(u16, u16, ConsensusMessage)>,
    /// Answers of shells to their own engines.
    answers: VecDeque<(usize, Input)>,
    blocks: BTreeMap<Digest, (BlockHeader, Vec<BatchRef>)>,
}

impl Cluster {
    pub(crate) fn new(policy: Policy, n: u16) -> Self {
        let nodes =
            (0..n).map(|i| Self::node(config(policy, n, i), Restored::fresh(GENESIS), 0)).collect();
        let mut cluster = Self {
            policy,
            nodes,
            now_ms: 0,
            deliver: Box::new(|_, _, _| true),
            introduces: true,
            busy: false,
            wire: VecDeque::new(),
            answers: VecDeque::new(),
            blocks: BTreeMap::new(),
        };
        cluster.introduce();
        cluster
    }

    fn node(config: Config, restored: Restored, now_ms: u64) -> Node {
        let log = restored.records.clone();
        Node {
            engine: Engine::new(config, restored, now_ms),
            log,
            decided: Vec::new(),
            evidence: Vec::new(),
            halted: None,
            up: true,
            refuses: false,
            timers: Vec::new(),
        }
    }

    /// Every node tells every other its height, as heads do on connection.
    pub(crate) fn introduce(&mut self) {
        for at in 0..self.nodes.len() {
            for peer in 0..self.nodes.len() {
                if peer != at && self.nodes[peer].up {
                    self.tell(at, self.head(peer, at));
                }
            }
        }
    }

    /// What `peer`'s head tells `to`.
    pub(crate) fn head(&self, peer: usize, to: usize) -> Input {
        let engine = &self.nodes[peer].engine;
        Input::PeerHeight {
            peer: ValidatorIndex(u16::try_from(peer).unwrap()),
            in_progress: engine.height(),
            heard_me: engine.heard()[to],
            proof: engine.proof().cloned(),
        }
    }

    pub(crate) fn tell(&mut self, at: usize, input: Input) {
        if self.nodes[at].up {
            self.nodes[at].engine.handle(self.now_ms, input);
            self.obey(at);
        }
    }

    fn obey(&mut self, at: usize) {
        let from = u16::try_from(at).unwrap();
        for command in self.nodes[at].engine.take_commands() {
            match command {
                Command::Save { record, token } => {
                    self.nodes[at].log.push(*record);
                    self.answers.push_back((at, Input::Saved { token }));
                }
                Command::Send { to, message } => self.wire.push_back((from, to.0, message)),
                Command::Broadcast(message) => {
                    for to in (0..self.nodes.len()).map(|n| u16::try_from(n).unwrap()) {
                        if to != from {
                            self.wire.push_back((from, to, message.clone()));
                        }
                    }
                }
                Command::SetTimer { timer, at_ms } => self.nodes[at].timers.push((at_ms, timer)),
                Command::Build { height, round, parent } => {
                    let header = header(height, parent, from, u8::try_from(round).unwrap());
                    let digest = header.digest(LEDGER);
                    self.blocks.insert(digest, (header.clone(), vec![]));
                    self.answers
                        .push_back((at, Input::Built { height, round, header, batches: vec![] }));
                }
                Command::Validate { header, batches } => {
                    let block = header.digest(LEDGER);
                    self.blocks.insert(block, (header, batches));
                    let valid = !self.nodes[at].refuses;
                    self.answers.push_back((at, Input::Validated { block, valid }));
                }
                Command::FetchProposed { block, .. } => {
                    if let Some((header, batches)) = self.blocks.get(&block).cloned() {
                        self.answers.push_back((at, Input::Proposed { header, batches }));
                    }
                }
                Command::Decide { header, certificate, .. } => {
                    self.nodes[at].decided.push((header, certificate));
                    if self.busy {
                        self.answers.push_back((at, Input::Work));
                    }
                }
                Command::CatchUp { .. } => self.sync(at),
                Command::Report(evidence) => self.nodes[at].evidence.push(*evidence),
                Command::Halt(reason) => self.nodes[at].halted = Some(reason),
            }
        }
    }

    /// Gives a node the decided blocks it lacks, as a shell fetches them.
    fn sync(&mut self, at: usize) {
        let Some(best) = self.nodes.iter().map(|n| n.decided.clone()).max_by_key(Vec::len) else {
            return;
        };
        for (header, certificate) in best {
            if header.height == self.nodes[at].engine.height() {
                self.nodes[at].decided.push((header.clone(), certificate.clone()));
                self.tell(at, Input::Synced { header, certificate });
            }
        }
    }

    /// Delivers messages and, when none is left, the next timer, until `done` or `until_ms`.
    pub(crate) fn run(&mut self, until_ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        for _ in 0..200_000 {
            if done(self) {
                return true;
            }
            if let Some((at, input)) = self.answers.pop_front() {
                self.tell(at, input);
                continue;
            }
            if let Some((from, to, message)) = self.wire.pop_front() {
                if self.nodes[usize::from(from)].up && (self.deliver)(from, to, &message) {
                    let from = ValidatorIndex(from);
                    self.tell(usize::from(to), Input::Message { from, message });
                }
                continue;
            }
            let next =
                self.nodes.iter().filter(|n| n.up).flat_map(|n| &n.timers).map(|t| t.0).min();
            match next {
                Some(at_ms) if at_ms <= until_ms => self.fire(at_ms),
                Some(_) | None => return false,
            }
        }
        panic!("200,000 steps without an end: the cluster is spinning");
    }

    fn fire(&mut self, at_ms: u64) {
        self.now_ms = self.now_ms.max(at_ms);
        for at in 0..self.nodes.len() {
            if !self.nodes[at].up {
                continue;
            }
            let (due, rest) = self.nodes[at].timers.drain(..).partition(|t| t.0 <= at_ms);
            self.nodes[at].timers = rest;
            let due: Vec<(u64, Timer)> = due;
            due.into_iter().for_each(|(_, timer)| self.tell(at, Input::Timer(timer)));
        }
    }

    /// Runs until every node that is up has decided `height`.
    pub(crate) fn reaches(&mut self, height: u64, within_ms: u64) -> bool {
        self.busy = true;
        for at in 0..self.nodes.len() {
            self.tell(at, Input::Work);
        }
        let until = self.now_ms + within_ms;
        let reached = self
            .run(until, |c| c.nodes.iter().filter(|n| n.up).all(|n| n.engine.height() > height));
        self.assert_agreement();
        reached
    }

    pub(crate) fn assert_agreement(&self) {
        let mut decided: BTreeMap<u64, Digest> = BTreeMap::new();
        for node in &self.nodes {
            for (header, certificate) in &node.decided {
                let digest = header.digest(LEDGER);
                assert_eq!(certificate.block, digest, "a decision must be for its block");
                let before = *decided.entry(header.height).or_insert(digest);
                assert_eq!(before, digest, "two blocks decided at height {}", header.height);
            }
        }
    }

    /// Stops a node and starts it again from what its shell kept.
    pub(crate) fn restart(&mut self, at: usize, keep_log: bool) {
        let node = &self.nodes[at];
        let (height, decided) = (node.engine.height(), node.decided.clone());
        let log = if keep_log { node.log.clone() } else { Vec::new() };
        self.start_again(at, height, decided, log, keep_log);
    }

    /// Stops a node and starts it from another state of its disk.
    pub(crate) fn restart_from(
        &mut self,
        at: usize,
        height: u64,
        decided: Vec<(BlockHeader, Certificate)>,
        log: Vec<Record>,
    ) {
        self.start_again(at, height, decided, log, true);
    }

    fn start_again(
        &mut self,
        at: usize,
        height: u64,
        decided: Vec<(BlockHeader, Certificate)>,
        log: Vec<Record>,
        log_intact: bool,
    ) {
        let last = decided.last();
        let restored = Restored {
            height,
            parent: last.map_or(GENESIS, |(header, _)| header.digest(LEDGER)),
            last_proposer: last.map_or(ValidatorIndex(0), |(header, _)| header.proposer),
            decision: last.map(|(_, certificate)| certificate.clone()),
            records: log.into_iter().filter(|r| r.height() >= height).collect(),
            log_intact,
        };
        let config = config(self.policy, u16::try_from(self.nodes.len()).unwrap(), at as u16);
        let evidence = self.nodes[at].evidence.clone();
        self.answers.retain(|(node, _)| *node != at);
        self.nodes[at] = Self::node(config, restored, self.now_ms);
        self.nodes[at].decided = decided;
        self.nodes[at].evidence = evidence;
        self.obey(at);
        if self.introduces {
            self.introduce();
        }
    }

    /// Puts a message on the wire as if `from` had sent it to `to`.
    pub(crate) fn forge(&mut self, from: u16, to: u16, message: ConsensusMessage) {
        self.wire.push_back((from, to, message));
    }

    /// Offers a block for fetching.
    pub(crate) fn publish(&mut self, header: &BlockHeader) {
        self.blocks.insert(header.digest(LEDGER), (header.clone(), vec![]));
    }

    pub(crate) fn accused(&self) -> Vec<ValidatorIndex> {
        self.nodes.iter().flat_map(|n| &n.evidence).map(Evidence::culprit).collect()
    }
}
