//! The driver: keeps what it was asked in each workload's folder, and makes it so again and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use hansa_core::{Clock, NodeId, Timestamp, external_write};
use hansa_runtime::{
    Fault, Instance, LOG_LINES_MAX, Placement, Quorum, RetainedVolume, Runtime, RuntimeError,
    Trouble, Workload, WorkloadSpec,
};
use rustix::process::Signal;
use tokio::{process::Child, sync::Mutex};

use crate::{
    log, node_config,
    ports::Ports,
    process::{self, StartError},
    record::{Next, Record},
};

/// Between two looks at the processes. One that ends is noticed within this time.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long processes may take to end when all are ended.
const END_PATIENCE: Duration = Duration::from_secs(15);
/// Lines of the log that are shown with a crash.
const EVIDENCE_LINES: usize = 5;
/// Rounds of steps for one workload in one look: end, note, start.
const STEPS_MAX: usize = 4;

/// Where and what the driver starts.
#[derive(Clone, Debug)]
pub struct ProcessRuntimeConfig {
    /// The program `hansa-node`.
    pub program: PathBuf,
    /// The folder of all workloads, its own.
    pub folder: PathBuf,
    /// Ports for nodes, three each.
    pub ports: Range<u16>,
    /// A name or an address that peers and clients elsewhere reach this machine by; nodes listen on every
    /// interface then, else on the loopback interface only.
    pub host: Option<String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Nodes as processes of this machine.
#[derive(Debug)]
pub struct ProcessRuntime {
    config: ProcessRuntimeConfig,
    held: Mutex<BTreeMap<NodeId, Managed>>,
    boot_id: String,
}

#[derive(Debug)]
struct Managed {
    record: Record,
    /// The process, when this driver started it: whoever starts a child buries it.
    child: Option<Child>,
}

impl ProcessRuntime {
    /// Opens the folder and adopts what runs. The second value keeps the processes as wished until
    /// it is dropped: the caller runs it. Processes go on without it.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(
        config: ProcessRuntimeConfig,
    ) -> io::Result<(Arc<Self>, impl Future<Output = ()> + Send + 'static)> {
        fs::create_dir_all(config.folder.join("nodes"))?;
        fs::create_dir_all(config.folder.join("retained"))?;
        let mut held = BTreeMap::new();
        for entry in fs::read_dir(config.folder.join("nodes"))? {
            let path = entry?.path().join("workload.json");
            match Record::read(&path) {
                Ok(record) => {
                    held.insert(record.node, Managed { record, child: None });
                }
                // A folder that was being made when its controller ended: nobody relies on it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "not a workload; left alone");
                }
            }
        }
        let runtime =
            Arc::new(Self { config, held: Mutex::new(held), boot_id: process::boot_id()? });
        let supervised = Arc::clone(&runtime);
        Ok((runtime, async move {
            let mut look = tokio::time::interval(LOOK_EVERY);
            look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                look.tick().await;
                supervised.look().await;
            }
        }))
    }

    /// Takes every workload as far towards its wish as it can go now.
    async fn look(&self) {
        let mut held = self.held.lock().await;
        let mut gone = Vec::new();
        for (node, managed) in held.iter_mut() {
            for _ in 0..STEPS_MAX {
                match self.step(managed) {
                    Ok(Step::Rests) => break,
                    Ok(Step::Goes) => {}
                    Ok(Step::Gone) => {
                        gone.push(*node);
                        break;
                    }
                    Err(error) => {
                        tracing::error!(node.id = %node, %error, "a workload's folder fails");
                        managed.record.trouble = Some(trouble_of(&error));
                        break;
                    }
                }
            }
        }
        for node in gone {
            held.remove(&node);
        }
    }

    fn step(&self, managed: &mut Managed) -> io::Result<Step> {
        let now = self.config.clock.now();
        let folder = self.folder(managed.record.node);
        // In this order, one that is found ended can also be asked how.
        let alive = self.is_alive(&managed.record);
        let exit = managed.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        let record = &mut managed.record;
        match record.next(alive, now) {
            Next::Nothing => {
                log::trim(&folder.join("node.log"))?;
                return Ok(Step::Rests);
            }
            Next::Start => return self.start(managed, &folder, now),
            Next::End => {
                record.ending_since = Some(now);
                if let Some(process) = &record.process {
                    external_write!(DriverSignal, process.signal(&self.boot_id, Signal::TERM));
                }
            }
            Next::Kill => {
                tracing::warn!(node.id = %record.node, "does not end; killed");
                if let Some(process) = &record.process {
                    process.signal(&self.boot_id, Signal::KILL);
                }
                return Ok(Step::Rests);
            }
            Next::Ended { by_itself } => {
                record.ended(by_itself, || {
                    let how = exit.map_or("ended, nobody saw how".to_owned(), |e| e.to_string());
                    let lines = log::tail(&folder.join("node.log"), EVIDENCE_LINES);
                    format!("{how}\n{}", lines.unwrap_or_default())
                });
                if by_itself {
                    record.rest(now);
                    let restarts = record.restarts;
                    tracing::warn!(node.id = %record.node, restarts, "a node ended by itself");
                }
                managed.child = None;
            }
            Next::Well => {
                record.trouble = None;
                record.restarts = 0;
                record.rests_until = None;
            }
            Next::Retire => {
                let to = format!("retained/{}@{}", record.node, now.unix_micros());
                external_write!(DriverRetire, fs::rename(&folder, self.config.folder.join(to)))?;
                return Ok(Step::Gone);
            }
        }
        external_write!(DriverStep, managed.record.write(&folder.join("workload.json")))?;
        Ok(Step::Goes)
    }

    fn start(&self, managed: &mut Managed, folder: &Path, now: Timestamp) -> io::Result<Step> {
        let record = &mut managed.record;
        external_write!(
            DriverConfig,
            node_config::write(record, folder, self.config.host.is_some())
        )?;
        let config = folder.join("node.toml");
        let config = config.to_str().ok_or_else(|| io::Error::other("a path is no text"))?;
        let arguments = ["run", "--config", config];
        let started = match process::find(&arguments, record.generation, now) {
            Some(found) => Ok((None, found)),
            None => {
                let log = log::open(&folder.join("node.log"))?;
                let program = &self.config.program;
                let generation = record.generation;
                external_write!(
                    DriverSpawn,
                    process::start(program, &arguments, folder, log, generation, now)
                )
                .map(|(child, id)| (Some(child), id))
            }
        };
        match started {
            Ok((child, id)) => {
                tracing::info!(node.id = %record.node, pid = id.pid, "a node was started");
                record.process = Some(id);
                managed.child = child;
            }
            Err(failed) => {
                let (fault, detail) = match failed {
                    StartError::ProgramMissing(detail) => (Fault::ProgramMissing, detail),
                    StartError::Other(detail) => (Fault::Crashed, detail),
                };
                record.trouble = Some(Trouble { fault, detail });
                record.rest(now);
            }
        }
        external_write!(DriverStarted, managed.record.write(&folder.join("workload.json")))?;
        Ok(Step::Rests)
    }

    fn is_alive(&self, record: &Record) -> bool {
        record.process.as_ref().is_some_and(|process| process.is_alive(&self.boot_id))
    }

    fn folder(&self, node: NodeId) -> PathBuf {
        self.config.folder.join("nodes").join(node.to_string())
    }

    fn told(&self, record: &Record) -> Workload {
        let alive = self.is_alive(record);
        let Ports { p2p, http, metrics } = record.ports;
        let host = self.config.host.as_deref().unwrap_or("127.0.0.1");
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Workload {
            node: record.node,
            generation: record.generation,
            state: record.state(alive),
            placement: Placement {
                p2p_address: format!("{host}:{p2p}"),
                http_address: format!("https://{host}:{http}"),
                metrics_address: format!("http://127.0.0.1:{metrics}/metrics"),
                volume: self.folder(record.node).display().to_string(),
                instance: record
                    .process
                    .as_ref()
                    .filter(|_| alive)
                    .map(|process| Instance::Process(process.pid)),
            },
            outdated: false,
            restarts: record.restarts,
            trouble: record.trouble.clone(),
        }
    }

    fn new_record(
        &self,
        spec: &WorkloadSpec,
        held: &BTreeMap<NodeId, Managed>,
    ) -> Result<Record, RuntimeError> {
        let taken: BTreeSet<u16> = held.values().flat_map(|m| m.record.ports.all()).collect();
        let ports = Ports::allocate(self.config.ports.clone(), &taken).ok_or_else(|| {
            RuntimeError::Transient("no free port for a node on this machine".to_owned())
        })?;
        Ok(Record {
            node: spec.node,
            ledger: spec.ledger,
            tenant: spec.tenant,
            name: spec.name.clone(),
            generation: spec.generation,
            run: spec.run,
            removed: false,
            ports,
            enrolment_url: spec.enrolment.url.clone(),
            process: None,
            ending_since: None,
            restarts: 0,
            rests_until: None,
            trouble: None,
        })
    }
}

