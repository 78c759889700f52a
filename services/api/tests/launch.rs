//! From nodes that are asked for to a ledger that runs: the API, the controller and the vault
//! together, with nodes played by the test.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use hansa_clients::{NodeIncident, NodeStatus, Nodes};
use hansa_control::{Controller, HeldOperations};
use hansa_core::NodeId;
use hansa_runtime::Runtime as _;
use hansa_types::enrolment::EnrolmentRequest;
use http::StatusCode;
use ledger_types::{
    Digest, Endorsement, Genesis, RequestLine, RequestToken, SigningKey, genesis::Charter,
};
use openssl::{hash::MessageDigest, pkey::PKey, x509::X509ReqBuilder};
use serde_json::{Value, json};

use crate::fixture::{Installation, Tenant};

/// Every node answers that it has executed block 1.
#[derive(Debug)]
pub(crate) struct Agreeing;

#[async_trait]
impl Nodes for Agreeing {
    async fn status(&self, _: &str, _: &str) -> hansa_core::Result<NodeStatus> {
        Ok(NodeStatus {
            height: 1,
            executed_height: 1,
            execution_root: "ab".repeat(32),
            peers_connected: vec![1, 2, 3],
            may_vote: true,
            quorum_reachable: true,
        })
    }

    async fn incidents(&self, address: &str, _: &str) -> hansa_core::Result<Vec<NodeIncident>> {
        let found = NodeIncident {
            id: "1".to_owned(),
            kind: "block_corrupt".to_owned(),
            summary: "block 7 differs from its certificate".to_owned(),
            opened_at_ms: 1_800_000_000_000,
            resolved_at_ms: None,
        };
        Ok(if address.contains("a1") { vec![found] } else { Vec::new() })
    }

