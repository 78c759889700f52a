//! What people do with an installation that is new, by the command line alone.

use anyhow::{Result, ensure};
use chart_tests::Installation;
use e2e::{
    command::Said,
    patience::{DEADLINE, eventually},
};

const MEMBERS: [(&str, [&str; 2]); 2] = [("alpha", ["a1", "a2"]), ("beta", ["b1", "b2"])];

/// The operator takes in the cluster around the control plane and two tenants; these found a
/// consortium whose ledger of four pods answers SQL.
pub(crate) fn founded(installation: &mut Installation) -> Result<()> {
    installation.sign_in(chart_tests::PLATFORM)?;
    let image = installation.node_image.clone();
    installation.cli(chart_tests::PLATFORM, &["cluster", "register", "here", "--image", &image])?;
    for (member, _) in MEMBERS {
        installation.sign_in(member)?;
        let file = installation.key_file(member).display().to_string();
        installation.cli(member, &["member", "key", "create", &file])?;
    }
    installation.cli("alpha", &["consortium", "create", "trade"])?;
    installation.cli("alpha", &["invitation", "create", "trade", "--tenant", "beta"])?;
    installation.cli("beta", &["invitation", "accept", "trade"])?;
    installation.cli("alpha", &["ledger", "create", "trade", "main"])?;
    for (member, nodes) in MEMBERS {
        for node in nodes {
            let words = ["node", "create", node, "--ledger", "trade/main", "--runtime", "here"];
            installation.cli(member, &words)?;
        }
    }
    for (member, nodes) in MEMBERS {
        for node in nodes {
            let node = format!("trade/main/{node}");
            eventually(&format!("{node} has enrolled"), DEADLINE, || {
                let told = installation.told(member, &["node", "get", &node])?;
                ensure!(told["phase"] != "failed", "{told}");
                Ok((told["phase"] == "enrolled").then_some(()))
            })?;
        }
    }
    installation.cli("alpha", &["ledger", "launch", "trade/main"])?;
    for (member, _) in MEMBERS {
        installation.cli(member, &["ledger", "approve", "trade/main"])?;
    }
    agreeing(installation)?;
    let table = "CREATE TABLE payment (id INTEGER PRIMARY KEY, memo TEXT NOT NULL)";
    installation.cli("alpha", &["sql", "trade/main", table])?;
    let insert = "INSERT INTO payment VALUES (0, 'the first')";
    installation.cli("alpha", &["sql", "trade/main", insert])?;
    let rows = installation.cli("beta", &["sql", "trade/main", "SELECT memo FROM payment"])?;
    ensure!(rows.contains("the first"), "{rows}");
    // The API has no rights in the cluster: its controller reads the log.
    let log = installation.cli("alpha", &["node", "logs", "trade/main/a1"])?;
    ensure!(log.contains("enrolled"), "the pod's own lines: {log}");
    measured(installation)
}

/// Waits until what pods reach was measured: the control plane, and each other whatever policies say,
/// because the lab enforces none.
fn measured(installation: &Installation) -> Result<()> {
    eventually("what pods reach is measured", DEADLINE, || {
        let cluster = installation.told(chart_tests::PLATFORM, &["cluster", "get", "here"])?;
        let report = &cluster["report"];
        ensure!(report["network_problem"].is_null(), "{report}");
        if report["enrolment_reachable"].is_null() {
            return Ok(None);
        }
        ensure!(report["enrolment_reachable"] == true, "{report}");
        ensure!(report["network_policy_enforced"] == false, "{report}");
        Ok(Some(()))
    })
}

/// Waits until every node of the ledger agrees.
pub(crate) fn agreeing(installation: &Installation) -> Result<()> {
    eventually("all nodes agree", DEADLINE, || {
        let ledger = installation.told("alpha", &["ledger", "get", "trade/main"])?;
        Ok((ledger["health"]["state"] == "agreeing").then_some(()))
    })
}

/// The pods of the ledger's nodes with what would change if one were started again.
pub(crate) fn pods(installation: &Installation) -> Result<String> {
    let fields = "{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].restartCount}";
    let form = format!(r"jsonpath={{range .items[*]}}{fields}{{'\n'}}{{end}}");
    let words =
        ["get", "pods", "--all-namespaces", "--selector", "app.kubernetes.io/name=hansa-node"];
    let said: Said = installation.kubectl(&[&words[..], &["--output", &form]].concat())?;
    let pods = said.well()?;
    ensure!(pods.lines().count() == 4, "four nodes run: {pods}");
    Ok(pods)
}
