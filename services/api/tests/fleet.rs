//! Clusters that come, change, stay away and go: what becomes of their nodes, and of the others'.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use hansa_control::{
    ClusterSpec, Clusters, Connection, Controller, ControllerConfig, Fleet, HeldOperations, Probe,
};
use hansa_core::{ClusterId, ManualClock, Secret, limits};
use hansa_runtime::{FakeRuntime, Runtime as _, RuntimeError};
use hansa_store::testing::controller_store;
use hansa_types::ClusterReport;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

use crate::{
    fixture::{Answer, Installation, Tenant},
    launch::Agreeing,
};

/// Clusters in memory; which kubeconfig each was connected with.
#[derive(Debug)]
struct FakeClusters {
    clock: Arc<ManualClock>,
    runtimes: Mutex<BTreeMap<ClusterId, Arc<FakeRuntime>>>,
    connected: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Found(ClusterReport);

#[async_trait]
impl Probe for Found {
    async fn probe(&self) -> ClusterReport {
        self.0.clone()
    }
}

#[async_trait]
impl Clusters for FakeClusters {
    async fn connect(&self, cluster: ClusterSpec) -> Result<Connection, RuntimeError> {
        let kubeconfig = cluster.kubeconfig.expect("the scene registers them with one");
        let text = kubeconfig.expose_text().expect("text").to_owned();
        if text == "bad" {
            return Err(RuntimeError::Invalid("it names a command".to_owned()));
        }
        self.connected.lock().unwrap().push(text);
        let new = || Arc::new(FakeRuntime::new(self.clock.clone()));
        let runtime = self.runtimes.lock().unwrap().entry(cluster.id).or_insert_with(new).clone();
        let version = Some("v1.34.4".to_owned());
        let report = ClusterReport { version, ..ClusterReport::default() };
        Ok(Connection {
            runtime,
            probe: Arc::new(Found(report)),
            keeping: Box::pin(std::future::pending()),
        })
    }
}

struct Scene {
    hansa: Installation,
    alpha: Tenant,
    ledger: String,
    clusters: Arc<FakeClusters>,
    fleet: Arc<Fleet>,
    controller: Arc<Controller>,
}

impl Scene {
    async fn new() -> Self {
        let hansa = Installation::new().await;
        let alpha = hansa.tenant("alpha").await;
        let consortium = hansa.consortium(&alpha, "demo").await;
        let body = json!({ "name": "main", "policy": "bft" });
        let ledger = hansa.ledger(&alpha, &consortium, &body).await;
        let clusters = Arc::new(FakeClusters {
            clock: hansa.clock.clone(),
            runtimes: Mutex::default(),
            connected: Mutex::default(),
        });
        let fleet = Fleet::new(Some(hansa.runtime.clone()), clusters.clone());
        let controller = Controller::new(ControllerConfig {
            store: controller_store(&hansa.database),
            clock: hansa.clock.clone(),
            credential_key: Secret::from(vec![1; 32]),
            fleet: fleet.clone(),
            vault: hansa.vault.clone(),
            nodes: Arc::new(Agreeing),
            enrolment_url: "http://127.0.0.1:9".to_owned(),
            cluster_enrolment_url: Some("https://192.0.2.1:8443".to_owned()),
        });
        Self { hansa, alpha, ledger, clusters, fleet, controller }
    }

    async fn register(&self, name: &str, kubeconfig: &str) -> String {
        let image = format!("registry.example/hansa-node@sha256:{}", "0".repeat(64));
        let access = json!({ "kind": "kubeconfig", "kubeconfig": kubeconfig });
        let body = json!({ "name": name, "access": access, "settings": { "image": image } });
        let made = self.hansa.post(&self.hansa.platform, "/v1/clusters", &body).await;
        made.expect(StatusCode::CREATED).text("/id")
    }

    async fn node(&self, name: &str, runtime: &str) -> String {
        let path = format!("/v1/ledgers/{}/nodes", self.ledger);
        let body = json!({ "name": name, "runtime": runtime });
        let asked = self.hansa.post(&self.alpha.token, &path, &body).await;
        asked.expect(StatusCode::ACCEPTED).text("/target/node_id")
    }

    async fn pass(&self) {
        // What a place refuses is logged, and no failure of the pass.
        self.controller.pass(&mut HeldOperations::default()).await.expect("a pass");
        self.controller.probe_clusters().await.expect("a look");
    }

