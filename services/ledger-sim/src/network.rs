//! What becomes of a message: bent by a cheat, lost, doubled, late, held back, delivered.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Result;
use ledger_consensus::replica::Event;
use ledger_types::{ConsensusMessage, Message, ValidatorIndex};

use crate::{
    attack::{Link, Siege},
    faults::Fault,
    schedule::What,
    world::{World, broken},
};

/// Longest delay of a message when nothing is wrong.
const CALM_DELAY_MS: u64 = 3;
/// A message that takes longer counts as late.
const LATE_MS: u64 = 50;

/// Which links do not work.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// Nodes cut off from the rest.
    island: BTreeSet<usize>,
    /// Links that work in the other direction only: from, to.
    cuts: BTreeSet<(usize, usize)>,
    pub(crate) siege: Option<Siege>,
}

impl Network {
    pub(crate) fn under(siege: Option<Siege>) -> Self {
        Self { siege, ..Self::default() }
    }

    pub(crate) fn heal(&mut self) {
        *self = Self::default();
    }
}

impl World {
    /// A message leaves a node, for one peer or for all.
    pub(crate) fn send(
        &mut self,
        node: usize,
        to: Option<ValidatorIndex>,
        message: &Arc<Message>,
    ) -> Result<()> {
        let from = self.nodes[node].index;
        let healed = self.healed();
        let mut outgoing = vec![(to, message.clone())];
        if !self.plan.is_cheat(from.0) {
            let ledger = self.genesis.ledger();
            self.one_vote.on_send(ledger, from, message).map_err(broken)?;
        } else if !healed && let Some(cheater) = self.cheaters.get_mut(&from.0) {
            let (bent, cheated) = cheater.bend(&mut self.luck, to, message);
            let kind = cheater.kind;
            outgoing = bent;
            if cheated {
                self.fault(Fault::Cheated(kind));
            }
        }
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
        let mut delay_max = CALM_DELAY_MS;
        if !self.healed() {
            if !self.siege_lets(from, to, message) {
                return;
            }
            let (from, to) = (from.place(), to.place());
            if self.network.island.contains(&from) != self.network.island.contains(&to) {
                return self.fault(Fault::Partitioned);
            }
            if self.network.cuts.contains(&(from, to)) {
                return self.fault(Fault::OneWayCut);
            }
            if self.luck.percent(self.plan.loss) {
                return self.fault(Fault::LostMessage);
            }
            if self.luck.percent(self.plan.duplication) {
                self.fault(Fault::Duplicate);
                copies = 2;
            }
            delay_max = self.plan.delay_ms;
        }
        // A message belongs to a connection, which ends with either process.
        let life = self.nodes[to.place()].life;
        for _ in 0..copies {
            let delay = self.luck.between(0, delay_max);
            if delay > LATE_MS {
                self.fault(Fault::LateMessage);
            }
            let message = message.clone();
            self.schedule.after(delay, What::Deliver { from, to, life, message });
        }
    }

    /// Whether an attack on the height in progress lets a message through; begins and ends it.
    fn siege_lets(
        &mut self,
        from: ValidatorIndex,
        to: ValidatorIndex,
        message: &Arc<Message>,
    ) -> bool {
        let Some(mut siege) = self.network.siege.take() else { return true };
        let now = self.schedule.now_ms;
        let heights: Vec<u64> = self.nodes.iter().map(|node| node.deciding()).collect();
        if let Message::Consensus(ConsensusMessage::Proposal(proposal)) = &**message
            && let Some(leader) = self.first_leader(from, proposal.header.height)
            && siege.begin(proposal.header.height, leader, now)
            && let Some(attack) = self.plan.attack
        {
            self.fault(Fault::Attacked(attack));
        }
        siege.end(&heights, now);
        let height = |node: ValidatorIndex| heights.get(node.place()).copied().unwrap_or(0);
        let link = Link { from: (from.0, height(from)), to: (to.0, height(to)) };
        let lets = siege.lets(link, message);
        self.network.siege = Some(siege);
        lets
    }

    /// Who leads round 0 of a height that a node is deciding.
    fn first_leader(&self, node: ValidatorIndex, height: u64) -> Option<u16> {
        let engine = self.nodes[node.place()].running.as_ref()?.replica.engine();
        let n = u64::from(self.plan.validators);
        let back = u64::from(engine.round()) % n;
        let first = (u64::from(engine.leader().0) + n - back) % n;
        (engine.height() == height && engine.round() == 0).then_some(u16::try_from(first).ok()?)
    }

    /// Connections come up: everybody greets everybody.
    pub(crate) fn reconnect(&mut self) -> Result<()> {
        for node in 0..self.nodes.len() {
            for peer in 0..self.nodes.len() {
                if node != peer && self.nodes[peer].running.is_some() {
                    let index = self.nodes[peer].index;
                    self.tell(node, Event::Connected(index))?;
                }
            }
        }
        Ok(())
    }

    /// Some nodes are cut off from the others for a while.
    pub(crate) fn partition(&mut self, every: u64) {
        let (gap, length) = (self.luck.between(every / 2, every * 2), self.luck.between(50, every));
        self.schedule.after(gap, What::Partition);
        self.schedule.after(length, What::HealPartition);
        let size = self.luck.index(self.nodes.len());
        self.network.island = (0..=size).map(|_| self.luck.index(self.nodes.len())).collect();
    }

    pub(crate) fn heal_partition(&mut self) -> Result<()> {
        self.network.island.clear();
        self.reconnect()
    }

    /// Some links lose what goes in one direction for a while; what goes back arrives.
    pub(crate) fn cut_one_way(&mut self, every: u64) {
        let (gap, length) = (self.luck.between(every / 2, every * 2), self.luck.between(50, every));
        self.schedule.after(gap, What::CutOneWay);
        self.schedule.after(length, What::HealOneWay);
        let node = self.luck.index(self.nodes.len());
        let is_mute = self.luck.percent(50);
        for peer in 0..self.nodes.len() {
            if peer != node && self.luck.percent(70) {
                self.network.cuts.insert(if is_mute { (node, peer) } else { (peer, node) });
            }
        }
    }

    pub(crate) fn heal_one_way(&mut self) -> Result<()> {
        self.network.cuts.clear();
        self.reconnect()
    }
}
