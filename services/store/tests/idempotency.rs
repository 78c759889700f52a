//! Repeated requests have one effect.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::future::join_all;
use hansa_core::{Error, IdempotencyConflict, limits};
use hansa_store::{Claim, RequestHash};
use serde_json::json;

use crate::fixture::{World, now};

/// S-61: of 40 parallel requests with one key, one has an effect and all get its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s61_parallel_repetitions_have_one_effect() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let request = RequestHash::of("POST", "/v1/consortiums", b"{}");
    let effects = AtomicU32::new(0);
    let (world, effects) = (&world, &effects);
    let answers = join_all((0..40).map(|_| async move {
        let mut tx = world.tx(&alpha).await;
        let principal = alpha.user.uuid();
        match tx.idempotency_claim(principal, "k", request, now()).await.expect("claimed") {
            Claim::Answered(answer) => answer,
            Claim::New => {
                let answer = json!({ "effect": effects.fetch_add(1, Ordering::SeqCst) });
                tx.idempotency_save(principal, "k", &answer).await.expect("saved");
                tx.commit().await.expect("committed");
                answer
            }
        }
    }))
    .await;
    assert_eq!(effects.load(Ordering::SeqCst), 1, "one effect");
    assert!(answers.iter().all(|answer| *answer == json!({ "effect": 0 })), "one answer");
}

/// S-61: a key names one request; another tenant's or person's same key is another key; and a key
/// whose time has passed is free.
#[tokio::test]
async fn s61_a_key_names_one_request_of_one_principal() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    let request = RequestHash::of("POST", "/v1/consortiums", b"{}");
    for tenant in [&alpha, &beta] {
        let mut tx = world.tx(tenant).await;
        let claim = tx.idempotency_claim(tenant.user.uuid(), "k", request, now()).await;
        assert_eq!(claim.ok(), Some(Claim::New), "keys of two tenants are independent");
        tx.idempotency_save(tenant.user.uuid(), "k", &json!({})).await.expect("saved");
        tx.commit().await.expect("committed");
    }
    for other in [
        RequestHash::of("POST", "/v1/consortiums", b"{ }"),
        RequestHash::of("PUT", "/v1/consortiums", b"{}"),
        RequestHash::of("POST", "/v1/consortiums{", b"}"),
    ] {
        let mut tx = world.tx(&alpha).await;
        let claim = tx.idempotency_claim(alpha.user.uuid(), "k", other, now()).await;
        assert!(
            matches!(claim, Err(Error::Idempotency(IdempotencyConflict::DifferentRequest))),
            "{claim:?}"
        );
    }
    let later = now() + limits::IDEMPOTENCY_KEPT + Duration::from_secs(1);
    let mut tx = world.tx(&alpha).await;
    let claim = tx.idempotency_claim(alpha.user.uuid(), "k", request, later).await;
    assert_eq!(claim.ok(), Some(Claim::New), "after a day the key is free");
}

/// a process that ends between claim and commit leaves nothing: the repetition is the first.
#[tokio::test]
async fn r01_a_claim_without_a_commit_is_no_claim() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let request = RequestHash::of("POST", "/v1/consortiums", b"{}");
    for _ in 0..2 {
        let mut tx = world.tx(&alpha).await;
        let claim = tx.idempotency_claim(alpha.user.uuid(), "k", request, now()).await;
        assert_eq!(claim.ok(), Some(Claim::New));
        drop(tx);
    }
}
