//! Denied reads on the audit trail (architecture §6.8: denials are written separately).

use http::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{Installation, Tenant};

/// The denied outcomes on a tenant's trail, oldest first.
async fn denied(hansa: &Installation, tenant: &Tenant) -> Vec<Value> {
    let trail = hansa.get(&tenant.token, "/v1/audit-events?page_size=200").await;
    let mut lines = trail.expect(StatusCode::OK).body["items"].as_array().expect("items").clone();
    lines.retain(|line| line["result"] == "denied");
    lines.reverse();
    lines
}

/// S-02, S-70: whoever asks for what others have, or for what its role may not see, is on its own
/// tenant's record: who, what, which. What is merely absent at an address of its own is not.
#[tokio::test]
async fn s70_a_denied_read_is_recorded_with_who_and_what() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    let foreign = hansa.consortium(&beta, "theirs").await;
    let viewer = json!({ "name": "viewer", "role": "viewer" });
    let made = hansa.post(&alpha.token, "/v1/api-keys", &viewer).await.expect(StatusCode::CREATED);
    let (viewer, viewer_id) = (made.text("/token"), made.text("/id"));

    let path = format!("/v1/consortiums/{foreign}");
    let refused = hansa.get(&alpha.token, &path).await;
    refused.expect_problem(404, "not_found");
    hansa.get(&viewer, "/v1/users").await.expect_problem(403, "forbidden");
    hansa.get(&viewer, "/v1/audit-events").await.expect_problem(403, "forbidden");
    // Nobody's: an address that is none, a request without a credential, a malformed one.
    hansa.get(&alpha.token, "/v1/nothing").await.expect_problem(404, "not_found");
    hansa.get(&alpha.token, "/v1/consortiums/7").await.expect_problem(404, "not_found");
    hansa.get("", &path).await.expect_problem(401, "unauthenticated");
    hansa.get(&alpha.token, "/v1/consortiums?page_size=0").await;

    let lines = denied(&hansa, &alpha).await;
    let told: Vec<[&str; 3]> = lines
        .iter()
        .map(|line| ["action", "code", "phase"].map(|key| line[key].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        told,
        [
            ["consortium_get", "not_found", "outcome"],
            ["user_list", "forbidden", "outcome"],
            ["audit_event_list", "forbidden", "outcome"],
        ]
    );
    assert_eq!(lines[0]["subject_id"], foreign.as_str(), "which object");
    assert_eq!(lines[0]["request_id"], refused.body["request_id"], "which request");
    assert_eq!(lines[1]["actor"], format!("api_key:{viewer_id}"), "who");
    assert_eq!(denied(&hansa, &beta).await, Vec::<Value>::new(), "the other tenant learns nothing");
}

/// A flood of denied reads fills neither the trail nor the disk: its bound is named, one line says
/// that it was reached, the rest is counted, and the callers are refused all the same.
#[tokio::test]
async fn a_flood_of_denied_reads_does_not_fill_the_trail() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    let path = format!("/v1/consortiums/{}", hansa.consortium(&beta, "theirs").await);
    let most = usize::try_from(hansa_core::limits::DENIALS_PER_WINDOW_MAX).expect("small");
    for _ in 0..most + 20 {
        hansa.get(&alpha.token, &path).await.expect_problem(404, "not_found");
    }
    let lines = denied(&hansa, &alpha).await;
    assert_eq!(lines.len(), most + 1, "the bound, and a line that says so");
    assert_eq!(lines[most]["code"], "too_many_requests");
    let metrics = hansa.metrics();
    assert!(metrics.contains("hansa_audit_denials_suppressed_total 20"), "{metrics}");
    hansa.clock.advance(hansa_core::limits::DENIAL_WINDOW);
    hansa.get(&alpha.token, &path).await.expect_problem(404, "not_found");
    assert_eq!(denied(&hansa, &alpha).await.len(), most + 2, "the next window is recorded again");
}
