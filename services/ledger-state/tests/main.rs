//! What execution promises: the same result everywhere, nothing that a crash or an edit can hide.

mod access;
mod crash;
mod fixture;
mod limits;
mod outcomes;
mod past;
mod queries;
mod random_sql;
mod refusals;
mod tampering;
