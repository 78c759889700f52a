//! What agreement promises, tried on the production rules and on broken ones.

mod checker;
mod choosing;
mod cluster;
mod fraud;
mod happy_path;
mod replica;
mod restart;
mod round_change;
