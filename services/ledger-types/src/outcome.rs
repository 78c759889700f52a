//! What became of a transaction, and the root that commits to it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Digest, Domain},
    id::LedgerId,
};

/// Why a transaction had no effect. A closed list; the numbers are part of the encoding.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Reason {
    /// The id has had its effect before.
    Duplicate,
    /// The block's time is outside the validity window.
    NotInWindow,
    /// For another ledger.
    WrongLedger,
    /// The signer lacks a role.
    NotPermitted,
    /// The text is no statement of the accepted SQL.
    Syntax,
    /// The statement is SQL, but could give different results on different nodes or leave the
    /// ledger's rules; `detail` names the construct.
    NotAllowed,
    /// A table, column or index is missing or exists already.
    Schema,
    /// A parameter is missing, surplus or of the wrong type.
    Parameter,
    /// A unique or primary key constraint.
    Unique,
    /// A foreign key constraint.
    ForeignKey,
    /// A check constraint.
    Check,
    /// A NOT NULL constraint.
    NotNull,
    /// A STRICT column got a value of another type.
    DataType,
    /// A row, key, change count or step limit.
    Limit,
    /// An overflow or another error in computing an expression.
    Arithmetic,
}

/// What became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// It took effect.
    Applied {
        /// Rows changed by each statement, in order.
        changes: Vec<u64>,
    },
    /// It had no effect.
    Refused {
        /// Why.
        reason: Reason,
        /// Which statement, from 0; `None` when the transaction as a whole.
        statement: Option<u16>,
        /// Byte offset in the statement's text, where known.
        position: Option<u32>,
        /// For people; at most [`crate::limits::DETAIL_BYTES_MAX`] bytes, deterministic.
        detail: String,
    },
}

impl Outcome {
    /// Whether it took effect.
    #[must_use]
    pub const fn is_applied(&self) -> bool {
        matches!(self, Self::Applied { .. })
    }

    /// The leaf under the results root: binds the outcome to the transaction's id.
    pub fn leaf(&self, ledger: LedgerId, transaction: Digest) -> Digest {
        Digest::tagged_value(Domain::Outcome, ledger, &(transaction, self))
    }
}

/// The root that a later header states: height, state root, and the Merkle root over the block's
/// outcome leaves with their count, which fixes each outcome's place.
pub fn execution_root(
    ledger: LedgerId,
    height: u64,
    state: Digest,
    results: Digest,
    count: u32,
) -> Digest {
    Digest::tagged_value(Domain::Execution, ledger, &(height, state, results, count))
}
