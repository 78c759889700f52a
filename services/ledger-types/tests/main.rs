//! What the ledger's vocabulary promises to every other crate and to outside verifiers.

mod batch_verify;
mod conformance;
mod decoding;
mod fixture;
mod genesis;
mod merkle;
mod quorum;
mod receipt;
mod request;
