//! The chart in a real cluster: installed, used, upgraded, rolled back, taken away. The tests run one
//! after the other on one installation, each on what the last one left.
//!
//! `cargo xtask test kube`

mod consortium;
mod release;

use std::process::ExitCode;

use chart_tests::Installation;
use e2e::runner::{self, Test};

const TESTS: &[Test<Installation>] = &[
    ("consortium::people_found_one_on_four_pods", consortium::founded),
    ("release::upgraded_and_rolled_back_no_transaction_fails", release::upgraded),
    ("release::taken_away_the_ledger_goes_on", release::taken_away),
];

fn main() -> ExitCode {
    runner::run(TESTS, Installation::start)
}
