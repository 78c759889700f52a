//! Inside the namespaces: the first process, and the one that boots the lab and looks after it.

use std::{
    fs,
    io::BufRead as _,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    components::{CONTAINERD, Cluster, NODE},
    folder::Folder,
    images,
    kubectl::Kubectl,
    mounts,
    network::Network,
    parts::Parts,
    supervisor::Supervisor,
};

/// How long the whole boot may take.
const BOOT_TIME_MAX: Duration = Duration::from_secs(150);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How the lab's end of the pair of interfaces is called.
pub(crate) const UPLINK: &str = "uplink";

/// The first process of the namespaces: whoever loses its parent becomes its child and is buried.
/// It ends when the process that it starts does, and the kernel ends all others then.
///
/// # Errors
/// When that process fails.
pub fn run(folder: &Path, parts: &Path) -> Result<()> {
    let folder = Folder::new(Some(folder.to_owned()))?;
    if std::process::id() != 1 {
        return boot(&folder, Parts::at(parts.to_owned()));
    }
    mounts::arrange(&folder)?;
    let child = Command::new(std::env::current_exe()?)
        .arg("inside")
        .args([folder.path(), parts])
        .spawn()
        .context("starting the process that boots the lab")?;
    let booting = i32::try_from(child.id()).context("a process id")?;
    loop {
        match rustix::process::wait(rustix::process::WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == booting => {
                bail!("the lab has ended: {status:?}");
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for processes"),
        }
    }
}

/// Boots, then looks after the parts until the keeper is gone.
fn boot(folder: &Folder, parts: Parts) -> Result<()> {
    let began = Instant::now();
    let network = joined()?;
    let keeper = gone();
    let cluster = Cluster { folder: folder.clone(), parts, network };
    interfaces(network)?;
    cluster.prepare()?;
    let path =
        format!("{}:/usr/lib/cni:/usr/sbin:/usr/bin:/sbin:/bin", cluster.parts.folder().display());
    let mut supervisor = Supervisor::new(folder.clone(), path);
    let until = |supervisor: &mut Supervisor, what: &str, holds: &dyn Fn() -> bool| {
        while !holds() {
            supervisor.look()?;
            ensure!(
                keeper.try_recv() != Err(mpsc::TryRecvError::Disconnected),
                "the keeper is gone"
            );
            ensure!(
                began.elapsed() < BOOT_TIME_MAX,
                "{what}: not within {BOOT_TIME_MAX:?}; see log/"
            );
            thread::sleep(LOOK_EVERY);
        }
        eprintln!("{:5.1} s: {what}", began.elapsed().as_secs_f32());
        Ok(())
    };
    supervisor.start(cluster.containerd())?;
    supervisor.start(cluster.etcd())?;
    until(&mut supervisor, "etcd answers", &|| listens(2379))?;
    supervisor.start(cluster.api_server())?;
    let certificate = folder.join("pki/apiserver.crt");
    until(&mut supervisor, "the API server has its certificate", &|| certificate.exists())?;
    cluster.kubeconfigs()?;
    let kubectl =
        Kubectl { program: cluster.parts.program("kubectl"), kubeconfig: folder.kubeconfig() };
    import(&images::archives())?;
    until(&mut supervisor, "the API server is ready", &|| {
        kubectl.succeeds(&["get", "--raw", "/readyz"])
    })?;
    for component in [
        cluster.controller_manager(),
        cluster.scheduler(),
        cluster.kubelet(),
        cluster.proxy(),
        cluster.dns(),
    ] {
        supervisor.start(component)?;
    }
    let manifests = folder.join("manifests").display().to_string();
    until(&mut supervisor, "storage is defined", &|| {
        kubectl.succeeds(&["apply", "--server-side", "--filename", &manifests])
    })?;
    supervisor.start(cluster.local_path())?;
    until(&mut supervisor, "the node is ready", &|| is_ready(&kubectl))?;
    let told =
        serde_json::json!({"number": network.number(), "took_s": began.elapsed().as_secs_f32()});
    let partial = folder.join("ready.partial");
    fs::write(&partial, told.to_string())?;
    fs::rename(partial, folder.ready())?;
    loop {
        supervisor.look()?;
        match keeper.recv_timeout(LOOK_EVERY) {
            Err(mpsc::RecvTimeoutError::Timeout) | Ok(()) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// Waits for the keeper to say that the network is joined: `joined NUMBER`.
fn joined() -> Result<Network> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    line.trim()
        .strip_prefix("joined ")
        .and_then(|number| number.parse().ok())
        .and_then(Network::new)
        .with_context(|| format!("the keeper said {line:?}"))
}

/// Disconnected once the keeper, who holds the other end of the input, is gone.
fn gone() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        while std::io::stdin().lock().read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            line.clear();
        }
        drop(sender);
    });
    receiver
}

fn interfaces(network: Network) -> Result<()> {
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    let (lab, host, bridge) = (network.lab(), network.host(), network.bridge());
    ip("link set lo up")?;
    ip(&format!("address add {lab}/30 dev {UPLINK}"))?;
    ip(&format!("link set {UPLINK} up"))?;
    ip(&format!("route add default via {host}"))?;
    ip("link add lab0 type bridge")?;
    ip(&format!("address add {bridge}/16 dev lab0"))?;
    ip("link set lab0 up")
}

/// `ip` with these words.
pub(crate) fn ip(words: &str) -> Result<()> {
    let output = Command::new("ip").args(words.split(' ')).output().context("ip cannot be run")?;
    ensure!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn listens(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, LOOK_EVERY).is_ok()
}

/// Gives images to the container runtime, once it answers.
pub(crate) fn import(archives: &[PathBuf]) -> Result<()> {
    for archive in archives {
        let began = Instant::now();
        loop {
            let mut command = Command::new("ctr");
            command.args(["--address", CONTAINERD, "--namespace", "k8s.io", "images", "import"]);
            command.arg(archive).stdout(Stdio::null()).stderr(Stdio::piped());
            let output = command.output().context("ctr cannot be run")?;
            if output.status.success() {
                break;
            }
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            let waits = began.elapsed() < BOOT_TIME_MAX && complaint.contains("connect");
            ensure!(waits, "{}: {complaint}", archive.display());
            thread::sleep(LOOK_EVERY);
        }
    }
    Ok(())
}

/// Whether pods can be made: the node is ready, and the default account is there.
fn is_ready(kubectl: &Kubectl) -> bool {
    let ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    kubectl.ask(&["get", "node", NODE, "--output", ready]).is_ok_and(|told| told == "True")
        && kubectl.succeeds(&["get", "serviceaccount", "default", "--namespace", "default"])
}
