//! The audit trail as callers fill it.

use hansa_store::audit_verify;
use hansa_types::AuditEventList;
use http::StatusCode;
use serde_json::json;

use crate::fixture::{Installation, Tenant, founding};

async fn trail(hansa: &Installation, tenant: &Tenant) -> AuditEventList {
    let answer = hansa.get(&tenant.token, "/v1/audit-events?page_size=200").await;
    let mut list: AuditEventList =
        serde_json::from_value(answer.expect(StatusCode::OK).body).expect("a trail");
    list.items.reverse();
    list
}

/// Every act leaves its intent and its outcome, what was refused too, in one chain that holds.
#[tokio::test]
async fn every_act_leaves_its_intent_and_its_outcome() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    let foreign = hansa.consortium(&beta, "theirs").await;
    hansa.consortium(&alpha, "demo").await;
    hansa
        .post(&alpha.token, "/v1/consortiums", &founding(&alpha, "demo"))
        .await
        .expect_problem(409, "name_taken");
    let ledgers = format!("/v1/consortiums/{foreign}/ledgers");
    let body = json!({ "name": "main", "policy": "bft" });
    hansa.post(&alpha.token, &ledgers, &body).await.expect_problem(404, "not_found");

    let list = trail(&hansa, &alpha).await;
    let lines: Vec<String> = list
        .items
        .iter()
        .map(|e| {
            let word = |w: Option<&str>| w.unwrap_or("-").to_owned();
            let result = word(e.result.map(|r| r.as_str()));
            format!("{} {} {result} {}", e.action, e.phase, word(e.code.map(|c| c.as_str())))
        })
        .collect();
    assert_eq!(
        lines,
        [
            "session_create outcome succeeded -",
            "api_key_create intent - -",
            "api_key_create outcome succeeded -",
            "consortium_create intent - -",
            "consortium_create outcome succeeded -",
            "consortium_create intent - -",
            "consortium_create outcome failed name_taken",
            "ledger_create intent - -",
            "ledger_create outcome denied not_found",
        ]
    );
    let tenant = alpha.id.parse().expect("an id");
    assert_eq!(audit_verify(tenant, &list.items), Ok(()), "the chain must hold");
}

/// S-66: when the intent cannot be written, the act does not happen; reading goes on.
#[tokio::test]
async fn s66_without_a_trail_nothing_is_changed() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    hansa.database.run_script("REVOKE INSERT ON audit_event FROM hansa_api").await;
    let refused = hansa.post(&alpha.token, "/v1/consortiums", &founding(&alpha, "demo")).await;
    refused.expect_problem(500, "internal");
    assert!(!refused.body.to_string().contains("audit"), "S-64: {:#}", refused.body);
    let list = hansa.get(&alpha.token, "/v1/consortiums").await.expect(StatusCode::OK);
    assert_eq!(list.body["items"], json!([]), "nothing must have happened");
}
