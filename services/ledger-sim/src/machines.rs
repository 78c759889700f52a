//! Processes that end, machines that go down, disks that have no room, and their coming back.

use std::io;

use anyhow::{Result, anyhow};

use crate::{faults::Fault, plan::Misfortune, schedule::What, world::World};

/// Why a node's disk is going to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doom {
    /// There is no room left. The process must end by itself, and lose nothing.
    NoRoom,
    /// The machine goes down in the middle of a call.
    PowerCut,
}

impl World {
    pub(crate) fn start(&mut self, node: usize) -> Result<()> {
        if self.nodes[node].running.is_some() {
            return Ok(());
        }
        let now = self.clock(node);
        let started = self.nodes[node].start(now);
        if let Err(error) = started {
            return self.fall(node, error);
        }
        self.obey(node)?;
        let told = self.nodes[node].executed();
        self.nodes[node].acknowledged = told.max(self.nodes[node].acknowledged);
        self.mend(node)?;
        self.reconnect()
    }

    /// Ends a node at an error of its disk, if its disk is meant to fail; any other error is a
    /// broken promise.
    pub(crate) fn fall(&mut self, node: usize, error: anyhow::Error) -> Result<()> {
        let is_full = error.chain().any(|cause| {
            let cause = cause.downcast_ref::<io::Error>();
            cause.is_some_and(|cause| cause.kind() == io::ErrorKind::StorageFull)
        });
        let doom = self.dooms[node].filter(|_| is_full);
        let Some(doom) = doom else {
            return Err(error.context(format!("node {node}")));
        };
        let was_up = self.nodes[node].running.is_some();
        match doom {
            Doom::NoRoom => {
                self.fault(if was_up { Fault::FullDisk } else { Fault::FullDiskAtStart });
                // Somebody makes room, or has the node try first.
                let has_room = !was_up || self.luck.percent(60);
                if has_room {
                    self.dooms[node] = None;
                    self.nodes[node].make_room();
                }
                self.nodes[node].crash(false);
            }
            Doom::PowerCut => {
                self.fault(Fault::PowerCutInACall);
                self.dooms[node] = None;
                self.nodes[node].crash(true);
            }
        }
        let down = self.luck.between(20, 600);
        self.schedule.after(down, What::Restart { node });
        Ok(())
    }

    /// Some node's process ends, or its machine goes down.
    pub(crate) fn crash(&mut self, every: u64) -> Result<()> {
        let gap = self.luck.between(every / 2, every * 3 / 2);
        self.schedule.after(gap, What::Crash);
        let node = self.luck.index(self.nodes.len());
        let power_cut = self.plan.power_cuts && self.luck.percent(40);
        if self.plan.power_cuts && !power_cut && self.luck.percent(40) {
            // The process dies, starts again, acts on what it finds, and then the power goes.
            let soon = self.luck.between(30, 400);
            self.schedule.after(soon, What::PowerCut { node });
        }
        let down = if power_cut { self.luck.between(10, 1_500) } else { self.luck.between(1, 300) };
        self.end(node, power_cut, down);
        Ok(())
    }

    pub(crate) fn power_cut(&mut self, node: usize) {
        if self.end(node, true, 100) {
            self.fault(Fault::PowerCutAfterCrash);
        }
    }

    /// Ends one node's process, and its machine with a power cut; whether it was up.
    pub(crate) fn end(&mut self, node: usize, power_cut: bool, down_ms: u64) -> bool {
        if self.nodes[node].running.is_none() || self.healed() {
            return false;
        }
        self.fault(if power_cut { Fault::PowerCut } else { Fault::Crash });
        self.dooms[node] = None;
        self.nodes[node].make_room();
        self.nodes[node].crash(power_cut);
        self.schedule.after(down_ms, What::Restart { node });
        true
    }

    /// Some node's disk is going to fail within its next calls.
    pub(crate) fn fail_disk(&mut self) {
        let gap = self.luck.between(300, 1_500);
        self.schedule.after(gap, What::FailDisk);
        let node = self.luck.index(self.nodes.len());
        let no_room = self.plan.full_disks && (!self.plan.power_cuts || self.luck.percent(50));
        if self.dooms[node].is_none() {
            self.dooms[node] = Some(if no_room { Doom::NoRoom } else { Doom::PowerCut });
            self.nodes[node].fail_disk(&mut self.luck);
        }
    }

    /// What the seed has in store for one node in particular.
    pub(crate) fn misfortune(&mut self, node: usize, what: Misfortune) -> Result<()> {
        let gap = self.luck.between(300, 1_500);
        self.schedule.after(gap, What::Misfortune);
        let down = self.luck.between(1, 300);
        let crashes = self.luck.percent(35);
        match what {
            Misfortune::LosesVotes => {
                let is_due = !self.forgot && self.nodes[node].ran_before;
                let power_cut = self.plan.power_cuts && self.luck.percent(50);
                if is_due && self.end(node, power_cut, down) {
                    self.forgot = true;
                    self.nodes[node].lose_votes()?;
                    self.fault(Fault::LostVoteLog);
                }
                return Ok(());
            }
            Misfortune::LosesState => {
                if self.end(node, false, down) {
                    self.nodes[node].lose_state()?;
                    self.fault(Fault::LostState);
                }
                return Ok(());
            }
            Misfortune::BlocksRot => {
                self.nodes[node].may_rot = true;
                if !self.nodes[node].rot(&mut self.luck)? {
                    return Ok(());
                }
                self.fault(Fault::RottenBlock);
            }
            Misfortune::RowsEdited => {
                self.nodes[node].may_be_edited = true;
                if !self.nodes[node].edit_row(&mut self.luck) {
                    return Ok(());
                }
                self.fault(Fault::EditedRow);
            }
        }
        if crashes && self.end(node, false, down) {
            return Ok(());
        }
        let life = self.nodes[node].life;
        let soon = self.luck.between(5, 400);
        self.schedule.after(soon, What::Patrol { node, life });
        Ok(())
    }

    /// Some node is told to keep silent for a while.
    pub(crate) fn withdraw(&mut self) {
        let gap = self.luck.between(500, 2_000);
        self.schedule.after(gap, What::Withdraw);
        let node = self.luck.index(self.nodes.len());
        let life = self.nodes[node].life;
        let Some(running) = &mut self.nodes[node].running else { return };
        running.resting = true;
        running.replica.withdraw();
        self.fault(Fault::Withdrawn);
        let length = self.luck.between(50, 1_000);
        self.schedule.after(length, What::Rejoin { node, life });
    }

    /// All faults end.
    pub(crate) fn heal(&mut self) -> Result<()> {
        self.network.heal();
        self.skew.fill(0);
        self.dooms.fill(None);
        for node in 0..self.nodes.len() {
            self.nodes[node].make_room();
            self.start(node)?;
            let life = self.nodes[node].life;
            let running = self.nodes[node].running.as_mut();
            let running = running.ok_or_else(|| anyhow!("node {node} does not start"))?;
            running.resting = false;
            // What rots unseen must be found by somebody who looks.
            self.schedule.after(0, What::Patrol { node, life });
        }
        self.reconnect()
    }
}
