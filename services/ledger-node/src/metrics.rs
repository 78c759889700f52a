//! What Prometheus reads.

use std::{sync::Arc, time::Instant};

use anyhow::Result;
use ledger_types::Outcome;
use prometheus::{
    Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::{api::Status, incident::IncidentKind};

/// From the decision of a block to its execution here, seconds.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The node's metrics.
pub(crate) struct Metrics {
    registry: Registry,
    height: IntGauge,
    executed: IntGauge,
    round: IntGauge,
    peers: IntGauge,
    waiting: IntGauge,
    may_vote: IntGauge,
    quorum: IntGauge,
    integrity: IntGauge,
    transactions: IntCounterVec,
    incidents: IntCounterVec,
    block_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Result<Arc<Self>> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| -> Result<IntGauge> {
            let gauge = IntGauge::new(format!("hansa_node_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let counter = |name: &str, help: &str, label: &str| -> Result<IntCounterVec> {
            let options = Opts::new(format!("hansa_node_{name}"), help);
            let counter = IntCounterVec::new(options, &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let seconds = HistogramOpts::new(
            "hansa_node_block_seconds",
            "From the decision of a block to its execution on this node.",
        );
        let block_seconds = Histogram::with_opts(seconds.buckets(SECONDS.to_vec()))?;
        registry.register(Box::new(block_seconds.clone()))?;
        let build = Opts::new("hansa_node_build_info", "The node's release; always 1.");
        let build = IntGaugeVec::new(build, &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        let metrics = Self {
            height: gauge("height", "Last decided height.")?,
            executed: gauge("executed_height", "Last executed height.")?,
            round: gauge("round", "Round of the height in progress.")?,
            peers: gauge("peers_connected", "Validators that this node is connected to.")?,
            waiting: gauge("mempool_transactions", "Transactions that wait to be ordered.")?,
            may_vote: gauge("may_vote", "1 while the node takes part in votes.")?,
            quorum: gauge("quorum_reachable", "1 while enough validators are connected.")?,
            integrity: gauge("integrity", "1 while nothing on disk is known to be wrong.")?,
            transactions: counter("transactions_total", "Executed, by outcome.", "outcome")?,
            incidents: counter("incidents_total", "Found wrong, by kind.", "kind")?,
            block_seconds,
            registry,
        };
        for outcome in ["applied", "refused"] {
            metrics.transactions.with_label_values(&[outcome]).inc_by(0);
        }
        for kind in IncidentKind::ALL {
            metrics.incidents.with_label_values(&[kind.as_str()]).inc_by(0);
        }
        Ok(Arc::new(metrics))
    }

    pub(crate) fn look(&self, status: &Status, is_whole: bool) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.height.set(number(status.height));
        self.executed.set(number(status.executed_height));
        self.round.set(i64::from(status.round));
        self.peers.set(number(status.peers_connected.len() as u64));
        self.waiting.set(number(status.waiting as u64));
        self.may_vote.set(i64::from(status.may_vote));
        self.quorum.set(i64::from(status.quorum_reachable));
        self.integrity.set(i64::from(is_whole));
    }

    pub(crate) fn executed<'o>(
        &self,
        outcomes: impl Iterator<Item = &'o Outcome>,
        decided_at: Option<Instant>,
    ) {
        let (mut applied, mut refused) = (0, 0);
        for outcome in outcomes {
            if outcome.is_applied() {
                applied += 1;
            } else {
                refused += 1;
            }
        }
        self.transactions.with_label_values(&["applied"]).inc_by(applied);
        self.transactions.with_label_values(&["refused"]).inc_by(refused);
        if let Some(at) = decided_at {
            self.block_seconds.observe(at.elapsed().as_secs_f64());
        }
    }

    pub(crate) fn incident(&self, kind: IncidentKind) {
        self.incidents.with_label_values(&[kind.as_str()]).inc();
    }

    /// All of them, in Prometheus' text format.
    pub(crate) fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}
