//! What was measured.

use serde::Serialize;

use crate::{Load, transfers::Run};

/// One line of figures.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    offered_per_second: u64,
    committed_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    lone_p50_ms: f64,
    cpu_seconds_per_1000: f64,
    nodes: u16,
    seconds: u64,
    signers: usize,
    accounts: u64,
    acknowledged: usize,
    turned_away: usize,
    cores: usize,
}

impl Figures {
    pub(crate) fn new(load: &Load, run: &Run, lone: &[f64], cpu_seconds: f64) -> Self {
        let thousands = run.applied.len() as f64 / 1_000.0;
        Self {
            offered_per_second: load.rate,
            committed_per_second: (run.applied.len() as f64 / run.time.as_secs_f64()).round(),
            p50_ms: percentile(&run.latencies_ms, 50),
            p99_ms: percentile(&run.latencies_ms, 99),
            lone_p50_ms: percentile(lone, 50),
            cpu_seconds_per_1000: (cpu_seconds / thousands * 1_000.0).round() / 1_000.0,
            nodes: load.nodes,
            seconds: load.seconds,
            signers: load.signers,
            accounts: load.accounts,
            acknowledged: run.applied.len(),
            turned_away: run.turned_away,
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        }
    }

    /// A row for docs/benchmarks.md.
    pub(crate) fn row(&self) -> String {
        format!(
            "| {} nodes | {} | {} | {:.0} | {:.0} | {:.1} | {:.3} | {} |",
            self.nodes,
            self.offered_per_second,
            self.committed_per_second,
            self.p50_ms,
            self.p99_ms,
            self.lone_p50_ms,
            self.cpu_seconds_per_1000,
            self.turned_away,
        )
    }
}

/// The value that `percent` of the ascending `values` do not exceed, to a tenth.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).map_or(f64::NAN, |value| (value * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        // A wrong rank would flatter the tail.
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 50), 100.0);
        assert_eq!(percentile(&values, 99), 198.0);
        assert_eq!(percentile(&values[..1], 99), 1.0);
    }
}
