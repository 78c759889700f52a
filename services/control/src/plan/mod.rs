//! Decisions without effects: no database, no clock, no IO.

pub mod charter;
pub mod health;
pub mod launch;
pub mod node;
pub mod operation;
pub mod quorum;
pub mod reach;
pub mod turn;
