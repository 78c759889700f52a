//! How the reconcilers do, for Prometheus. Every label is one of a closed list.

use std::time::Duration;

use hansa_types::OperationState;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Every reconciler that looks.
const RECONCILERS: [&str; 11] = [
    "clusters",
    "consortiums",
    "ledgers",
    "nodes",
    "corrections",
    "launches",
    "operations",
    "observe",
    "housekeeping",
    "probes",
    "logs",
];
/// Seconds of one look.
const SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// States that an operation can be in before it ends.
const OPEN: [OperationState; 2] = [OperationState::Pending, OperationState::Running];

#[derive(Debug)]
pub(super) struct Metrics {
    passes: IntCounterVec,
    failures: IntCounterVec,
    seconds: HistogramVec,
    open: IntGaugeVec,
    finished: IntCounterVec,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let counter = |name: &str, help: &str, label: &str| {
            IntCounterVec::new(Opts::new(name, help), &[label]).expect("a name and a label")
        };
        let seconds = HistogramOpts::new("hansa_reconciler_seconds", "Time of one look.");
        let open = Opts::new("hansa_operations_open", "Operations that have not ended, by state.");
        let metrics = Self {
            passes: counter("hansa_reconciler_passes_total", "Looks, by reconciler.", "reconciler"),
            failures: counter(
                "hansa_reconciler_failures_total",
                "Looks that failed; each is tried again.",
                "reconciler",
            ),
            seconds: HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["reconciler"])
                .expect("a name and a label"),
            open: IntGaugeVec::new(open, &["state"]).expect("a name and a label"),
            finished: counter(
                "hansa_operations_finished_total",
                "Operations that this controller has ended, by state.",
                "state",
            ),
        };
        for name in RECONCILERS {
            metrics.passes.with_label_values(&[name]).inc_by(0);
            metrics.failures.with_label_values(&[name]).inc_by(0);
        }
        metrics
    }

    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        let Self { passes, failures, seconds, open, finished } = self;
        registry.register(Box::new(passes.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(finished.clone()))
    }

    pub(super) fn looked(&self, reconciler: &'static str, took: Duration, well: bool) {
        debug_assert!(RECONCILERS.contains(&reconciler), "name {reconciler} in the list");
        self.passes.with_label_values(&[reconciler]).inc();
        self.seconds.with_label_values(&[reconciler]).observe(took.as_secs_f64());
        if !well {
            self.failures.with_label_values(&[reconciler]).inc();
        }
    }

    pub(super) fn operations_open(&self, counts: &[(OperationState, i64)]) {
        for state in OPEN {
            let counted = counts.iter().find(|(counted, _)| *counted == state);
            let number = counted.map_or(0, |(_, number)| *number);
            self.open.with_label_values(&[state.as_str()]).set(number);
        }
    }

    pub(super) fn operation_finished(&self, state: OperationState) {
        self.finished.with_label_values(&[state.as_str()]).inc();
    }
}
