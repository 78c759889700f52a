//! `up` and `down`: the whole product on this machine.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    asks_for_help,
    cargo::{build_programs, root, target_folder},
    images, kube_lab, packages,
};

const UP_HELP: &str = "\
cargo xtask up [--detach] [--state DIR] [--port N] [--no-demo] [--runtime process|kube]

Installs what is missing, builds the console and the programs, starts a control plane on this
machine and walks the main job: two members, four ledger nodes, signed SQL, faults that are put
right. Stays in the foreground; Ctrl-C ends the control plane, the nodes go on.

  --detach      returns when everything is ready
  --state DIR   everything that is kept (~/.local/state/hansa, or /var/lib/hansa for root)
  --port N      port of the API and the console (8080)
  --no-demo     does not walk the main job
  --runtime R   where the demo's nodes run: process (default), or kube for the cluster that
                `cargo xtask kube-lab up` has started

A second `up` on the same state adopts what runs. Needs the Rust toolchain and Debian's package
sources; within 25 minutes on 2 cores from nothing, 30 seconds when warm.
";

const DOWN_HELP: &str = "\
cargo xtask down [--state DIR]

Ends the control plane, its nodes on this machine and its database. Everything is kept; pods in a
cluster go on, and the next `up` finds them.
";

/// How long the control plane may take to start.
const START_TIME_MAX: Duration = Duration::from_secs(90);
/// Lines shown of the log of a control plane that ended.
const LAST_LINES: usize = 5;

/// What was asked for.
pub(crate) struct Options {
    /// The program `hansa`.
    pub(crate) program: PathBuf,
    pub(crate) detach: bool,
    pub(crate) demo: bool,
    pub(crate) state: Option<PathBuf>,
    pub(crate) port: Option<String>,
    /// The demo's nodes run in the lab's cluster.
    pub(crate) kube: bool,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self> {
        let program = target_folder().join("debug/hansa");
        let mut options =
            Self { program, detach: false, demo: true, state: None, port: None, kube: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--detach" => options.detach = true,
                "--no-demo" => options.demo = false,
                "--state" => options.state = Some(rest.next().context("--state DIR")?.into()),
                "--port" => options.port = Some(rest.next().context("--port N")?.clone()),
                "--runtime" => {
                    options.kube = match rest.next().context("--runtime process|kube")?.as_str() {
                        "process" => false,
                        "kube" => true,
                        other => bail!("there is no runtime {other:?}: process or kube"),
                    }
                }
                other => bail!("{other:?} is not understood; see --help"),
            }
        }
        Ok(options)
    }

    /// `hansa dev …` on this state.
    pub(crate) fn dev(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("dev");
        if let Some(state) = &self.state {
            command.arg("--state").arg(state);
        }
        command
    }
}

/// What the lab's cluster is registered as.
pub(crate) const CLUSTER: &str = "lab";

/// The cluster of a lab that runs, with the nodes' image.
pub(crate) struct Cluster {
    pub(crate) kubeconfig: PathBuf,
    /// This machine, seen from the cluster.
    pub(crate) host: String,
    /// The nodes', by its digest.
    pub(crate) image: String,
}

impl Cluster {
    /// The lab that runs in its usual place; the image of this tree is given to it.
    fn find() -> Result<Self> {
        let status = kube_lab::ask(&["status", "-o", "json"])?;
        let status: serde_json::Value = serde_json::from_str(&status)?;
        ensure!(
            status["ready"] == true,
            "no cluster runs: start one with `cargo xtask kube-lab up`"
        );
        let text =
            |name: &str| status[name].as_str().map(str::to_owned).context("the lab's status");
        say("making the nodes' image");
        let archive = images::NODE.make(false)?;
        let archive = archive.to_str().context("a path in UTF-8")?;
        let image = kube_lab::ask(&["load-image", archive])?.trim().to_owned();
        Ok(Self { kubeconfig: text("kubeconfig")?.into(), host: text("host")?, image })
    }
}

