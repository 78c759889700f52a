//! What a transaction leaves behind when it is dropped half way, and who may begin which.

use std::time::{Duration, Instant};

use futures::future::join_all;
use hansa_authz::OpContext;
use hansa_core::{Error, Kind, NodeId, PageRequest, RequestId, Revision};
use hansa_store::{NewNode, NodeRecord};
use hansa_types::{NodeObservation, RunState};
use sqlx::PgConnection;

use crate::fixture::{World, name, now};

/// A request that is cancelled in the middle of a query (its client went away) must not leave its
/// tenant on the connection: another tenant borrows it next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_transaction_leaves_no_tenant_behind() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    world.consortium(&alpha, "of-alpha").await;
    world.consortium(&beta, "of-beta").await;
    let page = PageRequest::default();
    for round in 0_u32..60 {
        let cancelled = join_all((0..4).map(|_| async {
            let mut tx = world.tx(&alpha).await;
            tx.consortium_list(page).await
        }));
        // Ends at a different point each round: before, in and after the query.
        let ended =
            tokio::time::timeout(Duration::from_micros(u64::from(round * 97)), cancelled).await;
        drop(ended);
        let seen = world.tx(&beta).await.consortium_list(page).await.expect("beta's list");
        let names: Vec<_> = seen.items.iter().map(|c| c.name.to_string()).collect();
        assert_eq!(names, ["of-beta"], "beta saw a connection that was still alpha's");
    }
}

/// Many tenants over few connections: each sees only its own rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_that_share_connections_do_not_mix() {
    let world = World::new().await;
    let mut tenants = Vec::new();
    for place in 0..6 {
        let tenant = world.tenant(&format!("tenant-{place}")).await;
        world.consortium(&tenant, &format!("of-{place}")).await;
        tenants.push((place, tenant));
    }
    let page = PageRequest::default();
    let world = &world;
    join_all((0..20).flat_map(|_| tenants.iter()).map(|(place, tenant)| async move {
        let seen = world.tx(tenant).await.consortium_list(page).await.expect("a list");
        assert_eq!(seen.items.len(), 1);
        assert_eq!(seen.items[0].name, name(&format!("of-{place}")));
    }))
    .await;
}

/// The identity role knows credentials and names, and nothing of consortiums.
#[tokio::test]
async fn the_identity_role_reaches_no_consortium() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let scope = OpContext::anonymous(RequestId::new()).identity_scope();
    let mut tx = world.api.system_tx(scope).await.expect("a transaction");
    assert!(tx.tenant_by_name(&name("alpha")).await.expect("a look").is_some());
    let leased =
        tx.operation_lease(alpha.id.uuid(), crate::fixture::now(), Duration::from_secs(1), 1).await;
    assert!(matches!(leased, Err(Error::Internal(_))), "operations are the controller's");
}

/// A name that is taken is the caller's mistake, not a fault of ours.
#[tokio::test]
async fn a_taken_name_is_named() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    world.consortium(&alpha, "demo").await;
    let mut tx = world.tx(&alpha).await;
    let new = hansa_store::NewConsortium {
        id: hansa_core::ConsortiumId::new(),
        name: name("demo"),
        display_name: hansa_types::DisplayName::try_from("Demo".to_owned()).expect("a title"),
        voting_policy: hansa_types::VotingPolicy::default(),
        now: crate::fixture::now(),
    };
    let taken = tx.consortium_insert(&new).await;
    assert!(matches!(taken, Err(Error::AlreadyExists(hansa_core::Kind::Consortium))), "{taken:?}");
}

/// when the server is gone, callers are told to come back; when it is back, they succeed.
#[tokio::test]
async fn an_absent_database_is_unavailable() {
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .socket("/nonexistent")
        .username("nobody");
    let pools = hansa_store::Pools { tenant: options.clone(), system: options };
    let error = hansa_store::Store::new(pools).ping().await.expect_err("there is no server");
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

/// Looks until a transaction waits for a lock of another.
async fn until_somebody_waits(watching: &mut PgConnection) {
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                 AND datname = current_database())";
    let began = Instant::now();
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut *watching).await.expect("told") {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody waits");
        tokio::task::yield_now().await;
    }
}

