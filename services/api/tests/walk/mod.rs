//! The walk over all failpoints: a controller with a real driver is a process of its own, dies right
//! before or right after one external write, and its successor drives to the same end.

mod place;

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use hansa_clients::HttpVault;
use hansa_control::{Controller, ControllerConfig};
use hansa_core::{
    Clock as _, ManualClock, Secret, Timestamp,
    failpoint::{ARMED_BY, Failpoint, Site},
    limits,
};
use hansa_store::{
    Pools, Store,
    testing::{API, CONTROLLER, database},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::sync::Semaphore;

use crate::{
    fixture::{Installation, Tenant},
    launch::{Agreeing, PlayedNode, agreement},
};
use place::{Driving, Place};

/// How this test binary is told what to control.
const TOLD_BY: &str = "HANSA_WALK";
/// Walks at once, of all tests: each mostly waits, and has connections to the one PostgreSQL.
const WALKS_AT_ONCE: usize = 6;
static WALKS: Semaphore = Semaphore::const_new(WALKS_AT_ONCE);
/// How long one wish may take to come true, with a death on its way.
const STEP_TIME_MAX: Duration = Duration::from_secs(90);
/// More than a lease: what the dead one held is free for the next.
const BETWEEN_LIVES: Duration = Duration::from_secs(60);
/// SIGABRT (signal(7)): how a process ends at its failpoint.
const ABORTED: i32 = 6;

/// What a controller's process needs to know.
#[derive(Serialize, Deserialize)]
struct Told {
    tenant_url: String,
    system_url: String,
    vault: PathBuf,
    driving: Driving,
    now_us: i64,
}

/// Not a test of its own: the controller's process, which the walk starts and lets die.
#[tokio::test]
#[ignore = "the walk starts it"]
async fn controller_process() {
    let Ok(told) = std::env::var(TOLD_BY) else { return };
    let told: Told = serde_json::from_str(&told).expect("what the walk wrote");
    let now = Timestamp::from_unix_micros(told.now_us).expect("a time");
    let clock = Arc::new(ManualClock::new(now));
    let ticking = clock.clone();
    tokio::spawn(async move {
        let tick = Duration::from_millis(10);
        loop {
            tokio::time::sleep(tick).await;
            ticking.advance(tick);
        }
    });
    let fleet = told.driving.fleet(&clock);
    let login = |url: &str| url.parse().expect("an address");
    let controller = Controller::new(ControllerConfig {
        store: Store::new(Pools {
            tenant: login(&told.tenant_url),
            system: login(&told.system_url),
        }),
        clock,
        credential_key: Secret::from(vec![1; 32]),
        fleet,
        vault: Arc::new(HttpVault::new(&told.vault).expect("a client")),
        nodes: Arc::new(Agreeing),
        enrolment_url: "http://127.0.0.1:9".to_owned(),
        cluster_enrolment_url: None,
    });
    controller.run().await;
}

/// A passage of a failpoint, from 1.
#[derive(Clone, Copy, Debug)]
struct Point(Failpoint, usize);

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.0, self.1)
    }
}

/// One installation, driven from the founding of a consortium to the end of everything.
struct Walk {
    hansa: Installation,
    alpha: Tenant,
    folder: tempfile::TempDir,
    place: Place,
    /// Where the controller dies, until it has.
    armed: Option<Point>,
    controller: Option<Child>,
}

/// What is left, without what differs between any two runs: ids, times, addresses.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// Phase of each node, by name.
    nodes: Vec<(String, String)>,
    /// Tokens that were used, by node.
    tokens_used: Vec<(String, i64)>,
    /// Operations by kind and state.
    operations: Vec<(String, String, i64)>,
    /// Phases of the consortium and its ledger, and whether the ledger got a genesis.
    phases: (String, String, bool),
    /// Intents without an outcome.
    intents_open: i64,
    /// Validators of the genesis.
    validators: usize,
    /// How often the first node ran while the ledger did, and after its restart.
    running: [usize; 2],
    /// What runs, workloads and retained volumes at the end of the consortium.
    left: (usize, usize, usize),
    /// Retained volumes before and after the time that they are kept.
    retained: (usize, usize),
}

