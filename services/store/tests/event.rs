//! The event stream.

use std::time::Duration;

use hansa_authz::OpContext;
use hansa_core::{Error, Refusal, RequestId, Uuid};
use hansa_store::{EventPosition, NewEvent, TenantTx};
use hansa_types::{Event, EventKind, Target};
use tokio::sync::watch;

use crate::fixture::{Tenant, World, now};

fn event(tenant: &Tenant, number: u128) -> NewEvent {
    NewEvent {
        tenant: Some(tenant.id),
        kind: EventKind::Node,
        subject_id: Uuid::from_u128(number),
        target: Target::default(),
        at: now(),
    }
}

async fn write(mut tx: TenantTx, event: &NewEvent) {
    tx.event_insert(event).await.expect("written");
    tx.commit().await.expect("committed");
}

async fn numbers(world: &World, tenant: &Tenant, after: EventPosition) -> Vec<u128> {
    subjects(&world.tx(tenant).await.event_list(after, 100).await.expect("a list"))
}

/// Asks until there are `count` events. Open transactions of other tests hold the stream back: the
/// server's transaction numbers are shared by its databases.
async fn await_events(
    world: &World,
    tenant: &Tenant,
    after: EventPosition,
    count: usize,
) -> Vec<(EventPosition, Event)> {
    let asked = async {
        loop {
            let events = world.tx(tenant).await.event_list(after, 100).await.expect("a list");
            if events.len() >= count {
                return events;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("the events appear")
}

fn subjects(events: &[(EventPosition, Event)]) -> Vec<u128> {
    events.iter().map(|(_, event)| event.subject_id.as_u128()).collect()
}

/// A reader that went on past an open transaction would never see that transaction's event.
#[tokio::test]
async fn a_late_commit_is_not_missed() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let begin = world.tx(&alpha).await.event_end().await.expect("the end of the stream");
    let mut slow = world.tx(&alpha).await;
    slow.event_insert(&event(&alpha, 1)).await.expect("written, not committed");
    write(world.tx(&alpha).await, &event(&alpha, 2)).await;
    let seen = numbers(&world, &alpha, begin).await;
    assert!(seen.is_empty(), "event 2 must wait for the transaction before it: {seen:?}");
    slow.commit().await.expect("committed");
    let both = await_events(&world, &alpha, begin, 2).await;
    assert_eq!(subjects(&both), [1, 2], "both, in one order");
}

/// A stream goes on exactly after the last event that was seen, and shows a tenant only its own.
#[tokio::test]
async fn a_stream_goes_on_where_it_stopped() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    let begin = world.tx(&alpha).await.event_end().await.expect("the end of the stream");
    for number in 1..=3 {
        write(world.tx(&alpha).await, &event(&alpha, number)).await;
    }
    let all = await_events(&world, &alpha, begin, 3).await;
    let text = all[1].0.to_string();
    let resumed: EventPosition = text.parse().expect("a printed position can be read");
    assert_eq!(numbers(&world, &alpha, resumed).await, [3]);
    assert!(numbers(&world, &beta, begin).await.is_empty(), "beta saw alpha's events");
    for bad in ["", "1", "1-", "-1", "1-1-1", "+1-1", "01-1", "99999999999999999999-1"] {
        assert!(bad.parse::<EventPosition>().is_err(), "{bad:?} is no position");
    }
}

/// A reader that is behind what was removed is told so instead of missing events silently.
#[tokio::test]
async fn a_reader_that_is_too_late_is_told() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let begin = world.tx(&alpha).await.event_end().await.expect("the end of the stream");
    write(world.tx(&alpha).await, &event(&alpha, 1)).await;
    let scope = OpContext::reconciler(RequestId::new(), "event").system_scope().expect("system");
    let mut tx = world.controller.system_tx(scope).await.expect("a transaction");
    let removed = tx.event_prune(now() + Duration::from_secs(1)).await;
    assert_eq!(removed.ok(), Some(1));
    tx.commit().await.expect("committed");
    let late = world.tx(&alpha).await.event_list(begin, 10).await;
    assert!(matches!(late, Err(Error::Refused(Refusal::EventsExpired))), "{late:?}");
}

/// A waiter is woken by a commit of another process.
#[tokio::test]
async fn a_commit_wakes_waiters() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let (sender, mut changes) = watch::channel(0);
    let store = world.api.clone();
    let follower = tokio::spawn(async move { store.follow_changes(sender).await });
    let woken = async {
        // The listener may not be there yet for the first commits; one of them reaches it.
        loop {
            write(world.tx(&alpha).await, &event(&alpha, 1)).await;
            let heard = tokio::time::timeout(Duration::from_millis(200), changes.changed()).await;
            if let Ok(heard) = heard {
                return heard;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), woken).await.expect("woken").expect("followed");
    drop(changes);
    follower.await.expect("it ends when nobody listens");
}
