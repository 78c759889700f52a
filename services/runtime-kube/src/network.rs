//! What pods reach in a cluster, measured by two that live for seconds: whether its network policies
//! are enforced, and whether the address that nodes enrol with answers.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hansa_core::Uuid;
use hansa_runtime::RuntimeError;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, ContainerState, Namespace, Pod},
    networking::v1::NetworkPolicy,
};
use kube::{Api, api::PropagationPolicy};
use serde::Deserialize;

use crate::{
    build::{self, CALLER, LISTENER, ProbeObjects},
    driver::{KubeRuntime, in_time},
    error::of_api,
    names,
    write::{self, write},
};

/// Between two measurements.
const MEASURE_EVERY: Duration = Duration::from_secs(3_600);
/// Before one that came to nothing is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(120);
/// How long each pod may take to tell something, the image's way to its machine included.
const POD_TIME_MAX: Duration = Duration::from_secs(90);
/// How long a measurement may take.
const MEASURE_TIME_MAX: Duration = Duration::from_secs(200);
/// How long its namespace may take to be told to go.
const END_TIME_MAX: Duration = Duration::from_secs(10);
/// Between two looks at a pod.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the last measurement found.
#[derive(Debug, Default)]
pub(crate) struct Network(Mutex<Found>);

/// What a measurement found; nothing before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) policies_enforced: Option<bool>,
    pub(crate) enrolment_reachable: Option<bool>,
    pub(crate) problem: Option<String>,
}

/// The last word of who has called: `hansa-node probe call` says it.
#[derive(Debug, Deserialize)]
struct Reached {
    open: bool,
    closed: bool,
    enrolment_problem: Option<String>,
}

impl Network {
    pub(crate) fn found(&self) -> Found {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, found: Found) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

/// What follows from what was reached.
fn conclude(reached: Reached) -> Found {
    let Reached { open, closed, enrolment_problem } = reached;
    let unreached = || "a pod does not reach another that its policies let it reach".to_owned();
    Found {
        // Where nothing is reached, nobody knows whether policies are why.
        policies_enforced: open.then_some(!closed),
        enrolment_reachable: Some(enrolment_problem.is_none()),
        problem: enrolment_problem.or_else(|| (!open).then(unreached)),
    }
}

impl KubeRuntime {
    /// Measures now and then until it is dropped.
    pub(crate) async fn measure_network(self: Arc<Self>) {
        let Some(url) = &self.config.enrolment_url else { return };
        loop {
            let measured = self.measure(url).await;
            let rest = if measured.is_ok() { MEASURE_EVERY } else { RETRY_AFTER };
            self.network.put(measured.map_or_else(
                |error| Found {
                    problem: Some(format!("what pods reach was not measured: {error}")),
                    ..Found::default()
                },
                conclude,
            ));
            tokio::time::sleep(rest).await;
        }
    }

    /// Measures once, and leaves nothing. If this process ends meanwhile, the namespace goes with those
    /// that have neither nodes nor volumes.
    async fn measure(&self, url: &str) -> Result<Reached, RuntimeError> {
        let within = names::probe(Uuid::now_v7());
        let measured = in_time(MEASURE_TIME_MAX, self.measure_within(url, &within)).await;
        let ended = in_time(END_TIME_MAX, self.end(&within)).await;
        if let Err(error) = ended {
            tracing::warn!(namespace = within, %error, "stays until empty namespaces are removed");
        }
        measured
    }

    async fn measure_within(&self, url: &str, within: &str) -> Result<Reached, RuntimeError> {
        let installation = &self.config.installation;
        let ProbeObjects { namespace, network_policies, authority, listener } =
            build::probe(&self.config, url, within);
        write(&Api::all(self.client().clone()), installation, &namespace).await?;
        let target = self.target();
        let policies = target.within::<NetworkPolicy>(within);
        for policy in &network_policies {
            write(&policies, installation, policy).await?;
        }
        if let Some(authority) = &authority {
            write(&target.within::<ConfigMap>(within), installation, authority).await?;
        }
        let sets = target.within::<StatefulSet>(within);
        write(&sets, installation, &listener).await?;
        let address = self.until(within, LISTENER, address).await?;
        let caller = build::caller(&self.config, url, within, address);
        write(&sets, installation, &caller).await?;
        let said = self.until(within, CALLER, last_word).await?;
        serde_json::from_str(&said)
            .map_err(|_| RuntimeError::Invalid(format!("the pod that calls says {said:?}")))
    }

