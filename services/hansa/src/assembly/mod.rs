//! How a role is put together: once, for the role as a program and for `hansa dev`.
//!
//! Nothing here runs yet when it is assembled: whoever assembles binds and opens everything first,
//! and spawns what it got when nothing can fail any more.

mod api;
mod clusters;
mod console;
mod controller;
mod metrics;
mod server;
mod tls;

pub(crate) use api::{ApiParts, ApiService};
pub(crate) use clusters::KubeClusters;
pub(crate) use controller::{ControllerParts, ControllerService};
pub(crate) use metrics::Metrics;
pub(crate) use server::{DRAIN_TIME_MAX, bind, serve, serve_tls};
pub(crate) use tls::TlsFiles;
