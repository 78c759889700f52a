//! What users end: people, ledgers, tenants. What hangs on them ends with them, and nothing else.

use http::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{Answer, Installation, ORIGIN, PASSWORD};

/// Ends something at the revision that it has now; at the first one when the caller cannot see it.
async fn delete(hansa: &Installation, token: &str, path: &str) -> Answer {
    let read = hansa.get(token, path).await;
    let tag = format!("\"{}\"", read.body["revision"].as_i64().unwrap_or(1));
    hansa.call(token, "DELETE", path, &[("if-match", tag.as_str())], None).await
}

/// A further user of alpha; its path.
async fn user(hansa: &Installation, token: &str, email: &str, role: &str) -> String {
    let body = json!({ "email": email, "display_name": "Bo", "password": PASSWORD, "role": role });
    let made = hansa.post(token, "/v1/users", &body).await.expect(StatusCode::CREATED);
    format!("/v1/users/{}", made.text("/id"))
}

/// Whoever leaves keeps no way in: not its session, not a token of it, not a key that it made.
#[tokio::test]
async fn a_removed_user_loses_every_credential_at_once() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let path = user(&hansa, &alpha.token, "bo@alpha.example", "tenant_admin").await;
    let sign_in = json!({ "tenant": "alpha", "email": "bo@alpha.example", "password": PASSWORD });
    let signed_in = hansa.post("", "/v1/sessions", &sign_in).await.expect(StatusCode::CREATED);
    let cookie = signed_in.headers["set-cookie"].to_str().expect("text").to_owned();
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let headers = [("cookie", cookie.as_str()), ("origin", ORIGIN)];
    let token = hansa.call("", "POST", "/v1/access-tokens", &headers, None).await;
    let token = token.expect(StatusCode::CREATED).text("/access_token");
    let body = json!({ "name": "bos", "role": "viewer" });
    let key = hansa.call("", "POST", "/v1/api-keys", &headers, Some(&body)).await;
    let key = key.expect(StatusCode::CREATED).text("/token");
    for credential in [&token, &key] {
        hansa.get(credential, "/v1/me").await.expect(StatusCode::OK);
    }
    delete(&hansa, &alpha.token, &path).await.expect(StatusCode::NO_CONTENT);
    for credential in [&token, &key] {
        hansa.get(credential, "/v1/me").await.expect_problem(401, "unauthenticated");
    }
    let by_cookie = hansa.call("", "GET", "/v1/me", &headers[..1], None).await;
    by_cookie.expect_problem(401, "unauthenticated");
    let again = hansa.post("", "/v1/sessions", &sign_in).await;
    again.expect_problem(401, "unauthenticated");
    hansa.get(&alpha.token, &path).await.expect_problem(404, "not_found");
    hansa.get(&alpha.token, "/v1/me").await.expect(StatusCode::OK);
    user(&hansa, &alpha.token, "bo@alpha.example", "viewer").await;
}

/// A tenant that locks itself out needs the operator: the last administrator stays, and nobody
/// removes the account that they act with.
#[tokio::test]
async fn nobody_removes_oneself_or_the_last_administrator() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let users = hansa.get(&alpha.token, "/v1/users").await;
    let ana = format!("/v1/users/{}", users.text("/items/0/id"));
    let last = delete(&hansa, &alpha.token, &ana).await;
    last.expect_problem(409, "last_administrator");
    user(&hansa, &alpha.token, "bo@alpha.example", "tenant_admin").await;
    let cookie = hansa.sign_in("alpha").await;
    let tag = format!("\"{}\"", hansa.get(&alpha.token, &ana).await.body["revision"]);
    let headers = [("cookie", cookie.as_str()), ("origin", ORIGIN), ("if-match", tag.as_str())];
    let own = hansa.call("", "DELETE", &ana, &headers, None).await;
    own.expect_problem(409, "own_account");
    let without = hansa.call(&alpha.token, "DELETE", &ana, &[], None).await;
    without.expect_problem(428, "revision_required");
    let stale = hansa.call(&alpha.token, "DELETE", &ana, &[("if-match", "\"77\"")], None).await;
    stale.expect_problem(412, "revision_stale");
    delete(&hansa, &alpha.token, &ana).await.expect(StatusCode::NO_CONTENT);
}

