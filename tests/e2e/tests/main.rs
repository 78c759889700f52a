//! Runs the tests one after the other on one product, and ends it whatever happens.
//!
//! `cargo test -p e2e [PART OF A NAME]`

mod control_plane_dead;
mod dev_file;
mod founding_interrupted;
mod node_faults;
mod readme;
mod side_by_side;
mod sql_files;
mod tenants;

use std::process::ExitCode;

use e2e::{
    product::Product,
    runner::{self, Test},
};

const TESTS: &[Test<Product>] = &[
    ("dev_file::it_says_what_is_promised_to_its_owner_only", dev_file::says_what_is_promised),
    ("tenants::gamma_sees_nothing", tenants::gamma_sees_nothing),
    ("readme::the_first_five_minutes_work_as_written", readme::works_as_written),
    ("sql_files::an_interrupted_file_takes_effect_once", sql_files::interrupted),
    ("sql_files::a_refused_statement_is_mended_and_the_file_goes_on", sql_files::mended),
    ("node_faults::a_hung_node_is_told_and_the_ledger_goes_on", node_faults::one_hung),
    ("node_faults::a_killed_node_returns_by_itself", node_faults::one_killed),
    ("node_faults::two_hung_nodes_are_a_halt_with_a_reason", node_faults::two_hung),
    ("control_plane_dead::nodes_go_on_and_are_adopted", control_plane_dead::adopted),
    ("side_by_side::another_installation_touches_nothing", side_by_side::untouched),
    ("founding_interrupted::the_walk_goes_on_after_a_kill", founding_interrupted::goes_on),
];

/// Ports of these installations: below the range of outgoing connections, apart from the default.
pub(crate) fn port(of: u16) -> u16 {
    let own = u16::try_from(std::process::id() % 500).unwrap_or_default();
    17_000 + own * 4 % 1_000 + of
}

fn main() -> ExitCode {
    runner::run(TESTS, || {
        let product = Product::start("e2e", port(0))?;
        product.walk()?;
        product.agree()?;
        Ok(product)
    })
}
