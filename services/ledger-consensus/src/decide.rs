//! Decisions: own, told by a peer, or fetched.

use ledger_types::{BlockHeader, Certificate};

use crate::{
    command::{Command, HaltReason},
    engine::Engine,
};

impl Engine {
    /// A decision that a peer tells.
    pub(crate) fn on_decision(&mut self, certificate: Certificate) {
        if self.at.decision.is_none() && self.is_decision(&certificate) {
            self.decide(certificate);
        }
    }

    fn is_decision(&self, certificate: &Certificate) -> bool {
        let config = &self.config;
        certificate.height == self.height
            && certificate.epoch == config.epoch
            && certificate.decides()
            && certificate.verify(config.ledger, &config.keys, &config.quorum).is_ok()
    }

    /// Takes a decision that holds.
    pub(crate) fn decide(&mut self, certificate: Certificate) {
        if self.at.decision.is_some() {
            return;
        }
        let block = certificate.block;
        self.at.decision = Some(certificate);
        if !self.decide_if_seen() {
            self.fetch(block);
            self.start_resend_timer();
        }
    }

    /// Goes on if the decided block is known; says whether it did.
    pub(crate) fn decide_if_seen(&mut self) -> bool {
        let Some(certificate) = self.at.decision.clone() else { return false };
        let Some(seen) = self.at.seen.get(&certificate.block).cloned() else { return false };
        let header = seen.header.clone();
        self.commands.push(Command::Decide {
            header: seen.header,
            batches: seen.batches,
            certificate: certificate.clone(),
        });
        self.advance(&header, certificate);
        true
    }

    /// A block that the shell fetched from a peer and stored.
    pub(crate) fn on_synced(&mut self, header: &BlockHeader, certificate: Certificate) {
        if header.height != self.height
            || !self.is_decision(&certificate)
            || certificate.block != header.digest(self.config.ledger)
        {
            return;
        }
        if header.parent != self.parent {
            self.halt(HaltReason::Fork { height: self.height });
            return;
        }
        self.advance(header, certificate);
    }
}
