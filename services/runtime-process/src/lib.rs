//! Nodes as processes of this machine.
//!
//! Owns their folders, ports, logs and ends. A process belongs to its own session: it outlives the
//! control plane, and the next one adopts it by process id, start time and boot of the machine.
//! Must not know the control plane's database or what a node says over its interface.

mod log;
mod node_config;
mod ports;
mod process;
mod record;
mod supervisor;

pub use supervisor::{ProcessRuntime, ProcessRuntimeConfig, end_all};
