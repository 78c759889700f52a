//! The rights that the chart gives the driver, and nothing beyond them.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use kube_lab::Scratch;
use serde_json::json;

/// Where the chart is said to be installed.
const NAMESPACE: &str = "hansa-system";
/// The controller's service account there.
const ACCOUNT: &str = "hansa-controller";

/// A kubeconfig of the chart's service account, after its role was given to the cluster.
pub(crate) fn kubeconfig(lab: &Scratch) -> String {
    // Tests run in their package; a build may be shared between checkouts.
    let here = std::env::current_dir().expect("a folder");
    let root = here.ancestors().nth(2).expect("a checkout");
    let mut template = lab.helm();
    template.args(["template", "hansa", "--namespace", NAMESPACE]).arg(root.join("charts/hansa"));
    template.arg("--values").arg(root.join("tests/chart/tests/values/minimal.yaml"));
    template.args(["--show-only", "templates/rbac.yaml"]);
    template.args(["--show-only", "templates/serviceaccounts.yaml"]);
    let objects = said(&template.output().expect("helm runs"));
    said(&lab.kubectl().args(["create", "namespace", NAMESPACE]).output().expect("kubectl runs"));
    let mut apply = lab.kubectl();
    apply.args(["apply", "--namespace", NAMESPACE, "--filename", "-"]);
    fed(&mut apply, &objects);
    let mut create = lab.kubectl();
    create.args(["create", "token", ACCOUNT, "--namespace", NAMESPACE, "--duration", "2h"]);
    let token = said(&create.output().expect("kubectl runs"));
    with_token(&lab.status().kubeconfig, token.trim())
}

/// The administrator's kubeconfig with another user.
fn with_token(kubeconfig: &Path, token: &str) -> String {
    let text = std::fs::read_to_string(kubeconfig).expect("the lab wrote one");
    let mut config: serde_json::Value = serde_norway::from_str(&text).expect("YAML");
    let users = config["users"].as_array_mut().expect("a list");
    users.iter_mut().for_each(|user| user["user"] = json!({ "token": token }));
    config.to_string()
}

/// Runs a command with an input.
pub(crate) fn fed(command: &mut Command, input: &str) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    said(&child.wait_with_output().expect("it ends"));
}

fn said(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}
