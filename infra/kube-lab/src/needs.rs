//! What a machine must have.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

/// Debian packages: name, a file that shows that it is there, what it is for.
pub const PACKAGES: [(&str, &str, &str); 11] = [
    ("containerd", "/usr/bin/containerd", "runs the containers of the lab"),
    ("runc", "/usr/sbin/runc", "starts them"),
    ("containernetworking-plugins", "/usr/lib/cni/bridge", "gives pods their networks"),
    ("iptables", "/usr/sbin/iptables", "services of the lab"),
    ("ipset", "/usr/sbin/ipset", "services of the lab"),
    ("conntrack", "/usr/sbin/conntrack", "services of the lab"),
    ("iproute2", "/usr/sbin/ip", "joins the lab's network to the machine's"),
    ("busybox-static", "/usr/bin/busybox", "the image that prepares volumes"),
    ("openssl", "/usr/bin/openssl", "makes the key of service accounts"),
    ("gcc", "/usr/bin/cc", "compiles the program that holds a pod's namespaces"),
    ("libc6-dev", "/usr/lib/x86_64-linux-gnu/libc.a", "the same"),
];

/// Says everything that is missing at once.
///
/// # Errors
/// When something is.
pub(crate) fn check() -> Result<()> {
    let mut missing = Vec::new();
    for (package, file, why) in PACKAGES {
        if !Path::new(file).exists() {
            missing.push(format!("the Debian package {package}: {why}"));
        }
    }
    if !runs("go", &["version"]) {
        missing.push("Go 1.26 or newer on the path: builds Kubernetes".to_owned());
    }
    let namespaces = ["--net", "--mount", "--pid", "--cgroup", "--fork", "--mount-proc", "true"];
    if !runs("unshare", &namespaces) {
        missing.push("root, with the right to make namespaces (CAP_SYS_ADMIN)".to_owned());
    }
    for controller in crate::mounts::CONTROLLERS {
        if !Path::new("/sys/fs/cgroup").join(controller).is_dir() {
            missing.push(format!("the cgroup v1 controller {controller}; v2 alone is not enough"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!("this machine cannot run the lab; it lacks:\n- {}", missing.join("\n- "))
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
