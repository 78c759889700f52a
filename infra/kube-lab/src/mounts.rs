//! Mounts and control groups of a lab.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::folder::Folder;

/// What kubelet and runc use, as hierarchies of their own.
pub(crate) const CONTROLLERS: [&str; 8] =
    ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"];
const ROOT: &str = "/sys/fs/cgroup";
/// How long processes may take to leave their groups after they were killed.
const GONE_TIME_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Hierarchies that are mounted here.
fn hierarchies() -> impl Iterator<Item = PathBuf> {
    CONTROLLERS
        .iter()
        .chain(&["systemd"])
        .map(|name| Path::new(ROOT).join(name))
        .filter(|path| path.is_dir())
}

/// Puts this process, and so its children, below a group of the lab's own in each hierarchy.
pub(crate) fn enter_group(name: &str) -> Result<()> {
    for hierarchy in hierarchies() {
        let group = hierarchy.join(name);
        fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
        for inherited in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = fs::read(hierarchy.join(inherited)) {
                fs::write(group.join(inherited), value)?;
            }
        }
        let procs = group.join("cgroup.procs");
        fs::write(&procs, std::process::id().to_string())
            .with_context(|| procs.display().to_string())?;
    }
    Ok(())
}

/// Leaves the lab's group again, for the hierarchy's root.
pub(crate) fn leave_group() -> Result<()> {
    for hierarchy in hierarchies() {
        fs::write(hierarchy.join("cgroup.procs"), std::process::id().to_string())?;
    }
    Ok(())
}

/// Removes the group with everything below it, once its processes are gone.
pub(crate) fn remove_group(name: &str) -> Result<()> {
    let began = Instant::now();
    for hierarchy in hierarchies() {
        let group = hierarchy.join(name);
        while let Err(error) = remove_folders(&group) {
            let waits = began.elapsed() < GONE_TIME_MAX;
            ensure!(waits, "{} cannot be removed: {error}", group.display());
            thread::sleep(LOOK_EVERY);
        }
    }
    Ok(())
}

/// Deepest first; the files in a control group go with it.
fn remove_folders(path: &Path) -> io::Result<()> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => {
            for entry in entries? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    remove_folders(&entry.path())?;
                }
            }
        }
    }
    fs::remove_dir(path)
}

/// Inside the namespaces: control groups as the lab sees them, and folders of its own where
/// programs expect fixed places.
pub(crate) fn arrange(folder: &Folder) -> Result<()> {
    // sysfs shows the network of whoever mounts it.
    mount(&["-t", "sysfs", "sysfs", "/sys"])?;
    mount(&["-t", "tmpfs", "-o", "mode=755", "tmpfs", ROOT])?;
    for controller in CONTROLLERS {
        let target = format!("{ROOT}/{controller}");
        fs::create_dir(&target)?;
        mount(&["-t", "cgroup", "-o", controller, "cgroup", &target])?;
    }
    let target = format!("{ROOT}/systemd");
    fs::create_dir(&target)?;
    mount(&["-t", "cgroup", "-o", "none,name=systemd", "cgroup", &target])?;
    mount(&["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])?;
    for (own, place) in [
        ("cni", "/var/lib/cni"),
        ("kubelet", "/var/lib/kubelet"),
        ("pod-logs", "/var/log/pods"),
        ("container-logs", "/var/log/containers"),
    ] {
        let own = folder.join(own);
        fs::create_dir_all(&own)?;
        fs::create_dir_all(place)?;
        mount(&["--bind", &own.display().to_string(), place])?;
    }
    // Volumes of pods are mounts that kubelet makes and pods receive.
    mount(&["--make-rshared", "/"])
}

fn mount(arguments: &[&str]) -> Result<()> {
    let output = Command::new("mount").args(arguments).output().context("mount cannot be run")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "mount {}: {complaint}", arguments.join(" "));
    Ok(())
}
