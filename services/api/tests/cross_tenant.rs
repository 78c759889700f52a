//! Isolation, asked of every operation that the document lists: no list of operations is kept here,
//! so a new one is covered, or its path parameter makes a test fail.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use hansa_core::{Uuid, limits};
use http::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{Answer, Installation, Tenant};

// Relative to the package, where tests run: a build may be shared between checkouts.
const GOLDEN: &str = "tests/golden/relations.txt";

/// Only the operator of the platform may ask; everybody else learns nothing from the id.
const PLATFORM_ONLY: [&str; 2] = ["/v1/tenants", "/v1/tenants/{tenant_id}"];
/// Clusters belong to no tenant and are offered to all: their ids tell nothing of anybody.
const OFFERED: [&str; 1] = ["/v1/clusters/{cluster_id}"];
/// What a caller does to itself: there is no foreign id in it.
const OWN: [&str; 2] = ["/v1/sessions", "/v1/sessions/current"];

struct Operation {
    method: String,
    path: String,
    body: Option<Value>,
}

fn operations() -> Vec<Operation> {
    let document = hansa_api::document();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let body = operation.pointer("/requestBody/content/application~1json/example").cloned();
            operations.push(Operation { method: method.to_uppercase(), path: path.clone(), body });
        }
    }
    assert!(operations.len() > 30, "the document has lost its operations");
    operations
}

type Ids = BTreeMap<&'static str, String>;