enum Step {
    /// There may be more to do at once.
    Goes,
    /// Nothing more can be done now.
    Rests,
    /// The workload is no more.
    Gone,
}

fn trouble_of(error: &io::Error) -> Trouble {
    let fault = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::DiskFull,
        _ => Fault::Crashed,
    };
    Trouble { fault, detail: error.to_string() }
}

fn transient(error: &io::Error) -> RuntimeError {
    RuntimeError::Transient(error.to_string())
}

#[async_trait]
impl Runtime for ProcessRuntime {
    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), RuntimeError> {
        let mut held = self.held.lock().await;
        let folder = self.folder(spec.node);
        let mut record = match held.get(&spec.node) {
            Some(managed) if managed.record.removed => {
                return Err(RuntimeError::Conflict("the workload is being removed".to_owned()));
            }
            Some(managed) if managed.record.generation > spec.generation => return Ok(()),
            Some(managed) => managed.record.clone(),
            None => self.new_record(spec, &held)?,
        };
        if record.generation != spec.generation {
            // A new wish is a new chance: it does not wait for the rest after an old failure.
            record.rests_until = None;
            record.restarts = 0;
            record.trouble = None;
        }
        record.generation = spec.generation;
        record.run = spec.run;
        record.enrolment_url.clone_from(&spec.enrolment.url);
        let written = (|| {
            external_write!(DriverFolder, fs::create_dir_all(folder.join("data")))?;
            if let Some(token) = &spec.enrolment.token {
                external_write!(DriverToken, node_config::write_token(&folder, token))?;
            }
            external_write!(DriverWish, record.write(&folder.join("workload.json")))
        })();
        written.map_err(|error| transient(&error))?;
        match held.get_mut(&spec.node) {
            Some(managed) => managed.record = record,
            None => {
                held.insert(spec.node, Managed { record, child: None });
            }
        }
        Ok(())
    }

    async fn observe(&self, node: NodeId) -> Result<Option<Workload>, RuntimeError> {
        Ok(self.held.lock().await.get(&node).map(|managed| self.told(&managed.record)))
    }

    async fn list(&self) -> Result<Vec<Workload>, RuntimeError> {
        Ok(self.held.lock().await.values().map(|managed| self.told(&managed.record)).collect())
    }

    async fn remove(&self, node: NodeId) -> Result<(), RuntimeError> {
        let mut held = self.held.lock().await;
        let Some(managed) = held.get_mut(&node) else { return Ok(()) };
        managed.record.removed = true;
        let path = self.folder(node).join("workload.json");
        external_write!(DriverRemoved, managed.record.write(&path))
            .map_err(|error| transient(&error))
    }

    async fn logs(&self, node: NodeId, lines: u16) -> Result<String, RuntimeError> {
        let path = self.folder(node).join("node.log");
        let lines = usize::from(lines.min(LOG_LINES_MAX));
        let read = tokio::task::spawn_blocking(move || log::tail(&path, lines)).await;
        read.map_err(|error| RuntimeError::Transient(error.to_string()))?
            .map_err(|error| transient(&error))
    }

    /// The machine is one: what keeps its nodes is the machine itself.
    async fn keep(&self, _: &Quorum) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn retained(&self) -> Result<Vec<RetainedVolume>, RuntimeError> {
        retained(&self.config.folder.join("retained")).map_err(|error| transient(&error))
    }

    async fn purge(&self, before: Timestamp) -> Result<u32, RuntimeError> {
        let mut purged = 0;
        for volume in self.retained().await?.into_iter().filter(|v| v.since < before) {
            external_write!(DriverPurge, fs::remove_dir_all(&volume.volume))
                .map_err(|error| transient(&error))?;
            purged += 1;
        }
        Ok(purged)
    }
}

