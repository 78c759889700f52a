//! Four real processes on loopback, from static files.

mod cluster;
mod events;
mod integrity;
mod ledger;
mod limits;
mod openapi;
mod past;
mod progress;
mod strangers;
