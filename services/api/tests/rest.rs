//! Many consortiums at rest: what a controller does when there is nothing to do.
//!
//! `HANSA_SCALE=1000 cargo test --release -p hansa-api --test main rest:: -- --nocapture` measures with as
//! many; docs/benchmarks.md has the figure. The driver's own part is measured on a real API server.

use std::{
    fs,
    time::{Duration, Instant},
};

use hansa_core::limits;
use serde_json::Value;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::fixture::Installation;

/// Consortiums of four nodes each, unless the environment says another number.
const CONSORTIUMS: i64 = 50;
const CONSORTIUMS_BY: &str = "HANSA_SCALE";
const NODES: i64 = 4;
/// More than the time between two passes over all nodes.
const AT_REST: Duration = Duration::from_secs(2).saturating_add(limits::RECONCILE_ALL_EVERY);
const DEADLINE: Duration = Duration::from_secs(300);

/// Nodes that have enrolled, as many calls of the API would leave them.
const FOUNDED: [&str; 5] = [
    "INSERT INTO consortium (id, owner_tenant_id, name, display_name, threshold_percentage, comparator, \
     proposal_duration_hours, created_at) \
     SELECT gen_random_uuid(), $1::uuid, 'c' || n, 'c', 50, 'greater_than', 24, now() \
     FROM generate_series(1, $2) n",
    "INSERT INTO consortium_access (consortium_id, tenant_id, owner_tenant_id, relation) \
     SELECT id, $1::uuid, $1::uuid, 'owner' FROM consortium WHERE $2 > 0",
    "INSERT INTO member (id, consortium_id, tenant_id, name, administrator_key, signature, joined_at) \
     SELECT gen_random_uuid(), id, $1::uuid, 'alpha', decode(repeat('00', 32), 'hex'), \
     decode(repeat('00', 64), 'hex'), now() FROM consortium WHERE $2 > 0",
    "INSERT INTO ledger (id, consortium_id, name, policy, suite, created_at) \
     SELECT gen_random_uuid(), id, 'main', 'bft', 'ed25519-sha256', now() FROM consortium \
     WHERE owner_tenant_id = $1::uuid AND $2 > 0",
    "INSERT INTO node (id, tenant_id, consortium_id, ledger_id, member_id, name, runtime, desired, \
     consensus_key, tls_key, certificate, enrolled_at, created_at) \
     SELECT gen_random_uuid(), $1::uuid, l.consortium_id, l.id, m.id, 'n' || n, 'process', 'running', \
     decode(md5(l.id::text || n) || md5(n || l.id::text), 'hex'), decode(repeat('00', 32), 'hex'), \
     'no certificate', now(), now() \
     FROM ledger l JOIN member m ON m.consortium_id = l.consortium_id, generate_series(1, $2) n",
];

/// Seconds of a processor that this process has used.
fn used() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("proc(5)");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    // After the name: utime and stime are fields 14 and 15 of all, in hundredths of a second.
    let ticks = |field: usize| fields[field].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}

async fn count(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.expect("a count")
}

async fn until(
    what: &str,
    connection: &mut PgConnection,
    query: &'static str,
    wanted: i64,
) -> Duration {
    let began = Instant::now();
    while count(connection, query).await != wanted {
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

/// A controller of many consortiums must not keep a processor busy when nothing changes; and what changes,
/// told by the database or seen in a runtime only, must not wait for the next pass over all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_at_rest_looks_at_what_changes_only() {
    const ENROLLED: &str = "SELECT count(*) FROM node WHERE phase = 'enrolled' AND reason IS NULL";
    const CHANGES: &str = "SELECT sum(revision)::bigint FROM node";
    const CRASHED: &str = "SELECT count(*) FROM node WHERE reason = 'node_crashed'";
    const STOPPED: &str = "SELECT count(*) FROM node WHERE phase = 'stopped'";
    let consortiums: i64 = std::env::var(CONSORTIUMS_BY)
        .map_or(CONSORTIUMS, |number| number.parse().expect("a number of consortiums"));
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let mut connection = hansa.database.superuser().connect().await.expect("a connection");
    for (step, number) in FOUNDED.iter().zip([consortiums, 1, 1, 1, NODES]) {
        sqlx::query(*step)
            .bind(alpha.id.parse::<hansa_core::Uuid>().expect("an id"))
            .bind(i32::try_from(number).expect("not so many"))
            .execute(&mut connection)
            .await
            .expect(step);
    }
    let running = tokio::spawn(hansa.controller().run());
    let nodes = consortiums * NODES;
    until("all run", &mut connection, ENROLLED, nodes).await;

    tokio::time::sleep(limits::RECONCILE_EVERY * 3).await;
    let (before, cpu, began) = (count(&mut connection, CHANGES).await, used(), Instant::now());
    tokio::time::sleep(AT_REST).await;
    let load = (used() - cpu) / began.elapsed().as_secs_f64();
    assert_eq!(count(&mut connection, CHANGES).await, before, "nodes at rest are written to");

    let all = hansa.get(&alpha.token, "/v1/consortiums?page_size=1").await;
    let ledgers = format!("/v1/consortiums/{}/ledgers", all.text("/items/0/id"));
    let ledger = hansa.get(&alpha.token, &ledgers).await.text("/items/0/id");
    let found = hansa.get(&alpha.token, &format!("/v1/ledgers/{ledger}/nodes")).await.body;
    let id = |place: usize| match &found["items"][place]["id"] {
        Value::String(id) => id.clone(),
        other => panic!("no node: {other}"),
    };
    hansa.runtime.crash(id(0).parse().expect("an id"));
    let seen = until("a crash is told", &mut connection, CRASHED, 1).await;
    let stop = format!("/v1/nodes/{}/stop", id(1));
    hansa.call(&alpha.token, "POST", &stop, &[], None).await.expect(http::StatusCode::ACCEPTED);
    let told = until("a node stops", &mut connection, STOPPED, 1).await;
    println!(
        "| {nodes} nodes at rest | {load:.3} cores | a crash after {:.2} s, a stop after {:.2} s |",
        seen.as_secs_f64(),
        told.as_secs_f64()
    );
    running.abort();
}
