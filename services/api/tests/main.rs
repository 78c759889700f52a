//! The API in process: the real router over real PostgreSQL, each test in a database of its own.

mod cluster;
mod conventions;
mod cross_tenant;
mod deletion;
mod denial;
mod event;
mod fixture;
mod fleet;
mod identity;
mod launch;
mod main_job;
mod metrics;
mod openapi;
mod outage;
mod rest;
mod trail;
mod walk;
