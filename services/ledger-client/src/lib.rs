//! ledger-client
