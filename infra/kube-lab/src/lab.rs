//! A lab from outside.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    folder::Folder,
    images,
    keeper::{self, STAY},
    kubectl::Kubectl,
    mounts, needs,
    network::Network,
    parts::{self, Parts},
    processes,
};

/// How long a lab may take to be ready; its own limit is shorter.
const READY_TIME_MAX: Duration = Duration::from_secs(180);
/// How long it may take to be gone.
const GONE_TIME_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Lines shown of the log of a lab that did not start.
const LAST_LINES: usize = 8;

/// A lab, running or not.
#[derive(Clone, Debug)]
pub struct Lab {
    folder: Folder,
    /// The program that this is part of: it has the verbs `keep`, `sweep` and `inside`.
    program: PathBuf,
}

/// How a lab does.
#[derive(Clone, Debug)]
pub struct Status {
    /// For whoever administers it.
    pub kubeconfig: PathBuf,
    /// The command line of its release.
    pub kubectl: PathBuf,
    /// Helm.
    pub helm: PathBuf,
    /// Whether it runs and answers, and its node takes pods.
    pub ready: bool,
    /// The process whose end is the lab's, while it runs.
    pub keeper: Option<u32>,
    /// This machine, seen from pods, while the lab runs.
    pub host: Option<String>,
    /// The lab's one machine, seen from this one, while the lab runs.
    pub machine: Option<String>,
}

impl Status {
    /// As programs read it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Self { kubeconfig, kubectl, helm, ready, keeper, host, machine } = self;
        json!({"kubeconfig": kubeconfig, "kubectl": kubectl, "helm": helm, "ready": ready,
               "keeper": keeper, "host": host, "machine": machine})
    }
}

impl Lab {
    /// The lab of a folder.
    #[must_use]
    pub const fn new(folder: Folder, program: PathBuf) -> Self {
        Self { folder, program }
    }

    /// Starts it, unless it runs, and waits until it is ready.
    ///
    /// # Errors
    /// With everything that the machine lacks, or with the last words of a lab that did not start.
    pub fn up(&self, say: &dyn Fn(&str)) -> Result<Status> {
        needs::check()?;
        let cache = parts::cache().hold(say)?;
        let parts = Parts::ensure(say)?;
        images::ensure()?;
        drop(cache);
        let folder = &self.folder;
        fs::create_dir_all(folder.path())?;
        let mut started = None;
        if self.keeper()?.is_none() {
            let _ = fs::remove_file(folder.ready());
            say(&format!("starting; its log is {}", folder.log().display()));
            let log = File::create(folder.log())?;
            let child = Command::new("setsid")
                .arg(&self.program)
                .arg("keep")
                .args([folder.path(), parts.folder()])
                .stdin(Stdio::piped())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
                .context("setsid cannot be started")?;
            started = Some(child);
        }
        let began = Instant::now();
        while !folder.ready().exists() {
            let ended = match &mut started {
                Some(child) => child.try_wait()?.is_some(),
                None => self.keeper()?.is_none(),
            };
            if ended {
                let text = fs::read_to_string(folder.log()).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
                bail!("the lab did not start:\n{last}");
            }
            let waits = began.elapsed() < READY_TIME_MAX;
            ensure!(waits, "the lab is not ready; see {}", folder.log().display());
            thread::sleep(LOOK_EVERY);
        }
        if let Some(child) = &mut started {
            let mut input = child.stdin.take().context("piped above")?;
            writeln!(input, "{STAY}")?;
        }
        self.status()
    }

    /// Ends it and removes its folder, or keeps the folder for another `up`.
    ///
    /// # Errors
    /// When something of it stays.
    pub fn down(&self, keep: bool) -> Result<()> {
        if let Some(keeper) = self.keeper()? {
            processes::terminate(keeper);
            let began = Instant::now();
            while self.keeper()?.is_some() {
                ensure!(began.elapsed() < GONE_TIME_MAX, "process {keeper} does not end");
                thread::sleep(LOOK_EVERY);
            }
        }
        // The sweeper does the same at the same time; a killed one is made up for.
        if let Ok(text) = fs::read_to_string(self.folder.lock())
            && let Ok(keeper) = text.trim().parse()
        {
            mounts::remove_group(&keeper::group(keeper))?;
        }
        match fs::remove_dir_all(self.folder.path()) {
            _ if keep => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.context("removing the lab's folder"),
        }
    }