impl Walk {
    async fn new(
        armed: Option<Point>,
        place: impl AsyncFn(&Installation, PathBuf) -> Place,
    ) -> Self {
        let hansa = Installation::on(database().await).await;
        let alpha = hansa.tenant("alpha").await;
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(&hansa, folder.path().to_owned()).await;
        Self { hansa, alpha, folder, place, armed, controller: None }
    }

    /// Starts the controller's process, armed until it has died once.
    fn start(&mut self) {
        let url = |login| self.hansa.database.login(login).to_url_lossy().to_string();
        let told = Told {
            tenant_url: url(API),
            system_url: url(CONTROLLER),
            vault: self.hansa.vault_socket.clone(),
            driving: self.place.driving(),
            now_us: self.hansa.clock.now().unix_micros(),
        };
        let log = self.folder.path().join("log");
        let log = fs::File::options().append(true).create(true).open(log).expect("a log");
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command
            .args(["--ignored", "--exact", "--nocapture", "walk::controller_process"])
            .env(TOLD_BY, serde_json::to_string(&told).expect("JSON"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log);
        if let Some(point) = self.armed {
            command.env(ARMED_BY, point.to_string());
        }
        self.controller = Some(command.spawn().expect("a process"));
    }

    /// Starts a successor when the controller has died at its failpoint.
    fn tend(&mut self) {
        let controller = self.controller.as_mut().expect("it was started");
        let Some(ended) = controller.try_wait().expect("a child") else { return };
        let died = ended.signal() == Some(ABORTED) && self.armed.is_some();
        assert!(died, "the controller ended with {ended}: {}", self.log());
        self.armed = None;
        self.hansa.clock.advance(BETWEEN_LIVES);
        self.start();
    }

    fn kill(&mut self) {
        if let Some(mut controller) = self.controller.take() {
            let _ = controller.kill();
            let _ = controller.wait();
        }
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Looks until it finds something, while controllers die and follow one another.
    async fn until<T>(&mut self, what: &str, look: impl AsyncFn(&Self) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            assert!(began.elapsed() < STEP_TIME_MAX, "never: {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.tend();
        }
    }

    async fn succeeded(&mut self, operation: &str) {
        let path = format!("/v1/operations/{operation}");
        self.until(operation, async |walk| {
            let body = walk.get(&path).await?;
            assert_ne!(body["state"], "failed", "{body:#}\n{}", walk.log());
            (body["state"] == "succeeded").then_some(())
        })
        .await;
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.hansa.get(&self.alpha.token, path).await;
        (answer.status == StatusCode::OK).then_some(answer.body)
    }

    /// Ends something that the controller may be changing: reads again until nobody was faster.
    async fn delete(&mut self, path: &str) -> String {
        self.until(path, async |walk| {
            let tag = format!("\"{}\"", walk.get(path).await?["revision"]);
            let headers = [("if-match", tag.as_str())];
            let asked = walk.hansa.call(&walk.alpha.token, "DELETE", path, &headers, None).await;
            match asked.status {
                StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => None,
                _ => Some(asked.expect(StatusCode::ACCEPTED).text("/id")),
            }
        })
        .await
    }

    /// Founds, launches, restarts, ends.
    async fn through(mut self) -> End {
        let consortium = self.hansa.consortium(&self.alpha, "demo").await;
        let body = json!({ "name": "main", "policy": "cft", "development": true });
        let ledger = self.hansa.ledger(&self.alpha, &consortium, &body).await;
        self.start();
        let mut nodes = Vec::new();
        for name in ["a1", "a2"] {
            let path = format!("/v1/ledgers/{ledger}/nodes");
            let body = json!({ "name": name, "runtime": self.place.name() });
            let asked = self.hansa.post(&self.alpha.token, &path, &body).await;
            let asked = asked.expect(StatusCode::ACCEPTED);
            nodes.push((asked.text("/target/node_id"), asked.text("/id")));
        }
        for (node, operation) in &nodes {
            let played = PlayedNode::new(node, &self.alpha.id).body();
            self.until("a node enrols", async |walk| {
                let token = walk.place.token(node)?;
                let answer = walk.hansa.post(&token, "/enrolment/v1/nodes", &played).await;
                // As a node does: its certificate is for its addresses, which the next controller
                // writes down, and the token is read again, since each controller makes its own.
                let later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::UNAUTHORIZED];
                (!later.contains(&answer.status)).then(|| answer.expect(StatusCode::OK))
            })
            .await;
            self.succeeded(operation).await;
        }
        let (first, second) = (nodes[0].0.clone(), nodes[1].0.clone());
        let logs = format!("/v1/nodes/{first}/logs");
        self.until("its log", async |walk| walk.get(&logs).await).await;
        let operation = self.delete(&format!("/v1/nodes/{second}")).await;
        self.succeeded(&operation).await;

        let launch = format!("/v1/ledgers/{ledger}/launch");
        let asked = self.hansa.call(&self.alpha.token, "POST", &launch, &[], None).await;
        let operation = asked.expect(StatusCode::ACCEPTED).text("/id");
        let charter = format!("/v1/ledgers/{ledger}/charter");
        let shown = self.until("a charter", async |walk| walk.get(&charter).await).await;
        let signed = agreement(&shown, &self.alpha);
        let approvals = format!("/v1/ledgers/{ledger}/approvals");
        self.hansa.post(&self.alpha.token, &approvals, &signed).await.expect(StatusCode::OK);
        self.succeeded(&operation).await;
        let genesis = self.get(&format!("/v1/ledgers/{ledger}/genesis")).await;
        let genesis = genesis.expect("it is published");
        let validators = genesis["validators"].as_array().map_or(0, Vec::len);
        let running = self.place.running(&first);
        if self.place.edit(&first) {
            let is_back = async |walk: &Self| walk.place.is_as_wished(&first).then_some(());
            self.until("what was edited by hand is as wished", is_back).await;
        }

        let restart = format!("/v1/nodes/{first}/restart");
        let asked = self.hansa.call(&self.alpha.token, "POST", &restart, &[], None).await;
        let operation = asked.expect(StatusCode::ACCEPTED).text("/id");
        self.succeeded(&operation).await;
        let restarted = self.place.running(&first);

        let operation = self.delete(&format!("/v1/ledgers/{ledger}")).await;
        self.succeeded(&operation).await;
        let operation = self.delete(&format!("/v1/consortiums/{consortium}")).await;
        self.succeeded(&operation).await;
        let left = self.place.left();

        // A successor shortly before the end of the retention must not destroy anything yet.
        self.kill();
        self.hansa.clock.advance(limits::VOLUME_RETENTION - Duration::from_hours(1));
        self.place.retain_old();
        self.start();
        self.until("the volume of long ago is destroyed", async |walk| {
            walk.place.is_old_gone().then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let kept = self.place.retained();
        self.kill();
        self.hansa.clock.advance(Duration::from_hours(2));
        self.start();
        self.until("volumes are destroyed", async |walk| {
            (walk.place.retained() == 0).then_some(())
        })
        .await;
        // What comes after the last write must have its turn too.
        let began = Instant::now();
        while self.armed.is_some() && began.elapsed() < Duration::from_secs(3) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.tend();
        }
        if let Some(point) = self.armed {
            panic!("{point} never fired: the walk must reach it, or it must go from the list");
        }
        let retained = (kept, self.place.retained());
        self.end(validators, [running, restarted], left, retained).await
    }

    async fn count(&self, query: &'static str) -> i64 {
        self.rows(query).await[0].get(0)
    }

    async fn rows(&self, query: &'static str) -> Vec<sqlx::postgres::PgRow> {
        let mut connection = self.hansa.database.superuser().connect().await.expect("a connection");
        sqlx::query(query).fetch_all(&mut connection).await.expect("rows")
    }

    async fn end(
        &self,
        validators: usize,
        running: [usize; 2],
        left: (usize, usize, usize),
        retained: (usize, usize),
    ) -> End {
        let nodes = self.rows("SELECT name, phase FROM node ORDER BY name").await;
        let tokens = self.rows(
            "SELECT n.name, count(*) FROM enrolment_token t JOIN node n ON n.id = t.node_id \
             WHERE t.used_at IS NOT NULL GROUP BY n.name ORDER BY n.name",
        );
        let operations = self.rows(
            "SELECT kind, state, count(*) FROM operation GROUP BY kind, state ORDER BY kind, state",
        );
        let phases = self.rows(
            "SELECT c.phase, l.phase, l.genesis IS NOT NULL FROM consortium c \
             JOIN ledger l ON l.consortium_id = c.id",
        );
        let open = "SELECT count(*) FROM audit_event i WHERE phase = 'intent' AND NOT EXISTS ( \
                    SELECT FROM audit_event o WHERE o.act_id = i.act_id AND o.phase = 'outcome')";
        let phases = phases.await;
        End {
            nodes: nodes.iter().map(|row| (row.get(0), row.get(1))).collect(),
            tokens_used: tokens.await.iter().map(|row| (row.get(0), row.get(1))).collect(),
            operations: operations
                .await
                .iter()
                .map(|row| (row.get(0), row.get(1), row.get(2)))
                .collect(),
            phases: (phases[0].get(0), phases[0].get(1), phases[0].get(2)),
            intents_open: self.count(open).await,
            validators,
            running,
            left,
            retained,
        }
    }
}

impl Drop for Walk {
    /// Whatever the walk was asked, it leaves no process behind.
    fn drop(&mut self) {
        self.kill();
        self.place.end();
    }
}

/// A controller may die at any external write: its successor comes to the same end, with nothing
/// done twice and nothing left over. A failpoint that no walk reaches fails the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_write_changes_no_end() {
    // Writes to clusters are walked where there is one.
    let points = chosen(|name| !is_of_cluster(name)).map(|point| Point(point, 1));
    walk_all(points.collect(), Place::processes).await;
}

/// Writes that make the first node of a consortium: its namespace with three objects, its ledger's
/// policy, secret, configuration, two services, set.
const WRITES_OF_A_NODE: usize = 10;

/// The same in a cluster, at every single write that makes a node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_write_to_a_cluster_changes_no_end() {
    let points = chosen(is_of_cluster).flat_map(|point| {
        let is_repeated = point.site == Site::KubeApply;
        (1..=if is_repeated { WRITES_OF_A_NODE } else { 1 }).map(move |n| Point(point, n))
    });
    walk_all(points.collect(), Place::cluster).await;
}