/// Ends every process of a folder whose controller has ended; how many. What was wished is kept:
/// the next controller starts them again.
///
/// # Errors
/// When the folder cannot be read, or a process does not end.
pub async fn end_all(folder: &Path) -> io::Result<u32> {
    let boot_id = process::boot_id()?;
    let mut processes = Vec::new();
    let nodes = match fs::read_dir(folder.join("nodes")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        nodes => nodes?,
    };
    for entry in nodes {
        let record = Record::read(&entry?.path().join("workload.json"));
        processes.extend(record.ok().and_then(|record| record.process));
    }
    processes.retain(|process| process.is_alive(&boot_id));
    for (signal, patience) in [(Signal::TERM, END_PATIENCE), (Signal::KILL, END_PATIENCE)] {
        processes.iter().for_each(|process| process.signal(&boot_id, signal));
        let began = std::time::Instant::now();
        while processes.iter().any(|process| process.is_alive(&boot_id)) {
            if began.elapsed() > patience {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    match processes.iter().find(|process| process.is_alive(&boot_id)) {
        Some(process) => Err(io::Error::other(format!("process {} does not end", process.pid))),
        None => Ok(u32::try_from(processes.len()).unwrap_or(u32::MAX)),
    }
}

/// Folders are named `<node>@<microseconds since 1970>`.
fn retained(folder: &Path) -> io::Result<Vec<RetainedVolume>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let parts = name.split_once('@').and_then(|(node, micros)| {
            let since = Timestamp::from_unix_micros(micros.parse().ok()?)?;
            Some((node.parse().ok()?, since))
        });
        if let Some((node, since)) = parts {
            found.push(RetainedVolume { node, volume: path.display().to_string(), since });
        }
    }
    Ok(found)
}
