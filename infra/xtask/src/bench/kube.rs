//! `bench kube`: nodes in a cluster of this machine, measured with the release profile.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use kube_lab::{Scratch, Status};
use serde_json::Value;

use crate::{images, kube_lab as lab, packages, up};

/// Beside an installation on the usual port.
const PORT: &str = "8191";
/// Launches that are measured, and pods that are deleted.
const COUNT: u8 = 5;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a pod may take before this gives up; the bar is far below.
const BACK_TIME_MAX: Duration = Duration::from_secs(120);

pub(super) fn run() -> Result<()> {
    let release = super::release()?;
    packages::install_missing(packages::LAB)?;
    let node = images::NODE.make(true)?;
    let lab = Scratch::start(lab::program()?)?;
    let image = lab.lab().load_image(&node)?;
    let Status { kubeconfig, .. } = lab.status();
    let cluster =
        up::Cluster { kubeconfig: kubeconfig.clone(), host: lab.host()?.to_owned(), image };
    super::installed(release, PORT, Some(&cluster), |options| {
        launches(options)?;
        deleted_pods(options, &lab)
    })
}

fn launches(options: &up::Options) -> Result<()> {
    let mut measure = options.dev();
    measure.args(["measure-launches", "--runtime", up::CLUSTER, "--count", &COUNT.to_string()]);
    ensure!(measure.status()?.success(), "launches were not measured");
    Ok(())
}

/// Deletes the pod of a node again and again; how long until its node agrees again.
fn deleted_pods(options: &up::Options, lab: &Scratch) -> Result<()> {
    let mut demo = options.dev();
    ensure!(demo.args(["demo", "--runtime", up::CLUSTER]).status()?.success(), "no consortium");
    let mut times = Vec::new();
    for _ in 0..COUNT {
        let node = node(options)?;
        let text = |name: &str| {
            node["private"][name].as_str().map(str::to_owned).with_context(|| node.to_string())
        };
        let (namespace, pod) = (text("namespace")?, text("pod")?);
        let kubectl = |words: &[&str]| -> Result<String> {
            let mut command = lab.kubectl();
            command.args(words).args(["--namespace", &namespace]);
            Ok(String::from_utf8(command.output()?.stdout)?)
        };
        let uid = ["get", "pod", &pod, "--output", "jsonpath={.metadata.uid}"];
        let before = kubectl(&uid)?;
        let began = Instant::now();
        kubectl(&["delete", "pod", &pod, "--wait=false"])?;
        let is_ready =
            r#"jsonpath={.metadata.uid} {.status.conditions[?(@.type=="Ready")].status}"#;
        loop {
            // Ready is who takes part in the agreement, by its own word.
            let now = kubectl(&["get", "pod", &pod, "--ignore-not-found", "--output", is_ready])?;
            if now.ends_with(" True") && !now.starts_with(&before) {
                break;
            }
            ensure!(began.elapsed() < BACK_TIME_MAX, "{pod} does not agree again: {now}");
            thread::sleep(LOOK_EVERY);
        }
        times.push(began.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let (middle, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    println!("| {COUNT} deleted pods, each until it agrees | {middle:.1} | {slowest:.1} |");
    Ok(())
}

/// A node of the demo, as the API tells its member.
fn node(options: &up::Options) -> Result<Value> {
    let status = json(options.dev().args(["status", "--output", "json"]))?;
    let text = |at: &str| {
        status.pointer(at).and_then(Value::as_str).map(str::to_owned).context(at.to_owned())
    };
    let mut command = Command::new(&options.program);
    command.env("HANSA_API", text("/api")?).env("HANSA_TOKEN", text("/api_keys/alpha")?);
    json(command.args(["node", "get", "demo/main/a1", "--output", "json"]))
}

fn json(command: &mut Command) -> Result<Value> {
    let output = command.output().context("hansa cannot be started")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