fn is_of_cluster(name: &str) -> bool {
    name.starts_with("kube.") || name.starts_with("cluster.")
}

/// Failpoints of some names; `HANSA_WALK_ONLY=driver.spawn` walks those whose names begin so.
fn chosen(wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Failpoint> {
    let only = std::env::var("HANSA_WALK_ONLY").unwrap_or_default();
    Failpoint::all().filter(move |point| {
        let name = point.to_string();
        name.starts_with(&only) && wanted(&name)
    })
}

async fn walk_all(points: Vec<Point>, place: impl AsyncFn(&Installation, PathBuf) -> Place) {
    let undisturbed = {
        let _walks = WALKS.acquire().await.expect("it is never closed");
        Walk::new(None, &place).await.through().await
    };
    assert_eq!(undisturbed.running, [1, 1], "a node runs once: {undisturbed:#?}");
    let left = (0, 0, 2);
    assert_eq!(undisturbed.left, left, "nothing runs, two volumes: {undisturbed:#?}");
    assert_eq!(undisturbed.retained, (2, 0), "kept for the time and no longer");
    let walks = points.into_iter().map(|point| {
        let place = &place;
        async move {
            let _walks = WALKS.acquire().await.expect("it is never closed");
            (point, Walk::new(Some(point), place).await.through().await)
        }
    });
    let ends: Vec<_> = stream::iter(walks).buffer_unordered(WALKS_AT_ONCE).collect().await;
    for (point, end) in ends {
        assert_eq!(end, undisturbed, "after a death at {point} the end differs");
    }
}
