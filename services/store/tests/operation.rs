//! Operations and the leases of whoever works on them.

use std::time::Duration;

use hansa_core::{Error, NodeId, OperationId, Refusal, Uuid};
use hansa_store::{LeasedOperation, NewOperation};
use hansa_types::{NextAction, OperationKind, OperationReason, OperationState, StepState, Target};

use crate::fixture::{Tenant, World, now};

async fn operation(world: &World, tenant: &Tenant, node: NodeId) -> Result<OperationId, Error> {
    let mut tx = world.tx(tenant).await;
    let new = NewOperation {
        id: OperationId::new(),
        kind: OperationKind::NodeRestart,
        target: Target { node_id: Some(node), ..Target::default() },
        now: now(),
        time_max: Duration::from_secs(60),
    };
    let made = tx.operation_insert(&new).await?;
    tx.commit().await?;
    Ok(made.id)
}

async fn lease(world: &World, at_s: u64) -> Vec<LeasedOperation> {
    let mut tx = world.controller_tx().await;
    let at = now() + Duration::from_secs(at_s);
    let leased = tx
        .operation_lease(Uuid::from_u128(7), at, Duration::from_secs(30), 10)
        .await
        .expect("leased");
    tx.commit().await.expect("committed");
    leased
}

/// a controller that was paused and comes back after another took over can write nothing.
#[tokio::test]
async fn r18_a_former_holder_is_fenced() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let id = operation(&world, &alpha, NodeId::new()).await.expect("recorded");
    let first = lease(&world, 0).await.remove(0);
    assert!(lease(&world, 10).await.is_empty(), "a held operation is not given away");
    let second = lease(&world, 40).await.remove(0);
    assert_eq!((first.attempt, second.attempt), (1, 2));

    let done = OperationState::Succeeded;
    let late =
        world.controller_tx().await.operation_finish(first.lease, &[], done, None, now()).await;
    assert!(matches!(late, Err(Error::Stale)), "the former holder must not finish it: {late:?}");
    let mut tx = world.controller_tx().await;
    let mut steps = second.operation.steps.clone();
    steps[0].state = StepState::Succeeded;
    let deadline = second.operation.deadline_at;
    let progress = tx.operation_progress(second.lease, &steps, deadline, None, now());
    progress.await.expect("the holder writes");
    let failed = OperationState::Failed;
    let reason = Some(OperationReason::NodeCrashed);
    tx.operation_finish(second.lease, &steps, failed, reason, now())
        .await
        .expect("the holder ends it");
    tx.commit().await.expect("committed");

    let ended = world.tx(&alpha).await.operation_get(id).await.expect("its own operation");
    assert_eq!(ended.steps[0].state, StepState::Succeeded);
    assert_eq!(ended.next_action, Some(NextAction::ReadLogs), "a reason names what to do next");
    assert!(lease(&world, 1_000).await.is_empty(), "an ended operation is not taken up again");
}

/// One thing at a time happens to a node; when it has ended, the next may begin.
#[tokio::test]
async fn a_second_operation_waits_for_the_first() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let node = NodeId::new();
    let first = operation(&world, &alpha, node).await.expect("recorded");
    let second = operation(&world, &alpha, node).await;
    assert!(matches!(second, Err(Error::Refused(Refusal::OperationInProgress))), "{second:?}");
    let mut tx = world.tx(&alpha).await;
    let ended = tx.operation_cancel(first, now()).await.expect("nobody has taken it up");
    assert_eq!(ended.state, OperationState::Cancelled);
    let again = tx.operation_cancel(first, now()).await;
    assert!(matches!(again, Err(Error::Refused(Refusal::OperationEnded))), "{again:?}");
    tx.commit().await.expect("committed");
    operation(&world, &alpha, node).await.expect("the node is free again");
}

/// An operation that somebody works on is ended by its holder, not under its hands.
#[tokio::test]
async fn a_running_operation_is_asked_to_end() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let id = operation(&world, &alpha, NodeId::new()).await.expect("recorded");
    lease(&world, 0).await;
    let asked = world.tx(&alpha).await.operation_cancel(id, now()).await.expect("asked");
    assert_eq!((asked.state, asked.cancel_requested), (OperationState::Running, true));
}
