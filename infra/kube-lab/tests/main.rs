//! Labs on this machine: needs root, Go and the packages that the lab names.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use kube_lab::{Lab, Status, folder::Folder};

/// A deadline that a slow machine meets too.
const PATIENCE: Duration = Duration::from_secs(60);

struct Started {
    lab: Lab,
    status: Status,
    keeper: u32,
    /// The namespace of its processes, as the kernel names it.
    processes: PathBuf,
    folder: PathBuf,
}

impl Drop for Started {
    /// A test that fails leaves nothing either.
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.lab.down(false);
        }
    }
}

fn start(folder: &Path) -> Started {
    let program = env!("CARGO_BIN_EXE_kube-lab").into();
    let lab = Lab::new(Folder::new(Some(folder.to_owned())).unwrap(), program);
    let status = lab.up(&|what| eprintln!("{what}")).expect("the machine can run a lab");
    let keeper = status.keeper.expect("a lab that is ready has a keeper");
    let first = fs::read_to_string(folder.join("first")).expect("it names its first process");
    let processes = fs::read_link(format!("/proc/{first}/ns/pid")).expect("which runs");
    Started { lab, status, keeper, processes, folder: folder.to_owned() }
}

impl Started {
    fn kubectl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.status.kubectl);
        command.arg("--kubeconfig").arg(&self.status.kubeconfig).args(arguments);
        let output = command.output().expect("kubectl runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {complaint}", arguments.join(" "));
        String::from_utf8(output.stdout).expect("kubectl speaks UTF-8")
    }

    /// What this machine still has of the lab.
    fn traces(&self) -> Vec<String> {
        let mut found = Vec::new();
        let folder = self.folder.display().to_string();
        for entry in fs::read_dir("/proc").expect("processes can be listed").flatten() {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            let inside = fs::read_link(entry.path().join("ns/pid"));
            if words.contains(&folder) || inside.is_ok_and(|inside| inside == self.processes) {
                found.push(format!("process: {words}"));
            }
        }
        let mounts = fs::read_to_string("/proc/mounts").expect("mounts can be listed");
        found.extend(mounts.lines().filter(|line| line.contains(&folder)).map(str::to_owned));
        let host = self.status.host.clone().expect("a lab that is ready has an address");
        let addresses = Command::new("ip").arg("address").output().expect("ip runs").stdout;
        if String::from_utf8_lossy(&addresses).contains(&format!("{host}/")) {
            found.push(format!("an interface with the address {host}"));
        }
        for hierarchy in fs::read_dir("/sys/fs/cgroup").expect("there are control groups").flatten()
        {
            let group = hierarchy.path().join(format!("hansa-lab-{}", self.keeper));
            if group.exists() {
                found.push(group.display().to_string());
            }
        }
        found
    }

    fn is_gone(&self) {
        let began = Instant::now();
        loop {
            let traces = self.traces();
            if traces.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "left behind: {traces:#?}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn two_labs_run_side_by_side_and_leave_nothing_when_they_are_killed() {
    // Tests of several checkouts share a machine; what one leaves behind breaks the next.
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (start(&folder.path().join("one")), start(&folder.path().join("two")));
    assert_ne!(one.status.host, two.status.host, "two labs have one address");
    one.kubectl(&["create", "namespace", "only-here"]);
    let namespaces = two.kubectl(&["get", "namespaces", "--output", "name"]);
    assert!(!namespaces.contains("only-here"), "two labs share one API server");
    let pod = ["run", "waits", "--image", kube_lab::images::HELPER, "--restart", "Always"];
    two.kubectl(&[&pod[..], &["--command", "--", "/bin/sleep", "1000"]].concat());
    let ready = "--for=condition=Ready";
    two.kubectl(&["wait", ready, "pod/waits", "--timeout", "60s"]);

    let killed = Command::new("kill").args(["-9", &one.keeper.to_string()]).status().unwrap();
    assert!(killed.success());
    one.is_gone();
    assert!(two.lab.status().unwrap().ready, "the end of one lab ended the other");

    let killed = Command::new("kill").args(["-9", &two.keeper.to_string()]).status().unwrap();
    assert!(killed.success());
    two.is_gone();

    // It comes back from its folder, with what it held.
    let again = start(&two.folder);
    again.kubectl(&["wait", ready, "pod/waits", "--timeout", "60s"]);
    again.lab.down(false).unwrap();
    again.is_gone();
    assert!(!again.folder.exists(), "down leaves no folder");
    one.lab.down(false).unwrap();
}
