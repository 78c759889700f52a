//! Ledger nodes as StatefulSets of a Kubernetes cluster.
//!
//! Owns what a workload is made of in a cluster, how it is written there and what is read back. The
//! only crate that knows Kubernetes. Must not know the database, the API or what a ledger is for.
//!
//! A wish becomes objects (`build`, pure), which are written where they differ (`apply`, `write`)
//! and kept so (`keep`); what is there is read from watches and turned into a workload (`observe`,
//! pure). The wish itself
//! lies in an annotation of the StatefulSet: nothing is remembered here.

mod apply;
mod build;
mod config;
mod corrections;
mod difference;
mod driver;
mod error;
mod evidence;
#[cfg(feature = "testing")]
pub mod fake;
mod hearing;
mod keep;
mod names;
mod network;
mod observe;
mod probe;
mod remove;
#[cfg(feature = "testing")]
pub mod testing;
mod volume;
mod watch;
mod wish;
mod write;

pub use config::{Access, KubeConfig};
pub use driver::KubeRuntime;
pub use error::ConnectError;
