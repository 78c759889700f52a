//! HTTP and nothing else.
//!
//! Owns addresses, headers, statuses, the form of bodies, and the OpenAPI document, which is made
//! from the same lines as the routes. Must not know the database or any rule of the product: a
//! handler extracts, calls one method of the control plane and wraps the answer.

mod access_token;
mod answer;
mod api_key;
mod approval;
mod audit_event;
mod block;
mod cluster;
mod consortium;
mod denial;
mod enrolment;
mod error;
mod event;
mod extract;
mod incident;
mod invitation;
mod ledger;
mod me;
mod member;
mod metrics;
mod node;
mod openapi;
mod operation;
mod server;
mod session;
mod tenant;
mod user;

pub use openapi::document;
pub use server::{Api, router};
