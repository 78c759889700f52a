//! The API in process: the real router over real PostgreSQL, each test in a database of its own.

mod conventions;
mod cross_tenant;
mod event;
mod fixture;
mod identity;
mod launch;
mod main_job;
mod openapi;
mod outage;
mod trail;
