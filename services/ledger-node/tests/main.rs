//! Four real processes on loopback, from static files.

mod cluster;
mod integrity;
mod ledger;
mod strangers;