    /// How it does.
    ///
    /// # Errors
    /// When the programs were never built.
    pub fn status(&self) -> Result<Status> {
        let parts = Parts::find()?;
        let kubectl =
            Kubectl { program: parts.program("kubectl"), kubeconfig: self.folder.kubeconfig() };
        let keeper = self.keeper()?;
        let told = fs::read(self.folder.ready()).ok().filter(|_| keeper.is_some());
        let told: Option<Value> = told.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let number = told.and_then(|told| u8::try_from(told["number"].as_u64()?).ok());
        let ready = number.is_some() && kubectl.succeeds(&["get", "--raw", "/readyz"]);
        let network = number.and_then(Network::new);
        Ok(Status {
            kubeconfig: kubectl.kubeconfig,
            kubectl: kubectl.program,
            helm: parts.program("helm"),
            ready,
            keeper,
            host: network.map(|network| network.host().to_string()),
            machine: network.map(|network| network.lab().to_string()),
        })
    }

    /// Gives an image to the container runtime; `name@sha256:…`, as pods name it.
    ///
    /// # Errors
    /// When the lab does not run or the archive is none.
    pub fn load_image(&self, archive: &Path) -> Result<String> {
        let archive = archive.canonicalize().with_context(|| archive.display().to_string())?;
        let described = image::describe(&archive)?;
        let reference = described.reference();
        let path = archive.to_str().context("a path in UTF-8")?;
        self.images(&["import", path])?;
        self.images(&["tag", "--force", &described.name, &reference])?;
        Ok(reference)
    }

    /// Another image of the same program: its layers are not compressed. By its digest, as pods name it.
    ///
    /// # Errors
    /// When the lab does not have the image.
    pub fn other_image(&self, image: &str) -> Result<String> {
        let (name, digest) = image.split_once('@').context("an image by digest")?;
        let other = format!("{name}:other");
        self.images(&["convert", "--uncompress", image, &other])?;
        let listed = self.images(&["ls", &format!("name=={other}")])?;
        let found = listed.split_whitespace().find(|word| word.starts_with("sha256:"));
        let found = found.with_context(|| format!("no digest in {listed}"))?;
        ensure!(found != digest, "it is the same image");
        let reference = format!("{name}@{found}");
        self.images(&["tag", "--force", &other, &reference])?;
        Ok(reference)
    }

    /// `ctr images …` to its end.
    fn images(&self, words: &[&str]) -> Result<String> {
        let mut ctr = self.inside("ctr")?;
        ctr.args(["--address", crate::components::CONTAINERD, "--namespace", "k8s.io", "images"]);
        let output = ctr.args(words).output().context("nsenter cannot be run")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {complaint}", words.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A program inside the lab's namespaces.
    ///
    /// # Errors
    /// When the lab does not run.
    pub fn inside(&self, program: &str) -> Result<Command> {
        ensure!(self.keeper()?.is_some(), "the lab does not run: kube-lab up starts it");
        let first = fs::read_to_string(self.folder.join("first"))?;
        let mut command = Command::new("nsenter");
        command.args(["--target", first.trim(), "--net", "--mount", "--pid", program]);
        Ok(command)
    }

    /// The keeper's process id, if one holds the folder.
    fn keeper(&self) -> Result<Option<u32>> {
        let lock = match File::open(self.folder.lock()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            lock => lock?,
        };
        if lock.try_lock_shared().is_ok() {
            return Ok(None);
        }
        Ok(fs::read_to_string(self.folder.lock())?.trim().parse().ok())
    }
}
