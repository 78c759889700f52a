//! Errors of the API server, in the contract's words.

use hansa_runtime::{Fault, RuntimeError};
use kube::Error;

/// Why a cluster cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig is none, or names what is not there.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// This is not a pod, or it has no service account.
    #[error("there is no cluster around this process: {0}")]
    InCluster(#[source] kube::config::InClusterError),
    /// The configuration makes no client.
    #[error("the cluster cannot be reached: {0}")]
    Client(#[source] kube::Error),
    /// Something of the configuration cannot be right.
    #[error("{0}")]
    Invalid(String),
}

/// The contract's error for one of the API server's.
pub(crate) fn of_api(what: &str, error: Error) -> RuntimeError {
    match error {
        Error::Api(status) => {
            let message = format!("{what}: {} ({})", status.message, status.reason);
            match status.code {
                403 => {
                    RuntimeError::Refused { fault: of_refusal(&status.message), detail: message }
                }
                // Somebody wrote at the same time: the next look sees it.
                404 | 409 => RuntimeError::Transient(message),
                408 | 429 | 500..=599 => RuntimeError::Unreachable(message),
                _ => RuntimeError::Invalid(message),
            }
        }
        error => RuntimeError::Unreachable(format!("{what}: {error}")),
    }
}

/// The API server answers "forbidden" also for what admission refuses.
fn of_refusal(message: &str) -> Fault {
    if message.contains("being terminated") {
        Fault::NamespaceTerminating
    } else if message.contains("exceeded quota") {
        Fault::QuotaExceeded
    } else if message.contains("violates PodSecurity") || message.contains("admission webhook") {
        Fault::Rejected
    } else {
        Fault::Forbidden
    }
}

/// Whether the API server says that something is not there.
pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}