/// Starts everything.
pub(crate) fn up(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, UP_HELP) {
        return Ok(());
    }
    let options = Options::read(arguments)?;
    packages::install_missing(packages::PROJECT)?;
    let console = console()?;
    say("building the programs");
    build_programs(false)?;
    let started = if runs(&options)? {
        say("a control plane runs already: adopting it");
        None
    } else {
        let cluster = if options.kube { Some(Cluster::find()?) } else { None };
        Some(start(&options, console.as_deref(), cluster.as_ref())?)
    };
    if options.demo {
        say("walking the main job");
        let mut demo = options.dev();
        demo.arg("demo");
        if options.kube {
            demo.args(["--runtime", CLUSTER]);
        }
        let walked = demo.status()?;
        ensure!(walked.success(), "the main job was not walked to its end");
    }
    println!();
    options.dev().args(["status"]).status()?;
    match started {
        Some(mut child) if !options.detach => {
            println!("\nCtrl-C ends the control plane; `cargo xtask down` ends the nodes too");
            let ended = child.wait()?;
            ensure!(ended.success(), "the control plane ended: {ended}");
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

/// Ends everything.
pub(crate) fn down(arguments: &[String]) -> Result<()> {
    if asks_for_help(arguments, DOWN_HELP) {
        return Ok(());
    }
    let options = Options::read(arguments)?;
    ensure!(options.program.exists(), "nothing was built yet, so nothing runs");
    stop(&options)
}

/// Ends what runs in a state folder.
pub(crate) fn stop(options: &Options) -> Result<()> {
    ensure!(options.dev().arg("stop").status()?.success(), "not everything ended");
    Ok(())
}

fn say(what: &str) {
    println!("up: {what}");
}

/// Builds the console, if it has changed since it was built; its folder.
pub(crate) fn console() -> Result<Option<PathBuf>> {
    let web = root().join("web");
    if !web.join("package.json").exists() {
        return Ok(None);
    }
    let built = web.join("dist");
    if newest(&web)? > modified(&built.join("index.html")) {
        say("building the console");
        for arguments in [&["ci", "--no-audit", "--no-fund"][..], &["run", "build"]] {
            let status = Command::new("npm").args(arguments).current_dir(&web).status();
            ensure!(status.context("npm cannot be started")?.success(), "npm {arguments:?}");
        }
    }
    Ok(Some(built))
}

/// When a file was last written; long ago if it is not there.
fn modified(path: &Path) -> std::time::SystemTime {
    let found = fs::metadata(path).and_then(|metadata| metadata.modified());
    found.unwrap_or(std::time::SystemTime::UNIX_EPOCH)
}

/// When the newest source of the console was written.
fn newest(web: &Path) -> Result<std::time::SystemTime> {
    let mut newest =
        modified(&web.join("package-lock.json")).max(modified(&web.join("index.html")));
    let mut open = vec![web.join("src"), web.join("public")];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                newest = newest.max(modified(&path));
            }
        }
    }
    Ok(newest)
}

fn runs(options: &Options) -> Result<bool> {
    let mut status = options.dev();
    status.args(["status", "--output", "json"]).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(status.status()?.success())
}

/// What a program said last, in its order.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// Starts the control plane and waits until it answers.
pub(crate) fn start(
    options: &Options,
    console: Option<&Path>,
    cluster: Option<&Cluster>,
) -> Result<Child> {
    // Beside another installation's, which has another port.
    let port = options.port.as_deref().unwrap_or("8080");
    let log = target_folder().join(format!("hansa-dev-{port}.log"));
    say(&format!("starting the control plane; its log is {}", log.display()));
    let dev = options.dev();
    // Detached, it belongs to no terminal; `setsid` becomes the program.
    let mut command = if options.detach {
        let mut command = Command::new("setsid");
        command.arg(dev.get_program()).args(dev.get_args());
        command
    } else {
        dev
    };
    if let Some(port) = &options.port {
        command.args(["--port", port]);
    }
    if let Some(console) = console {
        command.arg("--console").arg(console);
    }
    if let Some(Cluster { kubeconfig, host, image }) = cluster {
        command.arg("--kubeconfig").arg(kubeconfig);
        command.args(["--enrolment-address", host, "--node-image", image]);
    }
    let file = File::create(&log).with_context(|| log.display().to_string())?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("starting the control plane")?;
    let began = Instant::now();
    while !runs(options)? {
        if let Some(ended) = child.try_wait()? {
            let text = fs::read_to_string(&log).unwrap_or_default();
            bail!("the control plane ended ({ended}):\n{}", last_lines(&text));
        }
        ensure!(began.elapsed() < START_TIME_MAX, "it does not start; see {}", log.display());
        thread::sleep(Duration::from_millis(100));
    }
    Ok(child)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_said_last_is_shown_in_its_order() {
        // Read backwards, a cause looks like its effect.
        assert_eq!(last_lines("1\n2\n3\n4\n5\n6\n"), "2\n3\n4\n5\n6");
        assert_eq!(last_lines("one"), "one");
        assert_eq!(last_lines(""), "");
    }

    #[test]
    fn options_are_read_and_a_wrong_one_is_named() {
        // A mistyped option that is passed over would start something else than was asked for.
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let read =
            Options::read(&words(&["--detach", "--state", "/s", "--port", "1", "--no-demo"]));
        let Options { program: _, detach, demo, state, port, kube } = read.unwrap();
        assert!(!kube, "nodes are processes unless asked otherwise");
        assert_eq!((detach, demo, port.as_deref()), (true, false, Some("1")));
        assert_eq!(state, Some("/s".into()));
        assert!(Options::read(&words(&["--runtime", "kube"])).unwrap().kube);
        for wrong in [&["--runtime", "cube"][..], &["--stat", "/s"], &["--port"], &["--state"]] {
            assert!(Options::read(&words(wrong)).is_err(), "{wrong:?}");
        }
    }
}
