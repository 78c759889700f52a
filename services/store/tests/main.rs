//! Tests against real PostgreSQL, each in a database of its own.

mod audit;
mod catalogue;
mod event;
mod fixture;
mod idempotency;
mod isolation;
mod operation;
mod relation;
mod transaction;
