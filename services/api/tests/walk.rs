//! The walk over all failpoints: a controller with the real process driver is a process of its own,
//! dies right before or right after one external write, and its successor drives to the same end.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use hansa_clients::HttpVault;
use hansa_control::{Controller, ControllerConfig, Fleet, NoClusters};
use hansa_core::{
    Clock as _, ManualClock, NodeId, Secret, Timestamp,
    failpoint::{ARMED_BY, Failpoint},
    limits,
};
use hansa_runtime_process::{ProcessRuntime, ProcessRuntimeConfig};
use hansa_store::{
    Pools, Store,
    testing::{API, CONTROLLER, database},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Row as _};

use crate::{
    fixture::{Installation, Tenant},
    launch::{Agreeing, PlayedNode, agreement},
};

/// How this test binary is told what to control.
const TOLD_BY: &str = "HANSA_WALK";
/// Walks at once: each mostly waits.
const WALKS_AT_ONCE: usize = 6;
/// How long one wish may take to come true, with a death on its way.
const STEP_TIME_MAX: Duration = Duration::from_secs(90);
/// Ports of one walk's nodes.
const PORTS: u16 = 12;
/// More than a lease: what the dead one held is free for the next.
const BETWEEN_LIVES: Duration = Duration::from_secs(60);
/// SIGABRT (signal(7)): how a process ends at its failpoint.
const ABORTED: i32 = 6;

/// A node that waits until it is told to end; the test plays what it says.
const NODE: &str = "#!/bin/sh\ntrap 'kill $!; exit 0' TERM\nwhile :; do sleep 60 & wait $!; done\n";

/// What a controller's process needs to know.
#[derive(Serialize, Deserialize)]
struct Told {
    tenant_url: String,
    system_url: String,
    vault: PathBuf,
    folder: PathBuf,
    first_port: u16,
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
    let (runtime, supervised) = ProcessRuntime::open(ProcessRuntimeConfig {
        program: told.folder.join("node"),
        folder: told.folder.join("runtime"),
        ports: told.first_port..told.first_port + PORTS,
        clock: clock.clone(),
    })
    .expect("a folder");
    tokio::spawn(supervised);
    let login = |url: &str| url.parse().expect("an address");
    let controller = Controller::new(ControllerConfig {
        store: Store::new(Pools {
            tenant: login(&told.tenant_url),
            system: login(&told.system_url),
        }),
        clock,
        credential_key: Secret::from(vec![1; 32]),
        fleet: Fleet::new(Some(runtime), Arc::new(NoClusters)),
        vault: Arc::new(HttpVault::new(&told.vault).expect("a client")),
        nodes: Arc::new(Agreeing),
        enrolment_url: "http://127.0.0.1:9".to_owned(),
        cluster_enrolment_url: None,
    });
    controller.run().await;
}

/// One installation, driven from the founding of a consortium to the end of everything.
struct Walk {
    hansa: Installation,
    alpha: Tenant,
    folder: tempfile::TempDir,
    first_port: u16,
    /// Where the controller dies, until it has.
    armed: Option<Failpoint>,
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
    /// Processes of the first node while the ledger ran, and after its restart.
    processes: [usize; 2],
    /// Processes, workloads and retained volumes at the end of the consortium.
    left: (usize, usize, usize),
    /// Retained volumes before and after the time that they are kept.
    retained: (usize, usize),
}

impl Walk {
    async fn new(armed: Option<Failpoint>, place: u16) -> Self {
        let hansa = Installation::on(database().await).await;
        let alpha = hansa.tenant("alpha").await;
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("node");
        fs::write(&program, NODE).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
        let first_port = 20_000 + place * PORTS;
        Self { hansa, alpha, folder, first_port, armed, controller: None }
    }

