//! Waiting for operations.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::played::{ID, Played, Ran, Said, operation};

fn played(states: &[&str]) -> Played {
    let node = json!({
        "id": ID, "consortium_id": ID, "ledger_id": ID, "member_id": ID, "tenant_id": ID,
        "name": "a1", "desired": "running", "phase": "running", "generation": 1,
        "observed_generation": 1, "revision": 3, "created_at": "2026-01-01T00:00:00Z",
    });
    let states = states.iter().map(|state| Said::ok(operation(state))).collect();
    Played::new([
        ("GET /v1/nodes/01990000-0000-7000-8000-000000000001", vec![Said::ok(node)]),
        (
            "POST /v1/nodes/01990000-0000-7000-8000-000000000001/stop",
            vec![Said::ok(operation("pending"))],
        ),
        ("GET /v1/operations/01990000-0000-7000-8000-000000000001", states),
    ])
}

/// `--wait` ends with the operation, well or not.
#[test]
fn waiting_ends_as_the_operation_does() {
    let ran = played(&["running", "succeeded"]).run(&["node", "stop", ID, "--wait"]).code(0);
    assert!(ran.out.contains("succeeded"), "{ran:?}");
    let ran = played(&["running"]).run(&["node", "stop", ID]).code(0);
    assert!(ran.out.contains("pending"), "without --wait it is only asked for: {ran:?}");
    let mut failed = operation("failed");
    failed["reason"] = json!("node_crashed");
    failed["next_action"] = json!("read_logs");
    let line = "GET /v1/operations/01990000-0000-7000-8000-000000000001";
    let played = Played::new([(line, vec![Said::ok(failed)])]);
    played.run(&["operation", "wait", ID]).code(1).says(["node_crashed", "next: read logs"]);
}

/// A script that has a deadline of its own gets an exit code for it, and how to go on.
#[test]
fn a_wait_that_is_over_says_how_to_go_on() {
    let played = played(&["running"]);
    let ran = played.run(&["node", "stop", ID, "--wait", "--timeout", "1"]).code(6);
    ran.says(["not ended in time", "hansa operation wait 01990000"]);
}

/// Ctrl-C ends the waiting and not the operation: whoever pressed it must know that.
#[test]
fn ctrl_c_says_that_the_operation_goes_on() {
    let played = played(&["running"]);
    let child = played.hansa(&["operation", "wait", ID]).spawn().expect("the program starts");
    let began = Instant::now();
    while played.asked().len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not ask: {:?}", played.asked());
        std::thread::yield_now();
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
    kill_process(pid, Signal::INT).expect("it runs");
    let ran = Ran::from(child.wait_with_output().expect("its end")).code(130);
    ran.says(["stopped waiting", "it goes on", "hansa operation wait 01990000"]);
}
