//! A real Kubernetes on this machine, for tests: API server, controllers, scheduler, kubelet,
//! container runtime, pods with networks of their own.
//!
//! Owns how the parts are built, booted and ended, and that nothing is left of them: everything
//! runs in private namespaces that vanish with their keeper. Must not know what is tested on it.
//!
//! Three processes: *up* starts and leaves; the *keeper* lives outside the namespaces, joins the
//! lab's network to this machine's and ends the lab when it ends; *inside* is the first process of
//! the namespaces and supervises the rest.

mod components;
pub mod folder;
pub mod images;
mod inside;
mod keeper;
mod kubectl;
mod lab;
mod mounts;
mod needs;
mod network;
mod parts;
mod processes;
mod scratch;
mod supervisor;

pub use components::CONTAINERD;
pub use inside::run as inside;
pub use keeper::{keep, sweep};
pub use lab::{Lab, Status};
pub use needs::PACKAGES;
pub use parts::Parts;
pub use scratch::Scratch;
