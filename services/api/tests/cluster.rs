//! Clusters: who registers them, what tenants see of them, what is never told.

use http::StatusCode;
use serde_json::{Value, json};

use crate::fixture::Installation;

fn registration(name: &str) -> Value {
    let image = format!("registry.example/hansa-node@sha256:{}", "0".repeat(64));
    let access = json!({ "kind": "kubeconfig", "kubeconfig": "token: hunter2" });
    json!({ "name": name, "access": access, "settings": { "image": image } })
}

/// Whoever holds a kubeconfig holds the cluster. It goes to the vault and comes back to nobody,
/// not even to who sent it.
#[tokio::test]
async fn a_kubeconfig_is_returned_to_nobody() {
    let hansa = Installation::new().await;
    let made = hansa.post(&hansa.platform, "/v1/clusters", &registration("lab")).await;
    let made = made.expect(StatusCode::CREATED);
    assert_eq!(made.text("/access"), "kubeconfig");
    assert_eq!(made.text("/phase"), "pending", "nobody has asked it yet");
    let path = format!("/v1/clusters/{}", made.text("/id"));
    for path in [path.as_str(), "/v1/clusters"] {
        let shown = hansa.get(&hansa.platform, path).await.expect(StatusCode::OK);
        assert!(!shown.body.to_string().contains("hunter2"), "{path} shows it");
    }
    let kept = hansa.vault.secret_get(made.text("/id").parse().expect("an id")).await;
    assert_eq!(kept.expect("it is kept").expose(), b"token: hunter2");
}

/// Tenants choose among clusters; how these are reached and what is in them is the operator's.
#[tokio::test]
async fn tenants_see_names_and_change_nothing() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let id = hansa.cluster("lab").await;
    let path = format!("/v1/clusters/{id}");
    let seen = hansa.get(&alpha.token, &path).await.expect(StatusCode::OK);
    assert_eq!(seen.text("/name"), "lab");
    for hidden in ["access", "settings", "report"] {
        assert!(seen.body.get(hidden).is_none(), "a tenant sees {hidden}: {:#}", seen.body);
    }
    hansa
        .post(&alpha.token, "/v1/clusters", &registration("own"))
        .await
        .expect(StatusCode::FORBIDDEN);
    let first = [("if-match", "\"1\"")];
    let change = json!({ "access": { "kind": "in_cluster" } });
    let changed = hansa.call(&alpha.token, "PATCH", &path, &first, Some(&change)).await;
    changed.expect(StatusCode::FORBIDDEN);
    hansa.call(&alpha.token, "DELETE", &path, &first, None).await.expect(StatusCode::FORBIDDEN);
}

/// A cluster that nodes are in cannot be taken away under them, and its name is not given twice.
#[tokio::test]
async fn a_cluster_with_nodes_stays() {
    let hansa = Installation::new().await;
    let alpha = hansa.tenant("alpha").await;
    let id = hansa.cluster("lab").await;
    let again = hansa.post(&hansa.platform, "/v1/clusters", &registration("lab")).await;
    again.expect(StatusCode::CONFLICT);
    let process = hansa.post(&hansa.platform, "/v1/clusters", &registration("process")).await;
    process.expect(StatusCode::BAD_REQUEST);
    let consortium = hansa.consortium(&alpha, "demo").await;
    let ledger =
        hansa.ledger(&alpha, &consortium, &json!({ "name": "main", "policy": "bft" })).await;
    let nodes = format!("/v1/ledgers/{ledger}/nodes");
    let unknown = json!({ "name": "one", "runtime": "nowhere" });
    let refused = hansa.post(&alpha.token, &nodes, &unknown).await;
    let refused = refused.expect(StatusCode::BAD_REQUEST);
    assert_eq!(refused.text("/errors/0/pointer"), "/runtime");
    let asked = hansa.post(&alpha.token, &nodes, &json!({ "name": "one", "runtime": "lab" })).await;
    let node = asked.expect(StatusCode::ACCEPTED).text("/target/node_id");
    let node = hansa.get(&alpha.token, &format!("/v1/nodes/{node}")).await;
    assert_eq!(node.text("/private/runtime"), "lab");
    let path = format!("/v1/clusters/{id}");
    let first = [("if-match", "\"1\"")];
    let used = hansa.call(&hansa.platform, "DELETE", &path, &first, None).await;
    used.expect(StatusCode::CONFLICT);
    let free = hansa.cluster("free").await;
    let path = format!("/v1/clusters/{free}");
    let stale = [("if-match", "\"7\"")];
    let changed = hansa.call(&hansa.platform, "DELETE", &path, &stale, None).await;
    changed.expect(StatusCode::PRECONDITION_FAILED);
    let ended = hansa.call(&hansa.platform, "DELETE", &path, &first, None).await;
    ended.expect(StatusCode::NO_CONTENT);
    hansa.get(&hansa.platform, &path).await.expect(StatusCode::NOT_FOUND);
    let gone = hansa.vault.secret_get(free.parse().expect("an id")).await;
    assert!(gone.is_err(), "the kubeconfig of a cluster that is gone is still kept");
    hansa.cluster("free").await;
}