    /// Starts the controller's process, armed until it has died once.
    fn start(&mut self) {
        let url = |login| self.hansa.database.login(login).to_url_lossy().to_string();
        let told = Told {
            tenant_url: url(API),
            system_url: url(CONTROLLER),
            vault: self.hansa.vault_socket.clone(),
            folder: self.folder.path().to_owned(),
            first_port: self.first_port,
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

    fn workload(&self, node: &str) -> PathBuf {
        self.folder.path().join("runtime/nodes").join(node)
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
            let asked = self.hansa.post(&self.alpha.token, &path, &json!({ "name": name })).await;
            let asked = asked.expect(StatusCode::ACCEPTED);
            nodes.push((asked.text("/target/node_id"), asked.text("/id")));
        }
        for (node, operation) in &nodes {
            let played = PlayedNode::new(node, &self.alpha.id).body();
            let token = self.workload(node).join("enrolment.token");
            self.until("a node enrols", async |walk| {
                let token = fs::read_to_string(&token).ok()?;
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
        let running = processes(&self.workload(&first));

        let restart = format!("/v1/nodes/{first}/restart");
        let asked = self.hansa.call(&self.alpha.token, "POST", &restart, &[], None).await;
        let operation = asked.expect(StatusCode::ACCEPTED).text("/id");
        self.succeeded(&operation).await;
        let restarted = processes(&self.workload(&first));

        let operation = self.delete(&format!("/v1/ledgers/{ledger}")).await;
        self.succeeded(&operation).await;
        let operation = self.delete(&format!("/v1/consortiums/{consortium}")).await;
        self.succeeded(&operation).await;
        let runtime = self.folder.path().join("runtime");
        let left = (
            processes(&runtime).len(),
            entries(&runtime.join("nodes")),
            entries(&runtime.join("retained")),
        );

        // A successor shortly before the end of the retention must not destroy anything yet.
        self.kill();
        self.hansa.clock.advance(limits::VOLUME_RETENTION - Duration::from_hours(1));
        let old = runtime.join(format!("retained/{}@0", NodeId::new()));
        fs::create_dir(&old).expect("a volume of long ago");
        self.start();
        self.until("the volume of long ago is destroyed", async |_| (!old.exists()).then_some(()))
            .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let kept = entries(&runtime.join("retained"));
        self.kill();
        self.hansa.clock.advance(Duration::from_hours(2));
        self.start();
        self.until("volumes are destroyed", async |_| {
            (entries(&runtime.join("retained")) == 0).then_some(())
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
        let retained = (kept, entries(&runtime.join("retained")));
        let [running, restarted] = [running, restarted].map(|found| found.len());
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
        processes: [usize; 2],
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
            processes,
            left,
            retained,
        }
    }
}

impl Drop for Walk {
    /// Whatever the walk was asked, it leaves no process behind.
    fn drop(&mut self) {
        self.kill();
        for pid in processes(self.folder.path()) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

/// Node processes whose configuration is in `folder`.
fn processes(folder: &Path) -> Vec<u32> {
    let folder = folder.to_str().expect("text");
    let pids = fs::read_dir("/proc").expect("proc(5)").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.iter().any(|word| word.starts_with(folder.as_bytes()) && word.ends_with(b"node.toml"))
    })
    .collect()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// A controller may die at any external write: its successor comes to the same end, with nothing
/// done twice and nothing left over. A failpoint that no walk reaches fails the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_write_changes_no_end() {
    let undisturbed = Walk::new(None, 0).await.through().await;
    let (running, gone) = (undisturbed.processes, undisturbed.left);
    assert_eq!(running, [1, 1], "one process for one node: {undisturbed:#?}");
    assert_eq!(gone, (0, 0, 2), "no process, no workload, two volumes: {undisturbed:#?}");
    assert_eq!(undisturbed.retained, (2, 0), "kept for the time and no longer");
    // `HANSA_WALK_ONLY=driver.spawn` walks the points whose names begin so.
    let only = std::env::var("HANSA_WALK_ONLY").unwrap_or_default();
    // Writes to clusters are walked where there is one.
    let is_of_cluster = |name: &str| name.starts_with("kube.") || name.starts_with("cluster.");
    let points = Failpoint::all().filter(|point| {
        let name = point.to_string();
        name.starts_with(&only) && !is_of_cluster(&name)
    });
    let walks = points.zip(1..).map(|(point, place)| async move {
        (point, Walk::new(Some(point), place).await.through().await)
    });
    let ends: Vec<_> = stream::iter(walks).buffer_unordered(WALKS_AT_ONCE).collect().await;
    for (point, end) in ends {
        assert_eq!(end, undisturbed, "after a death at {point} the end differs");
    }
}
