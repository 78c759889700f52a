//! The main job as far as the API goes: from two tenants to a recorded launch.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::fixture::{Installation, acceptance, founding};

/// Two tenants form a consortium, bring two nodes each, and ask for the launch.
#[tokio::test]
async fn two_tenants_form_a_consortium_and_ask_for_a_launch() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    let consortium = hansa.consortium(&alpha, "demo").await;
    let invitation = hansa.invite(&alpha, &consortium, &beta).await;

    let mine = hansa.get(&beta.token, "/v1/invitations").await.expect(StatusCode::OK);
    assert_eq!(mine.text("/items/0/id"), invitation);
    assert_eq!(mine.text("/items/0/consortium"), "demo");
    hansa.accept(&beta, &consortium, &invitation).await;
    let members = hansa.get(&beta.token, &format!("/v1/consortiums/{consortium}/members")).await;
    assert_eq!(members.body["items"].as_array().map(Vec::len), Some(2), "{:#}", members.body);

    let ledger =
        hansa.ledger(&alpha, &consortium, &json!({ "name": "main", "policy": "bft" })).await;
    let launch = format!("/v1/ledgers/{ledger}/launch");
    for (member, name) in [(&alpha, "a1"), (&alpha, "a2"), (&beta, "b1")] {
        hansa.node(member, &ledger, name).await;
    }
    let early = hansa.call(&alpha.token, "POST", &launch, &[], None).await;
    early.expect_problem(409, "not_enough_nodes");
    hansa.node(&beta, &ledger, "b2").await;
    let asked = hansa.call(&alpha.token, "POST", &launch, &[], None).await;
    let asked = asked.expect(StatusCode::ACCEPTED);
    assert_eq!(asked.text("/kind"), "ledger_launch");
    assert_eq!(asked.text("/state"), "pending", "the API must not pretend that anything runs");

    let location = asked.headers["location"].to_str().expect("text");
    let followed = hansa.get(&alpha.token, &format!("{location}?wait=0")).await;
    assert_eq!(followed.expect(StatusCode::OK).text("/id"), asked.text("/id"));
    let now = hansa.get(&beta.token, &format!("/v1/ledgers/{ledger}")).await;
    assert_eq!(now.text("/phase"), "launching", "a co-member sees the ledger");
    let again = hansa.call(&alpha.token, "POST", &launch, &[], None).await;
    again.expect_problem(409, "wrong_phase");

    let nodes = hansa.get(&beta.token, &format!("/v1/ledgers/{ledger}/nodes")).await;
    let nodes = nodes.body["items"].as_array().expect("items").clone();
    assert_eq!(nodes.len(), 4);
    for node in nodes {
        let own = node["tenant_id"] == beta.id.as_str();
        assert_eq!(node.get("private").is_some(), own, "only the own member sees where it runs");
    }
}

/// A seat is taken with the member's own key, or not at all.
#[tokio::test]
async fn a_seat_needs_its_members_signature() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);

    let mut forged = founding(&alpha, "demo");
    forged["name"] = json!("other");
    let refused = hansa.post(&alpha.token, "/v1/consortiums", &forged).await;
    refused.expect_problem(422, "signature_invalid");
    let mut weak = founding(&alpha, "demo");
    weak["administrator_key"] = json!("01".to_owned() + &"00".repeat(31));
    let refused = hansa.post(&alpha.token, "/v1/consortiums", &weak).await;
    refused.expect_problem(422, "key_invalid");

    let consortium = hansa.consortium(&alpha, "demo").await;
    let invitation = hansa.invite(&alpha, &consortium, &beta).await;
    let accept = format!("/v1/invitations/{invitation}/accept");
    let by_other = acceptance(&alpha, &consortium, &invitation);
    let refused = hansa.post(&beta.token, &accept, &by_other).await;
    refused.expect_problem(422, "signature_invalid");
    let by_owner = hansa.post(&alpha.token, &accept, &by_other).await;
    by_owner.expect_problem(403, "forbidden");
    hansa.accept(&beta, &consortium, &invitation).await;
    let good = acceptance(&beta, &consortium, &invitation);
    hansa.post(&beta.token, &accept, &good).await.expect_problem(409, "invitation_closed");
}

/// What is not offered is refused by its own code.
#[tokio::test]
async fn a_policy_that_does_not_exist_yet_is_refused() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let consortium = hansa.consortium(&alpha, "demo").await;
    let ledgers = format!("/v1/consortiums/{consortium}/ledgers");
    let adaptive = json!({ "name": "main", "policy": "adaptive" });
    let refused = hansa.post(&alpha.token, &ledgers, &adaptive).await;
    refused.expect_problem(422, "policy_not_available");
    let odd = json!({ "name": "main", "policy": "bft", "development": true });
    hansa.post(&alpha.token, &ledgers, &odd).await.expect_problem(400, "invalid_request");
    let small = json!({ "name": "main", "policy": "cft", "development": true });
    let ledger = hansa.ledger(&alpha, &consortium, &small).await;
    hansa.node(&alpha, &ledger, "one").await;
    let launch = format!("/v1/ledgers/{ledger}/launch");
    let asked = hansa.call(&alpha.token, "POST", &launch, &[], None).await;
    asked.expect(StatusCode::ACCEPTED);
}

