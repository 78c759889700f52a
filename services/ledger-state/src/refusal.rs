//! What a transaction is refused for, and how SQLite's errors are told apart.

use ledger_types::{Outcome, Reason, limits};
use rusqlite::{ErrorCode, ffi};

use crate::{error::StateError, functions, meter::WORK_MAX};

/// The refusal of a transaction as a whole.
pub(crate) fn refused(reason: Reason, detail: impl Into<String>) -> Outcome {
    Outcome::Refused { reason, statement: None, position: None, detail: bounded(detail.into()) }
}

/// The detail, cut to what an outcome holds.
pub(crate) fn bounded(mut detail: String) -> String {
    while detail.len() > limits::DETAIL_BYTES_MAX {
        detail.pop();
    }
    detail
}

/// Why a statement has no effect.
pub(crate) enum StatementError {
    Refused(Reason, String),
    /// A value or row is longer than its run takes.
    TooBig(String),
    /// SQLite was interrupted and took the block back.
    Limit(String),
    Failed(StateError),
}

/// One text for both: which of them a node meets first is not the same everywhere.
pub(crate) fn too_much() -> StatementError {
    let bytes = limits::CHANGED_BYTES_MAX;
    StatementError::Limit(format!(
        "more work than {WORK_MAX} bytes, steps times the longest value, or more than {bytes} bytes of \
         changed rows"
    ))
}

/// What SQLite says of an expression that cannot be computed. Everything else with its general
/// error code is about names and structure. The phase in which an error comes does not count: a
/// statement that one node has prepared before is prepared again while it runs.
const EXPRESSION_ERRORS: [&str; 2] = ["integer overflow", "ORDER BY term out of range"];

/// Sorts SQLite's errors: the transaction's own faults are outcomes, the machine's end the node.
pub(crate) fn refusal_of(error: rusqlite::Error) -> StatementError {
    let (failure, message) = match &error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            (*failure, message.clone().unwrap_or_default())
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => (*error, msg.clone()),
        rusqlite::Error::ExecuteReturnedResults => {
            return StatementError::Refused(Reason::NotAllowed, "RETURNING is not accepted".into());
        }
        _ => return StatementError::Failed(error.into()),
    };
    // The text after the colon names the constraint's table and columns.
    let named = message.split_once(": ").map_or(message.as_str(), |(_, name)| name).to_owned();
    let refuse = |reason| StatementError::Refused(reason, named.clone());
    match failure.code {
        ErrorCode::ConstraintViolation => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                refuse(Reason::Unique)
            }
            ffi::SQLITE_CONSTRAINT_ROWID => refuse(Reason::Unique),
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => refuse(Reason::ForeignKey),
            ffi::SQLITE_CONSTRAINT_CHECK => refuse(Reason::Check),
            ffi::SQLITE_CONSTRAINT_NOTNULL => refuse(Reason::NotNull),
            ffi::SQLITE_CONSTRAINT_DATATYPE => refuse(Reason::DataType),
            _ => refuse(Reason::Check),
        },
        ErrorCode::TypeMismatch => refuse(Reason::DataType),
        ErrorCode::TooBig => StatementError::TooBig(named),
        ErrorCode::ParameterOutOfRange => refuse(Reason::Parameter),
        ErrorCode::AuthorizationForStatementDenied => refuse(Reason::NotAllowed),
        ErrorCode::OperationInterrupted => too_much(),
        ErrorCode::Unknown
            if EXPRESSION_ERRORS
                .iter()
                .chain(&functions::ERRORS)
                .any(|known| *known == message) =>
        {
            StatementError::Refused(Reason::Arithmetic, message)
        }
        ErrorCode::Unknown => StatementError::Refused(Reason::Schema, message),
        _ => StatementError::Failed(error.into()),
    }
}
