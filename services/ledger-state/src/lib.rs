//! ledger-state
