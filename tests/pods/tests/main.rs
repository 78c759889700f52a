//! Runs the tests one after the other on one product and one cluster, and ends both whatever happens.
//!
//! `cargo xtask test kube`

mod control_plane;
mod machine;
mod places;
mod pod;
mod restart;
mod router;
mod volume;

use std::process::ExitCode;

use e2e::runner::{self, Test};
use pods::Pods;

const TESTS: &[Test<Pods>] = &[
    ("pod::every_node_has_its_objects", pod::objects),
    ("pod::a_deleted_one_returns_with_volume_and_keys", pod::deleted),
    ("volume::a_changed_byte_is_found_and_repaired", volume::block),
    ("volume::an_edited_row_is_found_and_repaired", volume::row),
    ("pod::a_node_gets_more_room", pod::resized),
    ("places::one_ledger_has_nodes_in_two_clusters_and_a_process", places::one_ledger),
    ("restart::all_members_at_once_halt_nothing", restart::all_at_once),
    ("restart::a_new_image_goes_from_node_to_node", restart::new_image),
    ("machine::emptying_it_stops_at_the_budget", machine::drained),
    ("control_plane::killed_it_adopts_the_same_pods", control_plane::killed),
    (
        "control_plane::a_hung_api_server_is_told_and_stops_no_ledger",
        control_plane::api_server_hung,
    ),
];

fn main() -> ExitCode {
    // Below the range of outgoing connections, apart from the ports of the other tests.
    let port = 16_000 + u16::try_from(std::process::id() % 900).unwrap_or_default();
    runner::run(TESTS, || Pods::start(port))
}