    async fn read(&self, _: &str, _: &str, path: &str) -> hansa_core::Result<Option<Vec<u8>>> {
        Ok((path == "/v1/blocks/1").then(|| br#"{"header":{"height":1}}"#.to_vec()))
    }
}

struct World {
    hansa: Installation,
    controller: Arc<Controller>,
    held: HeldOperations,
    alpha: Tenant,
    beta: Tenant,
    consortium: String,
    ledger: String,
    nodes: BTreeMap<String, PlayedNode>,
}

/// A node that the test plays.
pub(crate) struct PlayedNode {
    id: String,
    tenant: String,
    key: SigningKey,
    request: String,
}

impl PlayedNode {
    pub(crate) fn new(id: &str, tenant: &str) -> Self {
        let tls = PKey::generate_ed25519().expect("randomness");
        let mut builder = X509ReqBuilder::new().expect("a builder");
        builder.set_pubkey(&tls).expect("a key");
        builder.sign(&tls, MessageDigest::null()).expect("signed");
        let request = String::from_utf8(builder.build().to_pem().expect("PEM")).expect("text");
        let key = SigningKey::generate().expect("randomness");
        Self { id: id.to_owned(), tenant: tenant.to_owned(), key, request }
    }

    pub(crate) fn body(&self) -> Value {
        let key = self.key.public_key().0.into();
        let (tenant, node) = (self.tenant.parse().expect("id"), self.id.parse().expect("id"));
        let statement = EnrolmentRequest::statement(tenant, node, &key, &self.request);
        let proof = self.key.sign(&Digest::of(&statement)).0.into();
        let request = EnrolmentRequest {
            node,
            consensus_key: key,
            certificate_request: self.request.clone(),
            proof,
        };
        serde_json::to_value(request).expect("JSON")
    }
}

impl World {
    /// A consortium of two with a ledger and two nodes each, which run and have not enrolled.
    async fn new() -> Self {
        Self::on(Installation::new().await).await
    }

    async fn on(hansa: Installation) -> Self {
        let (alpha, beta) = (hansa.tenant("alpha").await, hansa.tenant("beta").await);
        let consortium = hansa.consortium(&alpha, "demo").await;
        let invitation = hansa.invite(&alpha, &consortium, &beta).await;
        hansa.accept(&beta, &consortium, &invitation).await;
        let body = json!({ "name": "main", "policy": "bft" });
        let ledger = hansa.ledger(&alpha, &consortium, &body).await;
        let mut nodes = BTreeMap::new();
        for (member, name) in [(&alpha, "a1"), (&alpha, "a2"), (&beta, "b1"), (&beta, "b2")] {
            let id = hansa.node(member, &ledger, name).await;
            nodes.insert(name.to_owned(), PlayedNode::new(&id, &member.id));
        }
        let controller = hansa.controller();
        let held = HeldOperations::default();
        let mut world = Self { hansa, controller, held, alpha, beta, consortium, ledger, nodes };
        world.settle().await;
        world
    }

    /// Passes until nothing more can change.
    async fn settle(&mut self) {
        for _ in 0..4 {
            self.controller.pass(&mut self.held).await.expect("a pass");
            self.controller.observe().await.expect("a look");
        }
    }

    fn token(&self, node: &str) -> String {
        let id: NodeId = self.nodes[node].id.parse().expect("an id");
        let wish = self.hansa.runtime.wish(id).expect("the runtime was asked");
        let token = wish.enrolment.token.expect("a node without identity gets a token");
        token.expose_text().expect("text").to_owned()
    }

    async fn enrol(&self, node: &str) {
        let (token, body) = (self.token(node), self.nodes[node].body());
        let answer = self.hansa.post(&token, "/enrolment/v1/nodes", &body).await;
        answer.expect(StatusCode::OK);
    }

    async fn enrol_all(&mut self) {
        for node in ["a1", "a2", "b1", "b2"] {
            self.enrol(node).await;
        }
        self.settle().await;
    }

    async fn launch(&mut self) -> String {
        let path = format!("/v1/ledgers/{}/launch", self.ledger);
        let asked = self.hansa.call(&self.alpha.token, "POST", &path, &[], None).await;
        let operation = asked.expect(StatusCode::ACCEPTED).text("/id");
        self.settle().await;
        operation
    }

    /// A member's agreement, as its client makes it.
    async fn agreement(&self, member: &Tenant) -> Value {
        let path = format!("/v1/ledgers/{}/charter", self.ledger);
        let shown = self.hansa.get(&member.token, &path).await.expect(StatusCode::OK).body;
        let body = agreement(&shown, member);
        let endorsements = body["endorsements"].as_array().map(Vec::len);
        assert_eq!(endorsements, Some(2), "each member signs its own nodes, all of them");
        body
    }

    fn approvals(&self) -> String {
        format!("/v1/ledgers/{}/approvals", self.ledger)
    }

    async fn approve(&mut self, member: fn(&Self) -> &Tenant) {
        let body = self.agreement(member(self)).await;
        let answer = self.hansa.post(&member(self).token, &self.approvals(), &body).await;
        answer.expect(StatusCode::OK);
        self.settle().await;
    }

    async fn read(&self, path: &str) -> Value {
        self.hansa.get(&self.alpha.token, path).await.expect(StatusCode::OK).body
    }

    async fn end_consortium(&mut self) {
        let path = format!("/v1/consortiums/{}", self.consortium);
        let tag = format!("\"{}\"", self.read(&path).await["revision"]);
        let headers = [("if-match", tag.as_str())];
        let asked = self.hansa.call(&self.alpha.token, "DELETE", &path, &headers, None).await;
        let operation = asked.expect(StatusCode::ACCEPTED).text("/id");
        self.settle().await;
        let ended = self.read(&format!("/v1/operations/{operation}")).await;
        assert_eq!(ended["state"], "succeeded", "{ended:#}");
    }

    async fn phase(&self) -> Value {
        self.read(&format!("/v1/ledgers/{}", self.ledger)).await["phase"].clone()
    }

    async fn fetch_genesis(&self, node: &str, key: &SigningKey) -> crate::fixture::Answer {
        let PlayedNode { id, tenant, .. } = &self.nodes[node];
        let target = format!("/enrolment/v1/nodes/{tenant}/{id}/genesis?wait=0");
        let ledger: hansa_core::LedgerId = self.ledger.parse().expect("an id");
        let ledger = ledger_types::LedgerId(*ledger.uuid().as_bytes());
        let line = RequestLine { method: "GET", target: &target, body: b"" };
        let token = RequestToken::sign(key, ledger, line, "genesis", 1_800_000_000_000);
        let headers = [("authorization", token.to_header())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.hansa.call("", "GET", &target, &headers, None).await
    }
}

/// What a member's client makes of a charter that it was shown.
pub(crate) fn agreement(shown: &Value, member: &Tenant) -> Value {
    let charter: Charter = serde_json::from_value(shown["charter"].clone()).expect("a charter");
    assert_eq!(shown["digest"], charter.digest().to_string(), "clients compute it again");
    let endorsements = shown["endorsements"].as_array().expect("a list").iter();
    let signed = endorsements.map(|draft| {
        let endorsement: Endorsement =
            serde_json::from_value(draft["endorsement"].clone()).expect("an endorsement");
        assert_eq!(draft["digest"], endorsement.digest(&charter).to_string());
        let signature = endorsement.sign(&charter, &member.key);
        json!({ "node_id": draft["node_id"], "signature": signature.to_string() })
    });
    let endorsements: Vec<Value> = signed.collect();
    let signature = charter.sign(&member.key).to_string();
    json!({ "charter_signature": signature, "endorsements": endorsements })
}

/// The main job of the control plane: every step is taken by whoever has the right to it.
#[tokio::test]
async fn nodes_enrol_members_sign_and_the_ledger_runs() {
    let mut world = World::new().await;
    let node = world.read(&format!("/v1/nodes/{}", world.nodes["a1"].id)).await;
    assert_eq!(node["phase"], "provisioning", "it runs and has no identity: {node:#}");
    world.enrol_all().await;
    let node = world.read(&format!("/v1/nodes/{}", world.nodes["a1"].id)).await;
    assert_eq!(node["phase"], "enrolled");
    let done = world.read("/v1/operations?state=succeeded").await;
    assert_eq!(done["items"].as_array().map(Vec::len), Some(2), "alpha's two nodes: {done:#}");

    let operation = world.launch().await;
    let waiting = world.fetch_genesis("a1", &world.nodes["a1"].key).await;
    assert_eq!(waiting.status, StatusCode::NO_CONTENT, "nobody has signed yet");
    world.approve(|world| &world.alpha).await;
    let genesis = format!("/v1/ledgers/{}/genesis", world.ledger);
    let early = world.hansa.get(&world.alpha.token, &genesis).await;
    early.expect_problem(409, "wrong_phase");
    world.approve(|world| &world.beta).await;

    let genesis: Genesis = serde_json::from_value(world.read(&genesis).await).expect("a genesis");
    genesis.check().expect("every signature holds");
    assert_eq!(genesis.validators.len(), 4);
    assert_eq!(genesis.charter.threshold, 2, "more than half of two members");
    let fetched = world.fetch_genesis("b2", &world.nodes["b2"].key).await.expect(StatusCode::OK);
    assert_eq!(serde_json::from_value::<Genesis>(fetched.body).expect("a genesis"), genesis);

    assert_eq!(world.phase().await, "running");
    let ended = world.read(&format!("/v1/operations/{operation}")).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    let nodes = world.read(&format!("/v1/ledgers/{}/nodes", world.ledger)).await;
    for node in nodes["items"].as_array().expect("items") {
        assert_eq!(
            (&node["phase"], &node["observation"]["height"]),
            (&json!("running"), &json!(1))
        );
    }
    let blocks = world.read(&format!("/v1/ledgers/{}/blocks", world.ledger)).await;
    assert_eq!(blocks["items"][0]["header"]["height"], 1, "relayed from an own node: {blocks:#}");
    let block = format!("/v1/ledgers/{}/blocks/9", world.ledger);
    world.hansa.get(&world.alpha.token, &block).await.expect_problem(404, "not_found");
    let receipt = format!("/v1/ledgers/{}/transactions/xyz", world.ledger);
    world.hansa.get(&world.alpha.token, &receipt).await.expect_problem(400, "invalid_request");
    let incidents = world.read(&format!("/v1/ledgers/{}/incidents", world.ledger)).await;
    assert_eq!(incidents["items"].as_array().map(Vec::len), Some(1), "told once: {incidents:#}");
    assert_eq!(incidents["items"][0]["kind"], "block_corrupt");
}

/// One token, one node, one identity: what was used is refused for anything else.
#[tokio::test]
async fn an_enrolment_token_gives_one_identity_once() {
    let world = World::new().await;
    let enrol = "/enrolment/v1/nodes";
    let (token, body) = (world.token("a1"), world.nodes["a1"].body());
    let unknown = format!("{}00", &token[..token.len() - 2]);
    let refused = world.hansa.post(&unknown, enrol, &body).await;
    refused.expect_problem(401, "unauthenticated");
    let other_node = world.hansa.post(&token, enrol, &world.nodes["b1"].body()).await;
    other_node.expect_problem(401, "unauthenticated");
    let mut forged = body.clone();
    forged["consensus_key"] = world.nodes["a2"].body()["consensus_key"].clone();
    let forged = world.hansa.post(&token, enrol, &forged).await;
    forged.expect_problem(422, "signature_invalid");

    let first = world.hansa.post(&token, enrol, &body).await.expect(StatusCode::OK);
    let again = world.hansa.post(&token, enrol, &body).await.expect(StatusCode::OK);
    assert_eq!(first.body, again.body, "a lost answer is given again");
    let second = PlayedNode::new(&world.nodes["a1"].id, &world.alpha.id);
    let replayed = world.hansa.post(&token, enrol, &second.body()).await;
    replayed.expect_problem(401, "unauthenticated");

    let late = world.token("a2");
    world.hansa.clock.advance(std::time::Duration::from_hours(2));
    let expired = world.hansa.post(&late, enrol, &world.nodes["a2"].body()).await;
    expired.expect_problem(401, "unauthenticated");
    let trail = world.read("/v1/audit-events?page_size=200").await;
    let denied = trail["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter(|event| event["action"] == "node_enrol" && event["result"] == "denied");
    assert_eq!(denied.count(), 3, "what a genuine token was misused for is on record: {trail:#}");
}

/// A genesis goes to the ledger's nodes only.
#[tokio::test]
async fn a_genesis_is_fetched_with_the_nodes_own_key() {
    let world = World::new().await;
    let early = world.fetch_genesis("a1", &world.nodes["a1"].key).await;
    early.expect_problem(401, "unauthenticated");
    world.enrol("a1").await;
    let stranger = SigningKey::generate().expect("randomness");
    let refused = world.fetch_genesis("a1", &stranger).await;
    refused.expect_problem(401, "unauthenticated");
    let own = world.fetch_genesis("a1", &world.nodes["a1"].key).await;
    assert_eq!(own.status, StatusCode::NO_CONTENT);
}

/// Nobody signs for another, and nobody leaves a node out.
#[tokio::test]
async fn an_approval_holds_every_signature_of_its_member() {
    let mut world = World::new().await;
    world.enrol_all().await;
    let charter = format!("/v1/ledgers/{}/charter", world.ledger);
    let early = world.hansa.get(&world.alpha.token, &charter).await;
    early.expect_problem(409, "wrong_phase");
    world.launch().await;
    let approvals = world.approvals();
    let body = world.agreement(&world.alpha).await;
    let by_other = world.hansa.post(&world.beta.token, &approvals, &body).await;
    by_other.expect_problem(422, "signature_invalid");
    let mut incomplete = body.clone();
    incomplete["endorsements"].as_array_mut().expect("a list").pop();
    let refused = world.hansa.post(&world.alpha.token, &approvals, &incomplete).await;
    refused.expect_problem(400, "invalid_request");
    let mut swapped = body.clone();
    swapped["endorsements"][0]["signature"] = body["endorsements"][1]["signature"].clone();
    let refused = world.hansa.post(&world.alpha.token, &approvals, &swapped).await;
    refused.expect_problem(422, "signature_invalid");
    assert_eq!(world.phase().await, "launching");
}

/// Who does not sign in time is named, and the ledger can be launched again.
#[tokio::test]
async fn a_launch_without_a_signature_fails_with_its_reason_and_can_be_repeated() {
    let mut world = World::new().await;
    world.enrol_all().await;
    let operation = world.launch().await;
    world.approve(|world| &world.alpha).await;
    world.hansa.clock.advance(std::time::Duration::from_hours(73));
    world.settle().await;
    let failed = world.read(&format!("/v1/operations/{operation}")).await;
    assert_eq!(failed["state"], "failed", "{failed:#}");
    assert_eq!(failed["reason"], "signature_missing");
    assert_eq!(failed["next_action"], "collect_signatures");
    assert_eq!(world.phase().await, "failed");
    world.launch().await;
    world.approve(|world| &world.beta).await;
    assert_eq!(world.phase().await, "launching", "what was signed before must not count");
    world.approve(|world| &world.alpha).await;
    assert_eq!(world.phase().await, "running");
}

/// The end of a consortium ends its nodes and keeps their volumes.
#[tokio::test]
async fn a_deleted_consortium_leaves_no_node_and_keeps_the_volumes() {
    let mut world = World::new().await;
    world.end_consortium().await;
    assert!(world.hansa.runtime.list().await.expect("listed").is_empty(), "a node still runs");
    let retained = world.hansa.runtime.retained().await.expect("listed");
    assert_eq!(retained.len(), 4, "the volumes of four nodes are kept");
}

/// A consortium may end in the middle of a launch: its ledger has a genesis and then no node. That
/// once ended the controller for good.
#[tokio::test]
async fn a_consortium_ends_in_the_middle_of_a_launch() {
    let mut world = World::new().await;
    world.enrol_all().await;
    world.launch().await;
    world.approve(|world| &world.alpha).await;
    let body = world.agreement(&world.beta).await;
    world.hansa.post(&world.beta.token, &world.approvals(), &body).await.expect(StatusCode::OK);
    // The genesis is published, and nobody has heard of a block yet.
    world.controller.pass(&mut world.held).await.expect("a pass");
    assert_eq!(world.phase().await, "launching");
    world.end_consortium().await;
    assert!(world.hansa.runtime.list().await.expect("listed").is_empty(), "a node still runs");
}

/// The end of one ledger ends its nodes, of all members, and leaves the consortium and the volumes;
/// those are kept for the time that was promised and no longer.
#[tokio::test]
async fn a_deleted_ledger_leaves_no_node_and_its_volumes_for_a_while() {
    let mut world = World::new().await;
    let path = format!("/v1/ledgers/{}", world.ledger);
    let tag = format!("\"{}\"", world.read(&path).await["revision"]);
    let headers = [("if-match", tag.as_str())];
    let asked = world.hansa.call(&world.alpha.token, "DELETE", &path, &headers, None).await;
    let operation = asked.expect(StatusCode::ACCEPTED).text("/id");
    world.settle().await;
    let ended = world.read(&format!("/v1/operations/{operation}")).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert!(world.hansa.runtime.list().await.expect("listed").is_empty(), "a node still runs");
    world.hansa.get(&world.alpha.token, &path).await.expect_problem(404, "not_found");
    let consortium = world.read(&format!("/v1/consortiums/{}", world.consortium)).await;
    assert_eq!(consortium["phase"], "active");
    let body = json!({ "name": "main", "policy": "bft" });
    world.hansa.ledger(&world.alpha, &world.consortium, &body).await;

    let hour = std::time::Duration::from_hours(1);
    for (later, kept) in [(hansa_core::limits::VOLUME_RETENTION - hour, 4), (hour * 2, 0)] {
        world.hansa.clock.advance(later);
        world.controller.keep_house().await.expect("kept");
        let retained = world.hansa.runtime.retained().await.expect("listed");
        assert_eq!(retained.len(), kept, "volumes are kept for their time and no longer");
    }
}

/// R-10 for the controller: while PostgreSQL is away it says so and ends nothing; when it is back,
/// the running controller goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_the_controller_goes_on_when_the_database_is_back() {
    static OWN_CLUSTER: hansa_postgres::TestCluster = hansa_postgres::TestCluster::new();
    let hansa = Installation::on(hansa_store::testing::database_in(&OWN_CLUSTER).await).await;
    let mut world = World::on(hansa).await;
    let running = tokio::spawn(world.controller.clone().run());
    world.hansa.database.crash_server().await;
    let away = world.controller.pass(&mut world.held).await;
    assert!(matches!(away, Err(hansa_core::Error::Unavailable { .. })), "{away:?}");
    world.hansa.database.revive_server().await;
    let back = std::time::Instant::now();
    for node in ["a1", "a2", "b1", "b2"] {
        let (token, body) = (world.token(node), world.nodes[node].body());
        // Connections of the crash are noticed one by one.
        while world.hansa.post(&token, "/enrolment/v1/nodes", &body).await.status != StatusCode::OK
        {
            assert!(back.elapsed().as_secs() < 10, "the API must recover by itself");
        }
    }
    let path = format!("/v1/nodes/{}", world.nodes["b2"].id);
    while world.read(&path).await["phase"] != "enrolled" {
        assert!(back.elapsed().as_secs() < 10, "the controller must recover by itself");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(!running.is_finished(), "the controller ended");
    running.abort();
}

/// Members restart their nodes without asking one another: together they must not halt the ledger,
/// and one that waits says for whom.
#[tokio::test]
async fn restarts_of_a_ledgers_nodes_take_turns() {
    let mut world = World::new().await;
    world.enrol_all().await;
    world.launch().await;
    world.approve(|world| &world.alpha).await;
    world.approve(|world| &world.beta).await;
    assert_eq!(world.phase().await, "running");
    let mut operations = Vec::new();
    for (member, name) in [(&world.alpha, "a1"), (&world.alpha, "a2"), (&world.beta, "b1")] {
        let path = format!("/v1/nodes/{}/restart", world.nodes[name].id);
        let asked = world.hansa.call(&member.token, "POST", &path, &[], None).await;
        operations.push((member.token.clone(), asked.expect(StatusCode::ACCEPTED).text("/id")));
    }
    let generation = |world: &World, name: &str| {
        let id: NodeId = world.nodes[name].id.parse().expect("an id");
        world.hansa.runtime.wish(id).expect("it runs").generation
    };
    let restarted = |world: &World| {
        let names = ["a1", "a2", "b1"].into_iter();
        names.filter(|name| generation(world, name) > generation(world, "b2")).count()
    };
    world.controller.pass(&mut world.held).await.expect("a pass");
    assert_eq!(restarted(&world), 1, "of four nodes one may be away");
    let waiting = world.read(&format!("/v1/nodes/{}", world.nodes["a2"].id)).await;
    assert_eq!(waiting["reason"], "quorum_margin", "{waiting:#}");
    let detail = "3 other nodes must take part meanwhile, 2 do; a1 restarts";
    assert_eq!(waiting["private"]["detail"], detail, "{waiting:#}");
    for _ in 0..3 {
        world.controller.pass(&mut world.held).await.expect("a pass");
        assert_eq!(restarted(&world), 1, "it has not been heard of since");
    }
    for done in [2, 3] {
        world.controller.observe().await.expect("a look");
        world.controller.pass(&mut world.held).await.expect("a pass");
        assert_eq!(restarted(&world), done, "the next has its turn when the last is back");
        world.controller.pass(&mut world.held).await.expect("a pass");
    }
    // An answer counts for an operation that is younger than its step.
    world.hansa.clock.advance(std::time::Duration::from_secs(1));
    world.settle().await;
    for (token, operation) in operations {
        let path = format!("/v1/operations/{operation}");
        let ended = world.hansa.get(&token, &path).await.expect(StatusCode::OK).body;
        assert_eq!(ended["state"], "succeeded", "{ended:#}");
    }
}

/// A controller that dies between two steps leaves nothing half done: the next one goes on.
#[tokio::test]
async fn another_controller_goes_on_where_one_ended() {
    let mut world = World::new().await;
    world.enrol_all().await;
    let operation = world.launch().await;
    // The second controller holds no lease yet: it must wait until the first's has ended.
    let second = HeldOperations::default();
    let first = std::mem::replace(&mut world.held, second);
    world.approve(|world| &world.alpha).await;
    world.approve(|world| &world.beta).await;
    assert_eq!(world.phase().await, "running", "ledgers are driven by whoever looks");
    world.hansa.clock.advance(std::time::Duration::from_secs(60));
    world.settle().await;
    let ended = world.read(&format!("/v1/operations/{operation}")).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    // The first comes back: what it holds is stale, and it must notice.
    world.held = first;
    world.settle().await;
    let still = world.read(&format!("/v1/operations/{operation}")).await;
    assert_eq!(still["revision"], ended["revision"], "a former holder wrote");
}