/// S-10: a tenant with seats stays; one without ends with all its credentials, and who takes its
/// name afterwards is somebody else.
#[tokio::test]
async fn s10_a_tenant_ends_without_seats_and_its_name_is_somebody_elses() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    let consortium = hansa.consortium(&alpha, "demo").await;
    let invitation = hansa.invite(&alpha, &consortium, &beta).await;
    hansa.accept(&beta, &consortium, &invitation).await;
    let path = format!("/v1/tenants/{}", beta.id);
    let refused = delete(&hansa, &hansa.platform, &path).await;
    refused.expect_problem(409, "tenant_has_seats");
    hansa.get(&beta.token, "/v1/me").await.expect(StatusCode::OK);
    let by_itself = delete(&hansa, &beta.token, &path).await;
    by_itself.expect_problem(403, "forbidden");
    let tenants = hansa.get(&hansa.platform, "/v1/tenants").await;
    let platform = tenants.body["items"].as_array().expect("items").iter();
    let platform = platform.clone().find(|tenant| tenant["kind"] == "platform").expect("it runs");
    let own = format!("/v1/tenants/{}", platform["id"].as_str().expect("an id"));
    delete(&hansa, &hansa.platform, &own).await.expect_problem(409, "in_use");

    let members = format!("/v1/consortiums/{consortium}/members");
    let seats = hansa.get(&alpha.token, &members).await.body["items"].clone();
    let seat = seats.as_array().expect("items").iter().find(|s| s["tenant_id"] == beta.id.as_str());
    let seat = format!("{members}/{}", seat.expect("a seat")["id"].as_str().expect("an id"));
    delete(&hansa, &alpha.token, &seat).await.expect(StatusCode::NO_CONTENT);
    let stale = hansa.call(&hansa.platform, "DELETE", &path, &[("if-match", "\"9\"")], None).await;
    stale.expect_problem(412, "revision_stale");
    delete(&hansa, &hansa.platform, &path).await.expect(StatusCode::NO_CONTENT);
    hansa.get(&beta.token, "/v1/me").await.expect_problem(401, "unauthenticated");
    hansa.get(&hansa.platform, &path).await.expect_problem(404, "not_found");

    let again = hansa.tenant("beta").await;
    assert_ne!(again.id, beta.id);
    hansa.get(&beta.token, "/v1/me").await.expect_problem(401, "unauthenticated");
    let seen = hansa.get(&again.token, "/v1/consortiums").await.expect(StatusCode::OK);
    assert_eq!(seen.body["items"], json!([]), "the new one inherits nothing");
    let trail = hansa.get(&hansa.platform, "/v1/audit-events").await;
    let lines = trail.body["items"].as_array().expect("items").iter();
    let ended =
        lines.filter(|line| line["action"] == "tenant_delete" && line["phase"] == "outcome");
    let results: Vec<&Value> = ended.map(|line| &line["result"]).collect();
    assert_eq!(results.iter().filter(|result| **result == "succeeded").count(), 1, "{results:?}");
}

/// Only the owner of the consortium ends a ledger, at the revision that it saw, and only once; its
/// name is free again.
#[tokio::test]
async fn a_ledger_is_ended_by_its_owner_once() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    let consortium = hansa.consortium(&alpha, "demo").await;
    let invitation = hansa.invite(&alpha, &consortium, &beta).await;
    hansa.accept(&beta, &consortium, &invitation).await;
    let body = json!({ "name": "main", "policy": "bft" });
    let path = format!("/v1/ledgers/{}", hansa.ledger(&alpha, &consortium, &body).await);
    delete(&hansa, &beta.token, &path).await.expect_problem(403, "forbidden");
    let without = hansa.call(&alpha.token, "DELETE", &path, &[], None).await;
    without.expect_problem(428, "revision_required");
    let stale = hansa.call(&alpha.token, "DELETE", &path, &[("if-match", "\"7\"")], None).await;
    stale.expect_problem(412, "revision_stale");
    let asked = delete(&hansa, &alpha.token, &path).await.expect(StatusCode::ACCEPTED);
    assert_eq!(asked.body["kind"], "ledger_delete");
    delete(&hansa, &alpha.token, &path).await.expect_problem(409, "wrong_phase");
    let nodes = format!("{path}/nodes");
    let late = hansa.post(&alpha.token, &nodes, &json!({ "name": "late" })).await;
    late.expect_problem(409, "wrong_phase");
}
