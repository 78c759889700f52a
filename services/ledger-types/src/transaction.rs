//! Signed transactions.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    codec::{DecodeError, decode, encode},
    digest::{Digest, Domain},
    id::LedgerId,
    key::{PublicKey, Signature, SigningKey},
    limits,
    value::Value,
};

/// One SQL statement and its parameters (`?1`, `?2`, …).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The text of exactly one statement.
    pub sql: String,
    /// Bound in order.
    #[serde(default)]
    pub parameters: Vec<Value>,
}

/// What a key may do on a ledger: a set of bits.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct Roles(pub u8);

impl Roles {
    /// No role: a revoked key.
    pub const NONE: Self = Self(0);
    /// May query.
    pub const READ: Self = Self(1);
    /// May change rows.
    pub const WRITE: Self = Self(2);
    /// May change the schema.
    pub const SCHEMA: Self = Self(4);
    /// May grant and revoke roles of its own member's keys.
    pub const ADMIN: Self = Self(8);
    /// May write anchor records and nothing else.
    pub const ANCHOR: Self = Self(16);
    /// Everything but [`Roles::ANCHOR`]: a member's administrator key.
    pub const ADMINISTRATOR: Self = Self(15);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Sets the roles of one key; [`Roles::NONE`] revokes it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessChange {
    /// The key.
    pub key: PublicKey,
    /// Its roles from now on.
    pub roles: Roles,
}

/// Kinds of governance records.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A validator's report of corruption it found and repaired; signed by its consensus key.
    Incident,
    /// A root of the platform's audit or governance; signed by a key with [`Roles::ANCHOR`].
    Anchor,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// Runs statements in order; all or none take effect.
    Sql(Vec<Statement>),
    /// Changes roles of keys of the signer's member.
    Access(Vec<AccessChange>),
    /// Appends a governance record.
    Record {
        /// Which kind.
        kind: RecordKind,
        /// JSON text, at most [`limits::RECORD_BYTES_MAX`] bytes.
        body: String,
    },
}

/// What the client signs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionBody {
    /// The ledger; also inside the signed domain.
    pub ledger: LedgerId,
    /// Who signs.
    pub signer: PublicKey,
    /// Chosen by the client (random or counted): the same content with another nonce is another
    /// transaction.
    pub nonce: u64,
    /// Not valid in a block whose time is before this, Unix milliseconds.
    pub valid_from_ms: u64,
    /// Not valid in a block whose time is at or after this; at most
    /// [`limits::VALIDITY_MS_MAX`] after `valid_from_ms`.
    pub valid_until_ms: u64,
    /// What it does.
    pub payload: Payload,
}

impl TransactionBody {
    /// The transaction's id: the digest that is signed. It does not cover the signature, so a
    /// second signature over the same body is the same transaction.
    pub fn id(&self) -> Digest {
        Digest::tagged_value(Domain::Transaction, self.ledger, self)
    }

    /// Signs the body.
    pub fn sign(self, key: &SigningKey) -> Transaction {
        let body = encode(&self);
        let id = Digest::tagged(Domain::Transaction, self.ledger, &body);
        let signature = key.sign(&id);
        let mut raw = body;
        raw.extend_from_slice(&signature.0);
        Transaction { id, signature, body: self, raw: raw.into() }
    }

    fn check(&self) -> Result<(), DecodeError> {
        let rule = |ok: bool, text| if ok { Ok(()) } else { Err(DecodeError::rule(text)) };
        rule(
            self.valid_until_ms > self.valid_from_ms
                && self.valid_until_ms - self.valid_from_ms <= limits::VALIDITY_MS_MAX,
            "the validity window is empty or longer than ten minutes",
        )?;
        match &self.payload {
            Payload::Sql(statements) => {
                rule(
                    !statements.is_empty() && statements.len() <= limits::STATEMENTS_MAX,
                    "a transaction has 1 to 256 statements",
                )?;
                for statement in statements {
                    rule(
                        statement.sql.len() <= limits::STATEMENT_BYTES_MAX
                            && statement.parameters.len() <= limits::PARAMETERS_MAX,
                        "a statement has at most 64 KiB of text and 1,000 parameters",
                    )?;
                }
                Ok(())
            }
            Payload::Access(changes) => rule(
                !changes.is_empty() && changes.len() <= limits::ACCESS_CHANGES_MAX,
                "an access change names 1 to 1,000 keys",
            ),
            Payload::Record { body, .. } => {
                rule(body.len() <= limits::RECORD_BYTES_MAX, "a record has at most 16 KiB")
            }
        }
    }
}

/// A signed transaction with its id and its exact bytes (`body | signature`).
///
/// Decoding checks the layout and the limits, not the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    id: Digest,
    signature: Signature,
    body: TransactionBody,
    raw: Bytes,
}

impl Transaction {
    /// Decodes one transaction from exactly these bytes, keeping a slice of them.
    ///
    /// # Errors
    /// When the bytes are not canonical or break a limit.
    pub fn decode(raw: Bytes) -> Result<Self, DecodeError> {
        if raw.len() > limits::TRANSACTION_BYTES_MAX {
            return Err(DecodeError::rule("a transaction has at most 256 KiB"));
        }
        let Some(split) = raw.len().checked_sub(64) else {
            return Err(DecodeError::rule("a transaction ends with a signature of 64 bytes"));
        };
        let body: TransactionBody = decode(&raw[..split])?;
        body.check()?;
        let id = Digest::tagged(Domain::Transaction, body.ledger, &raw[..split]);
        let signature = Signature(raw[split..].try_into().expect("64 bytes remain"));
        Ok(Self { id, signature, body, raw })
    }

    /// The digest that is signed and names the transaction.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// The client's signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What was signed.
    pub fn body(&self) -> &TransactionBody {
        &self.body
    }

    /// The exact bytes on the wire and on disk.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Whether the signature is the signer's. Single verification; the node verifies in batches.
    #[must_use]
    pub fn verify(&self) -> bool {
        self.body.signer.verify(&self.id, &self.signature)
    }
}

impl BorshSerialize for Transaction {
    fn serialize<W: std::io::Write>(&self, to: &mut W) -> std::io::Result<()> {
        self.raw.serialize(to)
    }
}

impl BorshDeserialize for Transaction {
    fn deserialize_reader<R: std::io::Read>(from: &mut R) -> std::io::Result<Self> {
        let raw = Bytes::deserialize_reader(from)?;
        Self::decode(raw).map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))
    }
}
