//! The keeper: outside the namespaces, it joins the lab's network to the machine's. When it ends,
//! however it ends, the lab ends; the sweeper removes what the kernel leaves behind.

use std::{
    fs::{self, File},
    io::{BufRead as _, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    folder::Folder,
    inside::{UPLINK, ip},
    mounts,
    network::Network,
    processes,
};

/// How long the first process inside may take to be there.
const FIRST_PROCESS_TIME_MAX: Duration = Duration::from_secs(10);

/// How often a lock is tried, and how long it rests in between.
const LOCK_ATTEMPTS_MAX: u8 = 20;
const LOCK_REST: Duration = Duration::from_millis(25);

/// What `up` says to a keeper that may outlive it.
pub(crate) const STAY: &str = "stay";

/// The control group of a keeper's lab.
pub(crate) fn group(keeper: u32) -> String {
    format!("hansa-lab-{keeper}")
}

/// Keeps a lab until it is ended. Whoever starts this holds its input: it is to say `stay` when
/// the lab is to outlive it.
///
/// # Errors
/// When the folder is in use, or the lab ends.
pub fn keep(folder: &Path, parts: &Path) -> Result<()> {
    let folder = Folder::new(Some(folder.to_owned()))?;
    let mut lock = File::options().create(true).truncate(false).write(true).open(folder.lock())?;
    hold(&lock).with_context(|| format!("another lab uses {}", folder.path().display()))?;
    lock.set_len(0)?;
    write!(lock, "{}", std::process::id())?;
    follow_starter();
    let group = group(std::process::id());
    let program = std::env::current_exe()?;
    // Holds the other end of a pipe, so that it learns of the end of this process.
    let mut sweep = Command::new("setsid");
    sweep.arg(&program).args(["sweep", &group]).stdin(Stdio::piped());
    let mut sweeper = sweep.spawn().context("starting the sweeper")?;
    mounts::enter_group(&group)?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--cgroup"]);
    command.args(["--fork", "--kill-child", "--mount-proc"]);
    command.arg(&program).arg("inside").args([folder.path(), parts]).stdin(Stdio::piped());
    let spawned = command.spawn().context("setpriv cannot be started");
    mounts::leave_group()?;
    let mut child = spawned?;
    let mut input = child.stdin.take().context("piped above")?;
    let first = processes::child_of(child.id(), FIRST_PROCESS_TIME_MAX)?;
    // What a lab holds knows its addresses: one that comes back needs the same.
    let number = fs::read_to_string(folder.number()).ok().and_then(|text| text.trim().parse().ok());
    let network = match number.and_then(Network::new) {
        Some(had) => {
            join(first, [had]).context("another lab has its addresses now: end that one")?
        }
        None => join(first, Network::all())?,
    };
    fs::write(folder.number(), network.number().to_string())?;
    fs::write(folder.join("first"), first.to_string())?;
    writeln!(input, "joined {}", network.number())?;
    let ended = child.wait()?;
    drop(input);
    // The sweeper waits for the end of this input.
    drop(sweeper.stdin.take());
    bail!("the lab ended: {ended}")
}

/// Takes the lock. Whoever looks whether it is held holds it for that moment.
fn hold(lock: &File) -> Result<()> {
    for _ in 0..LOCK_ATTEMPTS_MAX {
        if lock.try_lock().is_ok() {
            return Ok(());
        }
        thread::sleep(LOCK_REST);
    }
    bail!("its lock is held")
}

/// Ends this process when whoever started it ends without having said [`STAY`].
fn follow_starter() {
    thread::spawn(|| {
        let mut line = String::new();
        let _ = std::io::stdin().lock().read_line(&mut line);
        if line.trim() != STAY {
            std::process::exit(1);
        }
    });
}

/// Joins a network namespace to the machine by the first of these that is free.
fn join(first: u32, networks: impl IntoIterator<Item = Network>) -> Result<Network> {
    let mut last = None;
    for network in networks {
        let interface = network.interface();
        let pair = format!("link add {interface} type veth peer name {UPLINK} netns {first}");
        if let Err(error) = ip(&pair) {
            if error.to_string().contains("File exists") {
                last = Some(error);
                continue;
            }
            return Err(error);
        }
        ip(&format!("address add {}/30 dev {interface}", network.host()))?;
        ip(&format!("link set {interface} up"))?;
        for inside in [network.pods(), network.services()] {
            ip(&format!("route add {inside} via {} dev {interface}", network.lab()))?;
        }
        return Ok(network);
    }
    Err(last.context("no lab fits on this machine")?.context("every number is in use"))
}

/// Waits for the end of its input, then removes a lab's control groups: they outlive the processes
/// that were in them.
///
/// # Errors
/// When processes stay in them.
pub fn sweep(group: &str) -> Result<()> {
    let mut nothing = Vec::new();
    std::io::stdin().lock().read_to_end(&mut nothing)?;
    mounts::remove_group(group)
}
