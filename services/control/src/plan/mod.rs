//! Decisions without effects: no database, no clock, no IO.

pub mod launch;