    async fn seen(&self, path: &str) -> Value {
        let token =
            if path.contains("clusters") { &self.hansa.platform } else { &self.alpha.token };
        self.hansa.get(token, path).await.expect(StatusCode::OK).body
    }

    fn runtime(&self, cluster: &str) -> Arc<FakeRuntime> {
        self.clusters.runtimes.lock().unwrap()[&cluster.parse::<ClusterId>().unwrap()].clone()
    }
}

/// A node runs where its member put it, and enrols at an address that it reaches from there.
#[tokio::test]
async fn a_node_runs_where_its_runtime_says() {
    let scene = Scene::new().await;
    let id = scene.register("lab", "good").await;
    let (here, there) = (scene.node("here", "process").await, scene.node("there", "lab").await);
    scene.pass().await;
    let wish = |runtime: &FakeRuntime, node: &str| runtime.wish(node.parse().unwrap());
    let (machine, lab) = (&scene.hansa.runtime, scene.runtime(&id));
    assert!(wish(machine, &there).is_none() && wish(&lab, &here).is_none(), "in the wrong place");
    let enrols = |runtime, node| wish(runtime, node).expect("it runs there").enrolment.url;
    assert_eq!(enrols(machine, &here), "http://127.0.0.1:9");
    assert_eq!(enrols(&lab, &there), "https://192.0.2.1:8443");
    let cluster = scene.seen(&format!("/v1/clusters/{id}")).await;
    assert_eq!(
        (&cluster["phase"], &cluster["report"]["version"]),
        (&json!("ready"), &json!("v1.34.4"))
    );
}

/// A cluster that is away is told of, its nodes are not called failed, and no other's wait for it.
#[tokio::test]
async fn a_cluster_that_is_away_keeps_nobody_waiting() {
    let scene = Scene::new().await;
    let id = scene.register("lab", "good").await;
    scene.pass().await;
    let lab = scene.runtime(&id);
    lab.unreachable(Some("no route to host"));
    let (here, there) = (scene.node("here", "process").await, scene.node("there", "lab").await);
    scene.pass().await;
    let there = format!("/v1/nodes/{there}");
    let away = scene.seen(&there).await;
    assert_eq!(
        (&away["phase"], &away["reason"]),
        (&json!("pending"), &json!("cluster_unreachable"))
    );
    let detail = away["private"]["detail"].as_str().expect("the evidence");
    assert!(detail.contains("no route to host"), "{detail}");
    let here = scene.seen(&format!("/v1/nodes/{here}")).await;
    assert_eq!(here["phase"], "provisioning", "the other place had its turn");
    lab.unreachable(None);
    scene.pass().await;
    let back = scene.seen(&there).await;
    assert_eq!((&back["phase"], &back["reason"]), (&json!("provisioning"), &Value::Null));
}

/// A kubeconfig that cannot be used is told with its reason, tried again now and then, and exchanged.
#[tokio::test]
async fn a_cluster_is_connected_to_as_it_is_registered_now() {
    let scene = Scene::new().await;
    let id = scene.register("lab", "bad").await;
    let path = format!("/v1/clusters/{id}");
    scene.pass().await;
    let refused = scene.seen(&path).await;
    assert_eq!(refused["phase"], "unreachable");
    assert!(refused["report"]["problem"].as_str().unwrap().contains("names a command"));
    let first = [("if-match", "\"1\"")];
    let access = json!({ "access": { "kind": "kubeconfig", "kubeconfig": "good" } });
    let token = &scene.hansa.platform;
    let changed = scene.hansa.call(token, "PATCH", &path, &first, Some(&access)).await;
    changed.expect(StatusCode::OK);
    scene.pass().await;
    assert_eq!(scene.seen(&path).await["phase"], "ready");
    scene.pass().await;
    assert_eq!(*scene.clusters.connected.lock().unwrap(), ["good"], "one connection is enough");
    let second = [("if-match", "\"2\"")];
    let access = json!({ "access": { "kind": "kubeconfig", "kubeconfig": "better" } });
    let changed = scene.hansa.call(token, "PATCH", &path, &second, Some(&access)).await;
    changed.expect(StatusCode::OK);
    scene.pass().await;
    assert_eq!(*scene.clusters.connected.lock().unwrap(), ["good", "better"]);
    let third = [("if-match", "\"3\"")];
    let ended = scene.hansa.call(token, "DELETE", &path, &third, None).await;
    ended.expect(StatusCode::NO_CONTENT);
    scene.pass().await;
    assert_eq!(scene.fleet.all().len(), 1, "the controller is still connected to it");
}

/// Volumes of one place are destroyed in their time, whether another answers or not.
#[tokio::test]
async fn volumes_are_purged_in_every_place() {
    let scene = Scene::new().await;
    let id = scene.register("lab", "good").await;
    let node = scene.node("there", "lab").await;
    scene.pass().await;
    let lab = scene.runtime(&id);
    lab.remove(node.parse().unwrap()).await.expect("removed");
    assert_eq!(lab.retained().await.expect("listed").len(), 1);
    scene.hansa.clock.advance(limits::VOLUME_RETENTION + limits::HOUSEKEEPING_EVERY);
    scene.controller.keep_house().await.expect("kept");
    assert!(lab.retained().await.expect("listed").is_empty(), "it was kept for ever");
}

/// Whose node an administrator of the cluster has changed reads it on the trail, once, and nobody else
/// does.
#[tokio::test]
async fn what_was_put_right_is_on_the_trail_of_the_nodes_tenant() {
    let scene = Scene::new().await;
    let id = scene.register("lab", "good").await;
    let node = scene.node("there", "lab").await;
    scene.pass().await;
    let lab = scene.runtime(&id);
    lab.correct(node.parse().unwrap(), "Service n/there");
    lab.correct(hansa_core::NodeId::new(), "of nobody");
    scene.pass().await;
    scene.pass().await;
    let told = |trail: Value| {
        let items = trail["items"].as_array().expect("a list").clone();
        let corrections = items.into_iter().filter(|entry| entry["action"] == "node_correct");
        corrections.collect::<Vec<_>>()
    };
    let own = told(scene.seen("/v1/audit-events?page_size=200").await);
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(
        (&own[0]["actor"], &own[0]["subject_id"], &own[0]["result"]),
        (&json!("reconciler:nodes"), &json!(node), &json!("succeeded"))
    );
    let platform = scene.hansa.get(&scene.hansa.platform, "/v1/audit-events?page_size=200").await;
    assert_eq!(told(platform.expect(StatusCode::OK).body), [] as [Value; 0]);
}

impl Scene {
    /// Asks for a log while the controller answers whatever was asked.
    async fn log(&self, token: &str, node: &str) -> Answer {
        let path = format!("/v1/nodes/{node}/logs?lines=5");
        let mut asked = std::pin::pin!(self.hansa.get(token, &path));
        loop {
            self.controller.answer_logs().await.expect("a look");
            let answered = tokio::time::timeout(Duration::from_millis(20), &mut asked).await;
            if let Ok(answer) = answered {
                return answer;
            }
        }
    }
}

/// An API reaches no node itself: the log comes from whoever drives it, wherever it runs, and goes to its
/// own member only; nothing of it stays in the database.
#[tokio::test]
async fn a_log_comes_from_the_controller_that_reaches_the_node() {
    let scene = Scene::new().await;
    let id = scene.register("lab", "good").await;
    let (here, there) = (scene.node("here", "process").await, scene.node("there", "lab").await);
    scene.pass().await;
    for node in [&here, &there] {
        scene.log(&scene.alpha.token, node).await.expect(StatusCode::OK);
        let last = scene.hansa.answers.lock().unwrap().last().cloned();
        assert_eq!(last.as_deref(), Some("the node starts\n"), "what the fake's nodes say");
    }
    let stranger = scene.hansa.tenant("beta").await;
    scene.log(&stranger.token, &here).await.expect(StatusCode::NOT_FOUND);
    scene.runtime(&id).unreachable(Some("no route to host"));
    let away = scene.log(&scene.alpha.token, &there).await;
    away.expect(StatusCode::SERVICE_UNAVAILABLE);
    let mut connection = scene.hansa.database.superuser().connect().await.expect("a connection");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM node_log_request")
        .fetch_one(&mut connection)
        .await
        .expect("a count");
    assert_eq!(left, 0, "questions and answers are taken away");
}

/// Whoever asks while no controller runs is told so, and leaves no question behind.
#[tokio::test]
async fn without_a_controller_a_log_is_unavailable() {
    let scene = Scene::new().await;
    let node = scene.node("here", "process").await;
    let path = format!("/v1/nodes/{node}/logs");
    let refused = scene.hansa.get(&scene.alpha.token, &path).await;
    let refused = refused.expect(StatusCode::SERVICE_UNAVAILABLE);
    let detail = refused.body["detail"].to_string();
    assert!(!detail.is_empty(), "{}", refused.body);
    scene.controller.answer_logs().await.expect("nothing is asked any more");
}

/// Members choose what their nodes use, and may choose again: more memory as a new start in its turn, a
/// volume that only grows. Nobody else sees it, and processes of one machine have no such thing.
#[tokio::test]
async fn a_node_gets_the_size_that_its_member_chose() {
    let scene = Scene::new().await;
    let id = scene.register("lab", "good").await;
    let create = async |body: Value| {
        let path = format!("/v1/ledgers/{}/nodes", scene.ledger);
        scene.hansa.post(&scene.alpha.token, &path, &body).await
    };
    let (small, here) = (scene.node("small", "lab").await, scene.node("here", "process").await);
    let body = json!({ "name": "big", "runtime": "lab", "size": "medium", "volume_gib": 20 });
    let big = create(body).await.expect(StatusCode::ACCEPTED).text("/target/node_id");
    scene.pass().await;
    let lab = scene.runtime(&id);
    let wished = |node: &str| {
        let size = lab.wish(node.parse().unwrap()).expect("it runs there").size;
        (size.cpu_millis, size.memory_mib, size.volume_gib)
    };
    assert_eq!(wished(&small), (250, 1_024, 10), "what a node has of which nothing is said");
    assert_eq!(wished(&big), (1_000, 4_096, 20));
    let shown = scene.seen(&format!("/v1/nodes/{big}")).await["private"].clone();
    assert_eq!((&shown["size"], &shown["volume_gib"]), (&json!("medium"), &json!(20)));
    let process = scene.seen(&format!("/v1/nodes/{here}")).await["private"].clone();
    assert_eq!((&process["size"], &process["volume_gib"]), (&Value::Null, &Value::Null));

    for (body, field) in [
        (json!({ "name": "x", "runtime": "lab", "volume_gib": 0 }), "/volume_gib"),
        (json!({ "name": "x", "runtime": "lab", "volume_gib": 4_097 }), "/volume_gib"),
        (json!({ "name": "x", "runtime": "process", "size": "small" }), "/size"),
        (json!({ "name": "x", "runtime": "process", "volume_gib": 10 }), "/volume_gib"),
    ] {
        let refused = create(body.clone()).await;
        refused.expect_problem(400, "invalid_request");
        assert_eq!(refused.body["errors"][0]["pointer"], field, "{body}: {:#}", refused.body);
    }
    let resize = async |node: &str, body: Value| {
        let path = format!("/v1/nodes/{node}/resize");
        scene.hansa.post(&scene.alpha.token, &path, &body).await
    };
    for (node, body, field) in [
        (&big, json!({ "volume_gib": 19 }), "/volume_gib"),
        (&big, json!({ "volume_gib": 4_097 }), "/volume_gib"),
        (&big, json!({ "size": "medium" }), "/size"),
        (&big, json!({}), "/size"),
        (&here, json!({ "size": "large" }), "/size"),
    ] {
        let refused = resize(node, body.clone()).await;
        refused.expect_problem(400, "invalid_request");
        assert_eq!(refused.body["errors"][0]["pointer"], field, "{body}: {:#}", refused.body);
    }
    let stranger = scene.hansa.tenant("beta").await;
    let path = format!("/v1/nodes/{small}/resize");
    let larger = json!({ "size": "large", "volume_gib": 11 });
    let foreign = scene.hansa.post(&stranger.token, &path, &larger).await;
    foreign.expect(StatusCode::NOT_FOUND);
    resize(&small, larger.clone()).await.expect_problem(409, "operation_in_progress");
    let operations = scene.seen("/v1/operations").await;
    for operation in operations["items"].as_array().expect("a list") {
        let path = format!("/v1/operations/{}/cancel", operation["id"].as_str().expect("an id"));
        scene.hansa.post(&scene.alpha.token, &path, &json!({})).await.expect(StatusCode::OK);
    }
    // Each pass here is another controller: the next may take over what the one before held.
    scene.hansa.clock.advance(limits::OPERATION_LEASE * 2);
    scene.pass().await;
    let asked = resize(&small, larger).await.expect(StatusCode::ACCEPTED);
    assert_eq!(asked.body["kind"], "node_resize");
    scene.pass().await;
    assert_eq!(wished(&small), (4_000, 16_384, 11));
}