    /// What a pod tells, once it does.
    async fn until<T>(
        &self,
        within: &str,
        role: &str,
        tells: impl Fn(&Pod) -> Option<T>,
    ) -> Result<T, RuntimeError> {
        let pods = self.target().within::<Pod>(within);
        let name = names::pod(role);
        let began = Instant::now();
        loop {
            let pod = pods.get_opt(&name).await.map_err(|error| of_api(&name, error))?;
            if let Some(told) = pod.as_ref().and_then(&tells) {
                return Ok(told);
            }
            if began.elapsed() >= POD_TIME_MAX {
                let why = pod.as_ref().and_then(complaint);
                let why = why.unwrap_or_else(|| format!("nothing within {POD_TIME_MAX:?}"));
                return Err(RuntimeError::Transient(format!("the pod {role}: {why}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn end(&self, within: &str) -> Result<(), RuntimeError> {
        let namespaces = Api::<Namespace>::all(self.client().clone());
        let found = namespaces.get_opt(within).await.map_err(|error| of_api(within, error))?;
        let Some(found) = found else { return Ok(()) };
        write::check_ours(&self.config.installation, &found)?;
        write::delete(&namespaces, &found, PropagationPolicy::Background).await
    }
}

/// The address of a pod whose container runs.
fn address(pod: &Pod) -> Option<IpAddr> {
    state(pod)?.running.as_ref()?;
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

/// What its container said last, now or before it was started again.
fn last_word(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let ended = |state: &ContainerState| state.terminated.clone();
    let terminated = status.state.as_ref().and_then(ended);
    let terminated = terminated.or_else(|| status.last_state.as_ref().and_then(ended));
    terminated.map(|terminated| {
        let code = terminated.exit_code;
        terminated.message.unwrap_or_else(|| format!("nothing, exit code {code}"))
    })
}

/// Why a pod does not start, in the cluster's words.
fn complaint(pod: &Pod) -> Option<String> {
    let waiting = state(pod).and_then(|state| state.waiting.as_ref());
    if let Some(waiting) = waiting {
        let words = [waiting.reason.as_deref(), waiting.message.as_deref()];
        return Some(words.into_iter().flatten().collect::<Vec<_>>().join(": "));
    }
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let mut failed = conditions.iter().filter(|condition| condition.status == "False");
    failed.find_map(|condition| condition.message.clone())
}

fn state(pod: &Pod) -> Option<&ContainerState> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()?.state.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(open: bool, closed: bool, problem: Option<&str>) -> Found {
        let enrolment_problem = problem.map(str::to_owned);
        conclude(Reached { open, closed, enrolment_problem })
    }

    /// A cluster without a network at all must not pass for one that enforces policies.
    #[test]
    fn only_what_was_measured_is_said() {
        let found = reached(true, false, None);
        assert_eq!((found.policies_enforced, found.problem), (Some(true), None));
        assert_eq!(reached(true, true, None).policies_enforced, Some(false));
        let nothing = reached(false, false, None);
        assert_eq!(nothing.policies_enforced, None);
        assert!(nothing.problem.is_some_and(|why| why.contains("does not reach another")));
        let away = reached(true, false, Some("https://hansa.example: refused"));
        assert_eq!(away.enrolment_reachable, Some(false));
        assert_eq!(away.problem.as_deref(), Some("https://hansa.example: refused"));
    }

    /// An operator must read that the image is not there, and not that something took too long.
    #[test]
    fn a_pod_that_does_not_start_is_told_with_the_clusters_own_words() {
        let pod = |status: serde_json::Value| -> Pod {
            serde_json::from_value(serde_json::json!({ "metadata": {}, "status": status })).unwrap()
        };
        let waiting = serde_json::json!({ "reason": "ErrImagePull", "message": "no such image" });
        let container = serde_json::json!([{
            "name": "caller", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": waiting },
        }]);
        let missing = pod(serde_json::json!({ "containerStatuses": container }));
        assert_eq!(complaint(&missing).as_deref(), Some("ErrImagePull: no such image"));
        let full = serde_json::json!([{
            "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available",
        }]);
        let full = pod(serde_json::json!({ "conditions": full }));
        assert_eq!(complaint(&full).as_deref(), Some("0/1 nodes are available"));
        assert_eq!(complaint(&pod(serde_json::json!({}))), None);
    }
}
