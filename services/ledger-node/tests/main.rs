//! Four real processes on loopback, from static files.

mod cluster;
mod ledger;
mod strangers;