/// Invitations end: declined, withdrawn, expired; and the tenant can be invited again.
#[tokio::test]
async fn an_invitation_ends_and_can_be_made_again() {
    let hansa = Installation::new().await;
    let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
    let consortium = hansa.consortium(&alpha, "demo").await;
    let seen = format!("/v1/consortiums/{consortium}");
    let invitations = format!("{seen}/invitations");

    let first = hansa.invite(&alpha, &consortium, &beta).await;
    let twice = hansa.post(&alpha.token, &invitations, &json!({ "tenant": "beta" })).await;
    twice.expect_problem(409, "already_member");
    hansa.get(&beta.token, &seen).await.expect(StatusCode::OK);
    let decline = format!("/v1/invitations/{first}/decline");
    let declined = hansa.call(&beta.token, "POST", &decline, &[], None).await;
    assert_eq!(declined.expect(StatusCode::OK).text("/phase"), "declined");
    hansa.get(&beta.token, &seen).await.expect_problem(404, "not_found");

    let second = hansa.invite(&alpha, &consortium, &beta).await;
    let path = format!("/v1/invitations/{second}");
    let withdrawn = hansa.call(&alpha.token, "DELETE", &path, &[], None).await;
    withdrawn.expect(StatusCode::NO_CONTENT);
    hansa.get(&beta.token, &seen).await.expect_problem(404, "not_found");

    let third = hansa.invite(&alpha, &consortium, &beta).await;
    hansa.clock.advance(std::time::Duration::from_hours(8 * 24));
    let late = acceptance(&beta, &consortium, &third);
    let accept = format!("/v1/invitations/{third}/accept");
    hansa.post(&beta.token, &accept, &late).await.expect_problem(409, "invitation_closed");
    let fourth = hansa.invite(&alpha, &consortium, &beta).await;
    hansa.accept(&beta, &consortium, &fourth).await;

    let nobody = hansa.post(&alpha.token, &invitations, &json!({ "tenant": "nobody" })).await;
    nobody.expect_problem(422, "tenant_unknown");
    let platform = hansa.post(&alpha.token, &invitations, &json!({ "tenant": "platform" })).await;
    platform.expect_problem(422, "tenant_unknown");
}

/// Operations are followed, one at a time for a node, and can be cancelled.
#[tokio::test]
async fn operations_are_followed_and_cancelled() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let consortium = hansa.consortium(&alpha, "demo").await;
    let ledger =
        hansa.ledger(&alpha, &consortium, &json!({ "name": "main", "policy": "bft" })).await;
    let node = hansa.node(&alpha, &ledger, "one").await;
    let stop = format!("/v1/nodes/{node}/stop");
    let busy = hansa.call(&alpha.token, "POST", &stop, &[], None).await;
    busy.expect_problem(409, "operation_in_progress");

    let open = hansa.get(&alpha.token, "/v1/operations?state=pending").await;
    let operation = format!("/v1/operations/{}", open.expect(StatusCode::OK).text("/items/0/id"));
    let waiting = format!("{operation}?wait=30");
    let waited = hansa.get(&alpha.token, &waiting);
    let cancel = async {
        let path = format!("{operation}/cancel");
        hansa.call(&alpha.token, "POST", &path, &[], None).await.expect(StatusCode::OK)
    };
    let (waited, cancelled) = tokio::join!(waited, cancel);
    assert_eq!(cancelled.text("/state"), "cancelled");
    assert_eq!(waited.text("/state"), "cancelled", "a long poll must see the end");
    assert_eq!(waited.text("/next_action"), "none");
    let stopped = hansa.call(&alpha.token, "POST", &stop, &[], None).await;
    stopped.expect(StatusCode::ACCEPTED);
    let read = hansa.get(&alpha.token, &format!("/v1/nodes/{node}")).await;
    assert_eq!((read.text("/desired"), read.text("/phase")), ("stopped".into(), "pending".into()));
}

/// Whoever asks for a restart names no revision: what a controller writes down at the same moment is no
/// reason to refuse it.
#[tokio::test]
async fn a_wish_waits_for_what_a_controller_writes_at_the_same_moment() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let consortium = hansa.consortium(&alpha, "demo").await;
    let body = json!({ "name": "main", "policy": "bft" });
    let ledger = hansa.ledger(&alpha, &consortium, &body).await;
    let node = hansa.node(&alpha, &ledger, "one").await;
    let superuser = hansa.database.superuser();
    let mut looking = superuser.connect().await.expect("a connection");
    sqlx::query("UPDATE operation SET state = 'cancelled', finished_at = now()")
        .execute(&mut looking)
        .await
        .expect("nothing is asked of the node any more");
    let mut writing = superuser.connect().await.expect("a connection");
    let mut write = writing.begin().await.expect("a transaction");
    sqlx::query("UPDATE node SET revision = revision + 1")
        .execute(&mut *write)
        .await
        .expect("a row");
    let restart = format!("/v1/nodes/{node}/restart");
    let asked = hansa.call(&alpha.token, "POST", &restart, &[], None);
    let written = async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                     AND datname = current_database()";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut looking).await.expect("runs") == 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        write.commit().await.expect("committed");
    };
    let (asked, ()) = tokio::join!(asked, written);
    asked.expect(StatusCode::ACCEPTED);
}
