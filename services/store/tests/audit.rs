//! The audit trail's chain.

use std::time::Duration;

use hansa_authz::OpContext;
use hansa_core::{AuditActId, PageRequest, RequestId};
use hansa_store::{AuditEntry, audit_verify};
use hansa_types::{AuditEvent, AuditPhase, AuditResult};

use crate::fixture::{Tenant, World, now};

fn entry(act: AuditActId, phase: AuditPhase) -> AuditEntry {
    AuditEntry {
        act,
        phase,
        action: "consortium_create",
        actor: "user:x".to_owned(),
        subject_id: None,
        request: RequestId::new(),
        result: (phase == AuditPhase::Outcome).then_some(AuditResult::Succeeded),
        code: None,
        at: now(),
    }
}

async fn acts(world: &World, tenant: &Tenant, count: usize) {
    for _ in 0..count {
        let act = AuditActId::new();
        for phase in [AuditPhase::Intent, AuditPhase::Outcome] {
            let mut tx = world.tx(tenant).await;
            tx.audit_append(&entry(act, phase)).await.expect("appended");
            tx.commit().await.expect("committed");
        }
    }
}

async fn trail(world: &World, tenant: &Tenant) -> Vec<AuditEvent> {
    let page = world.tx(tenant).await.audit_list(PageRequest::default()).await.expect("a trail");
    let mut events = page.items;
    events.reverse();
    events
}

/// S-68: whoever changes, removes or reorders an entry, with whatever rights, is found at the first
/// entry that differs.
#[tokio::test]
async fn s68_a_changed_trail_is_found_at_its_first_change() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    acts(&world, &alpha, 3).await;
    let events = trail(&world, &alpha).await;
    assert_eq!(events.len(), 6);
    assert_eq!(audit_verify(alpha.id, &events), Ok(()), "an untouched chain holds");

    let other = world.tenant("beta").await;
    assert!(audit_verify(other.id, &events).is_err(), "a chain belongs to one tenant");
    let fails_at =
        |changed: &[AuditEvent]| audit_verify(alpha.id, changed).err().map(|e| e.sequence);
    let change = |edit: fn(&mut Vec<AuditEvent>)| {
        let mut changed = events.clone();
        edit(&mut changed);
        fails_at(&changed)
    };
    assert_eq!(change(|e| e[3].action = "nothing".to_owned()), Some(4));
    assert_eq!(change(|e| e[1].result = Some(AuditResult::Failed)), Some(2));
    assert_eq!(change(|e| e[2].actor.push('y')), Some(3));
    assert_eq!(change(|e| drop(e.remove(2))), Some(3), "a gap");
    assert_eq!(change(|e| e.swap(2, 3)), Some(3), "another order");
}

/// Parallel acts of one tenant make one chain without gaps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_acts_make_one_chain() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    futures::future::join_all((0..6).map(|_| acts(&world, &alpha, 2))).await;
    let events = trail(&world, &alpha).await;
    assert_eq!(events.len(), 24);
    assert_eq!(audit_verify(alpha.id, &events), Ok(()));
}

/// An intent whose process ended is closed as unknown, once.
#[tokio::test]
async fn an_intent_without_an_outcome_is_closed_as_unknown() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    acts(&world, &alpha, 1).await;
    let mut tx = world.tx(&alpha).await;
    tx.audit_append(&entry(AuditActId::new(), AuditPhase::Intent)).await.expect("appended");
    tx.commit().await.expect("committed");

    let later = now() + Duration::from_secs(60);
    for expected in [1, 0] {
        let scope =
            OpContext::reconciler(RequestId::new(), "audit").system_scope().expect("system");
        let mut tx = world.controller.system_tx(scope).await.expect("a transaction");
        assert_eq!(tx.audit_close_unfinished(later, later).await.ok(), Some(expected));
        tx.commit().await.expect("committed");
    }
    let events = trail(&world, &alpha).await;
    assert_eq!(events.last().and_then(|e| e.result), Some(AuditResult::Unknown));
    assert_eq!(audit_verify(alpha.id, &events), Ok(()));
}

/// S-66: when the trail cannot be written, the change of the same transaction does not happen.
#[tokio::test]
async fn s66_what_cannot_be_audited_does_not_happen() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    sqlx::query("REVOKE INSERT ON audit_event FROM hansa_api")
        .execute(&mut world.superuser().await)
        .await
        .expect("revoked");
    let mut tx = world.tx(&alpha).await;
    tx.session_end_all(alpha.user, now()).await.expect("a change");
    tx.audit_append(&entry(AuditActId::new(), AuditPhase::Intent)).await.expect_err("refused");
    // The transaction has failed as a whole: a commit makes nothing of it durable.
    let committed = tx.commit().await;
    assert!(trail(&world, &alpha).await.is_empty(), "{committed:?}");
}