impl Operation {
    fn at(&self, ids: &Ids) -> String {
        let mut path = self.path.clone();
        for (name, id) in ids {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        assert!(!path.contains('{'), "add the parameter of {} to the scene's ids", self.path);
        path
    }

    async fn call(&self, hansa: &Installation, token: &str, ids: &Ids) -> Answer {
        let headers = [("if-match", "\"1\"")];
        hansa.call(token, &self.method, &self.at(ids), &headers, self.body.as_ref()).await
    }
}

/// The answer without what differs by nature: the request's id, the address, the ids in it.
fn normal(answer: &Answer, ids: &Ids) -> (StatusCode, String) {
    let mut body = answer.body.clone();
    if let Some(object) = body.as_object_mut() {
        object.remove("request_id");
        object.remove("instance");
    }
    let mut text = body.to_string();
    for id in ids.values() {
        text = text.replace(id, "ID");
    }
    (answer.status, text)
}

fn random_ids(ids: &Ids) -> Ids {
    // Heights and digests are no ids of ours: they say nothing of whose ledger it is.
    let random = |name: &str, id: &str| match name {
        "height" | "transaction_id" => id.to_owned(),
        _ => Uuid::now_v7().to_string(),
    };
    ids.iter().map(|(name, id)| (*name, random(name, id))).collect()
}

struct Scene {
    hansa: Installation,
    owner: Tenant,
    member: Tenant,
    invitee: Tenant,
    removed: Tenant,
    stranger: Tenant,
    ids: Ids,
}

/// A consortium with a tenant in each relation, and one of everything that has an id.
async fn scene() -> Scene {
    let hansa = Installation::new().await;
    let owner = hansa.tenant("owner").await;
    let member = hansa.tenant("member").await;
    let invitee = hansa.tenant("invitee").await;
    let removed = hansa.tenant("removed").await;
    let stranger = hansa.tenant("stranger").await;
    let consortium = hansa.consortium(&owner, "demo").await;
    for guest in [&member, &removed] {
        let invitation = hansa.invite(&owner, &consortium, guest).await;
        hansa.accept(guest, &consortium, &invitation).await;
    }
    let members = format!("/v1/consortiums/{consortium}/members");
    let seats = hansa.get(&owner.token, &members).await.expect(StatusCode::OK);
    let seats = seats.body["items"].as_array().expect("items").clone();
    let seat_of = |tenant: &Tenant| {
        let seat = seats.iter().find(|seat| seat["tenant_id"] == tenant.id.as_str());
        seat.expect("it has a seat")["id"].as_str().expect("an id").to_owned()
    };
    let path = format!("{members}/{}", seat_of(&removed));
    let first = [("if-match", "\"1\"")];
    let ended = hansa.call(&owner.token, "DELETE", &path, &first, None).await;
    ended.expect(StatusCode::NO_CONTENT);

    let invitation = hansa.invite(&owner, &consortium, &invitee).await;
    let ledger =
        hansa.ledger(&owner, &consortium, &json!({ "name": "main", "policy": "bft" })).await;
    let node = hansa.node(&owner, &ledger, "one").await;
    // Logs are answered by whoever reaches the nodes.
    let answering = hansa.controller();
    tokio::spawn(async move {
        loop {
            answering.answer_logs().await.expect("the database answers");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let operations = hansa.get(&owner.token, "/v1/operations").await;
    let users = hansa.get(&owner.token, "/v1/users").await;
    let keys = hansa.get(&owner.token, "/v1/api-keys").await;
    let ids = Ids::from([
        ("tenant_id", owner.id.clone()),
        ("user_id", users.text("/items/0/id")),
        ("api_key_id", keys.text("/items/0/id")),
        ("cluster_id", hansa.cluster("lab").await),
        ("consortium_id", consortium),
        ("member_id", seat_of(&owner)),
        ("invitation_id", invitation),
        ("ledger_id", ledger),
        ("node_id", node),
        ("height", "1".to_owned()),
        ("transaction_id", "ab".repeat(32)),
        ("operation_id", operations.text("/items/0/id")),
    ]);
    Scene { hansa, owner, member, invitee, removed, stranger, ids }
}

/// S-01: without a credential every operation answers 401, alike for what exists and what does not.
#[tokio::test]
async fn s01_without_a_credential_nothing_is_told() {
    let Scene { hansa, ids, .. } = scene().await;
    for operation in operations().iter().filter(|o| o.path != "/v1/sessions") {
        let real = operation.call(&hansa, "", &ids).await;
        let random = random_ids(&ids);
        let unreal = operation.call(&hansa, "", &random).await;
        let what = format!("{} {}", operation.method, operation.path);
        assert_eq!(real.status, StatusCode::UNAUTHORIZED, "{what}: {:#}", real.body);
        assert_eq!(normal(&real, &ids), normal(&unreal, &random), "{what}");
    }
}

/// S-02: a stranger that guessed an id gets what a random id gets: not found.
#[tokio::test]
async fn s02_a_foreign_id_is_not_found() {
    let Scene { hansa, stranger, removed, ids, .. } = scene().await;
    let by_id = |o: &&Operation| o.path.contains('{');
    for operation in operations().iter().filter(by_id) {
        for tenant in [&stranger, &removed] {
            let real = operation.call(&hansa, &tenant.token, &ids).await;
            let random = random_ids(&ids);
            let unreal = operation.call(&hansa, &tenant.token, &random).await;
            let what = format!("{} {} as {}", operation.method, operation.path, tenant.name);
            let path = operation.path.as_str();
            let offered = OFFERED.contains(&path);
            if offered && operation.method == "GET" {
                continue;
            }
            let expected = if offered || PLATFORM_ONLY.contains(&path) { 403 } else { 404 };
            assert_eq!(real.status.as_u16(), expected, "{what}: {:#}", real.body);
            assert_eq!(normal(&real, &ids), normal(&unreal, &random), "{what}");
        }
    }
}

/// S-03: no list shows anything of another tenant.
#[tokio::test]
async fn s03_lists_show_nothing_foreign() {
    let Scene { hansa, stranger, removed, ids, .. } = scene().await;
    let lists =
        |o: &&Operation| o.method == "GET" && !o.path.contains('{') && o.path != "/v1/events";
    for operation in operations().iter().filter(lists) {
        for tenant in [&stranger, &removed] {
            let answer = operation.call(&hansa, &tenant.token, &ids).await;
            let text = answer.body.to_string();
            // A removed member keeps the record of its own, answered invitation.
            let own_record = operation.path == "/v1/invitations" && tenant.name == "removed";
            // A height and a digest are no ids of ours, and short enough to be part of any text.
            let ours = |name: &str| name != "height" && name != "transaction_id";
            for (name, id) in ids.iter().filter(|(name, _)| ours(name)) {
                let named = (*name == "consortium_id" && own_record) || *name == "cluster_id";
                assert!(
                    named || !text.contains(id),
                    "{} shows the {name} of another",
                    operation.path
                );
            }
        }
    }
}

/// What each relation gets from each operation, as a table that a person reviews. The owner only
/// reads, so that the scene stays as it is; whoever may change something is in the table for it.
#[tokio::test]
async fn every_relation_is_reviewed_for_every_operation() {
    let Scene { hansa, owner, member, invitee, removed, stranger, ids } = scene().await;
    let mut table = String::from(
        "# What an administrator of each tenant gets, by its relation to the consortium.\n\
         # Write it anew with HANSA_GOLDEN=write cargo test -p hansa-api.\n\n",
    );
    writeln!(table, "{:<66}own mem inv rem str", "").expect("text");
    for operation in operations() {
        // An invitee that declined, or a caller that signed out, is in another relation afterwards.
        let changes_relation =
            operation.path.ends_with("/decline") || OWN.contains(&operation.path.as_str());
        if changes_relation || operation.path == "/v1/events" {
            continue;
        }
        let mut line = format!("{:<66}", format!("{} {}", operation.method, operation.path));
        for tenant in [&owner, &member, &invitee, &removed, &stranger] {
            let own = tenant.name == "owner" && operation.method != "GET";
            let status = if own {
                "-".to_owned()
            } else {
                operation.call(&hansa, &tenant.token, &ids).await.status.as_u16().to_string()
            };
            write!(line, "{status:<4}").expect("text");
        }
        writeln!(table, "{}", line.trim_end()).expect("text");
    }
    if std::env::var("HANSA_GOLDEN").is_ok_and(|v| v == "write") {
        std::fs::write(GOLDEN, &table).expect("the golden file is writable");
    }
    let reviewed = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(table, reviewed, "an answer changed: write the file anew and have it reviewed");
}

/// S-21: passwords and secrets are in no answer but the one that shows a new key.
#[tokio::test]
async fn s21_no_answer_repeats_a_secret() {
    let Scene { hansa, owner, ids, .. } = scene().await;
    for operation in operations().iter().filter(|o| o.method == "GET" && o.path != "/v1/events") {
        operation.call(&hansa, &owner.token, &ids).await;
    }
    let (_, secret) = owner.token.rsplit_once('_').expect("three parts");
    assert_eq!(secret.len(), limits::TOKEN_SECRET_BYTES * 2);
    let answers = hansa.answers.lock().expect("no test panics while holding it");
    let showing = answers.iter().filter(|text| text.contains(secret)).count();
    assert_eq!(showing, 1, "a key is shown in the answer that makes it, and nowhere else");
    let word = crate::fixture::PASSWORD;
    assert!(!answers.iter().any(|text| text.contains(word)), "an answer repeats a password");
    assert!(!answers.iter().any(|text| text.contains("$argon2")), "an answer shows a hash");
}
