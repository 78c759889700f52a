//! What is found in a cluster: whether nodes can run there, and what is there that is not ours.

use std::{collections::BTreeSet, time::Duration};

use hansa_types::{ClusterReport, StorageClass};
use k8s_openapi::api::{apps::v1::StatefulSet, storage::v1};
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{driver::KubeRuntime, names, network::Found};

/// How long a look may take.
const PROBE_TIME_MAX: Duration = Duration::from_secs(10);
/// Groups of the API that a node's objects are of, besides the core.
const GROUPS: [&str; 3] = ["apps", "networking.k8s.io", "policy"];
/// What makes a storage class the default one.
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
/// Strangers that are named: more are told by these.
const STRANGERS_MAX: u32 = 100;

impl KubeRuntime {
    /// Looks at the cluster. That it does not answer is a finding too.
    pub async fn probe(&self) -> ClusterReport {
        let mut report = ClusterReport::default();
        let looked = tokio::time::timeout(PROBE_TIME_MAX, self.look(&mut report)).await;
        let failed = match looked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("nothing within {PROBE_TIME_MAX:?}")),
        };
        if let Some(why) = failed {
            report.problem = Some(format!("the cluster does not answer: {why}"));
        } else if !report.api_groups_missing.is_empty() {
            let missing = report.api_groups_missing.join(", ");
            report.problem = Some(format!("the cluster's API lacks {missing}"));
        }
        report
    }

    async fn look(&self, report: &mut ClusterReport) -> kube::Result<()> {
        let client = self.client();
        let asked = self.clock.now();
        let (version, date) = version(client).await?;
        report.version = Some(version);
        // The server's clock tells seconds; half of one is added for what it cuts off.
        report.clock_skew_ms = date.map(|date| {
            let theirs = date.unix_timestamp() * 1_000 + 500;
            theirs - asked.unix_micros() / 1_000
        });
        let groups = client.list_api_groups().await?.groups;
        let groups: BTreeSet<String> = groups.into_iter().map(|group| group.name).collect();
        let missing = GROUPS.iter().filter(|group| !groups.contains(**group));
        report.api_groups_missing = missing.map(|group| (*group).to_owned()).collect();
        let classes = Api::<v1::StorageClass>::all(client.clone());
        let classes = classes.list(&ListParams::default()).await?;
        report.storage_classes = classes.items.iter().map(storage_class).collect();
        report.strangers = self.strangers().await?;
        let Found { policies_enforced, enrolment_reachable, problem } = self.network.found();
        report.network_policy_enforced = policies_enforced;
        report.enrolment_reachable = enrolment_reachable;
        report.network_problem = problem;
        Ok(())
    }

    /// Nodes of other installations, or of one whose database was lost.
    async fn strangers(&self) -> kube::Result<Vec<String>> {
        let sets = Api::<StatefulSet>::all(self.client().clone());
        let labels = format!(
            "{}={},{}!={}",
            names::MANAGED_BY,
            names::MANAGER,
            names::INSTALLATION,
            self.config.installation
        );
        let found = sets.list(&ListParams::default().labels(&labels).limit(STRANGERS_MAX)).await?;
        let name = |set: &StatefulSet| {
            format!("{}/{}", set.namespace().unwrap_or_default(), set.name_any())
        };
        Ok(found.items.iter().map(name).collect())
    }
}

/// The server's release, and its time.
async fn version(client: &Client) -> kube::Result<(String, Option<OffsetDateTime>)> {
    let request = http::Request::get("/version").body(kube::client::Body::empty());
    let answer = client.send(request.map_err(kube::Error::HttpError)?).await?;
    let date = answer.headers().get(http::header::DATE);
    let date = date.and_then(|date| date.to_str().ok()?.strip_suffix("GMT"));
    let date = date.and_then(|date| OffsetDateTime::parse(&format!("{date}+0000"), &Rfc2822).ok());
    let version = client.apiserver_version().await?;
    Ok((version.git_version, date))
}

fn storage_class(class: &v1::StorageClass) -> StorageClass {
    StorageClass {
        name: class.name_any(),
        default: class.annotations().get(DEFAULT).is_some_and(|value| value == "true"),
        expands: class.allow_volume_expansion.unwrap_or(false),
    }
}