/// Two controllers must not each count on the node that the other restarts, nor give a turn to what has
/// been wished anew meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_of_a_ledger_are_given_one_after_the_other() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let consortium = world.consortium(&alpha, "demo").await;
    let ledger = world.ledger(&alpha, consortium).await;
    let id = world.node(&alpha, ledger, "a1").await;
    let (mut first, mut second) = (world.controller_tx().await, world.controller_tx().await);
    first.ledger_lock_turns(ledger).await.expect("nobody else decides");
    let read = first.node_driven(id, now()).await.expect("an answer").expect("the node");
    assert!(read.turn < read.generation, "nobody has given it a turn");
    let mut watching = world.superuser().await;
    let ask = async {
        second.ledger_lock_turns(ledger).await.expect("its turn to decide");
        second.node_driven(id, now()).await.expect("an answer").expect("the node")
    };
    let give = async {
        until_somebody_waits(&mut watching).await;
        first.node_take_turn(&read).await.expect("given");
        first.commit().await.expect("committed");
    };
    let (seen, ()) = tokio::join!(ask, give);
    assert_eq!(seen.turn, seen.generation, "the second decides without the first's turn");
    drop(second);
    let mut tx = world.tx(&alpha).await;
    tx.node_set_desired(id, read.revision, RunState::Running).await.expect("restarted");
    tx.commit().await.expect("committed");
    let late = world.controller_tx().await.node_take_turn(&read).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
}

/// What an old process said must not count for the one that follows it.
#[tokio::test]
async fn what_was_heard_before_a_restart_is_forgotten() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let consortium = world.consortium(&alpha, "demo").await;
    let ledger = world.ledger(&alpha, consortium).await;
    let id = world.node(&alpha, ledger, "a1").await;
    let mut tx = world.controller_tx().await;
    let before = tx.node_driven(id, now()).await.expect("an answer").expect("the node");
    let heard = NodeObservation {
        height: 7,
        root: String::new(),
        root_height: 7,
        peers: 3,
        may_vote: true,
        quorum_reachable: true,
        at: now(),
        silent_at: None,
    };
    tx.node_observe(&before, &heard).await.expect("written");
    let done = NodeRecord { observed_generation: before.generation, ..before.record.clone() };
    tx.node_record(&before, &done, now()).await.expect("recorded");
    tx.node_observe(&before, &heard).await.expect("no error");
    let after = tx.node_driven(id, now()).await.expect("an answer").expect("the node");
    assert_eq!(after.observation, None, "it is of the generation before");
    tx.node_observe(&after, &heard).await.expect("written");
    let after = tx.node_driven(id, now()).await.expect("an answer").expect("the node");
    assert_eq!(after.observation, Some(heard));
}

/// A cluster that is being ended while a node is put into it must not be left with a node that nobody
/// drives: whoever is second sees what the first has done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_node_is_put_into_a_cluster_that_ends() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let consortium = world.consortium(&alpha, "demo").await;
    let ledger = world.ledger(&alpha, consortium).await;
    let id = world.cluster("lab").await;
    let mut ending = world.identity_tx().await;
    ending.cluster_end(id, Revision::FIRST, now()).await.expect("it has no nodes");
    let mut tx = world.tx(&alpha).await;
    let found = tx.cluster_by_name(&name("lab")).await.expect("an answer");
    assert_eq!(found, Some(id), "nothing is committed yet");
    let (handle, _) = tx.ledger_find(ledger).await.expect("the ledger");
    let member = handle.seat().expect("its owner has a seat");
    let new = NewNode {
        id: NodeId::new(),
        ledger: handle,
        member,
        name: name("late"),
        runtime: name("lab"),
        cluster: Some(id),
        size: hansa_types::NodeSize::Small,
        volume_gib: 10,
        now: now(),
    };
    let put = async { tx.node_insert(&new).await };
    let mut watching = world.superuser().await;
    let end = async {
        // The node's reference waits for the row that is being ended.
        until_somebody_waits(&mut watching).await;
        ending.commit().await
    };
    let (put, ended) = tokio::join!(put, end);
    ended.expect("committed");
    assert!(matches!(put, Err(Error::NotFound(Kind::Cluster))), "{put:?}");
}
