//! SQLite's own gate, behind the check of the parsed statement: default deny.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

use crate::sql;

/// Opens a little more while a checked schema change runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    /// SQLite carries out ALTER by statements of its own, with functions that users may not use.
    pub(crate) fn for_schema(&self, open: bool) {
        self.0.store(open, Relaxed);
    }
}

/// Lets through what checked statements and the node's own bookkeeping need.
pub(crate) fn install_for_writing(connection: &Connection, gate: &Gate) -> rusqlite::Result<()> {
    let gate = gate.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        let allowed = match context.action {
            AuthAction::Select
            | AuthAction::Recursive
            | AuthAction::Read { .. }
            | AuthAction::Insert { .. }
            | AuthAction::Update { .. }
            | AuthAction::Delete { .. }
            | AuthAction::Transaction { .. }
            | AuthAction::Savepoint { .. }
            | AuthAction::CreateTable { .. }
            | AuthAction::CreateIndex { .. }
            | AuthAction::DropTable { .. }
            | AuthAction::DropIndex { .. }
            | AuthAction::AlterTable { .. }
            | AuthAction::Reindex { .. } => true,
            AuthAction::Function { function_name } => {
                sql::is_accepted_function(function_name) || gate.0.load(Relaxed)
            }
            AuthAction::Pragma { pragma_name, .. } => {
                matches!(pragma_name, "data_version" | "wal_checkpoint")
                    || (pragma_name == "quick_check" && gate.0.load(Relaxed))
            }
            // Adding a NOT NULL column makes SQLite check the table.
            AuthAction::CreateVtable { module_name, .. } => {
                module_name == "pragma_quick_check" && gate.0.load(Relaxed)
            }
            _ => false,
        };
        if allowed { Authorization::Allow } else { Authorization::Deny }
    }))
}

/// Lets through reading, and nothing that looks outside the ledger's tables.
pub(crate) fn install_for_reading(connection: &Connection) -> rusqlite::Result<()> {
    connection.authorizer(Some(|context: AuthContext<'_>| {
        let allowed = match context.action {
            AuthAction::Select | AuthAction::Recursive | AuthAction::Transaction { .. } => true,
            AuthAction::Read { table_name, .. } => is_readable(table_name),
            AuthAction::Function { function_name } => {
                !matches!(function_name, "load_extension" | "readfile" | "writefile" | "edit")
            }
            _ => false,
        };
        if allowed { Authorization::Allow } else { Authorization::Deny }
    }))
}

/// Users' tables, the keys' roles, the governance records and SQLite's own schema; not the node's
/// bookkeeping.
fn is_readable(table: &str) -> bool {
    let lower = table.to_ascii_lowercase();
    !lower.starts_with("hansa_") || matches!(lower.as_str(), "hansa_access" | "hansa_record")
}
