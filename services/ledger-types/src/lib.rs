//! The vocabulary of a ledger: keys, transactions, blocks, votes, certificates, messages, genesis,
//! receipts, and the one canonical encoding of each.
//!
//! Owns every byte that is hashed, signed, sent between nodes or handed to a verifier. Must not
//! know how agreement is reached, how statements run, where bytes are stored, or that a control
//! plane exists: no async, no clock, no IO.
//!
//! **Encoding.** Everything is [borsh](https://borsh.io): one value has exactly one encoding, and
//! decoding refuses trailing bytes. Formats are versioned by their [`Domain`]: a change of layout
//! is a new domain string, and `tests/conformance.txt` shows the change to the reviewer.

pub mod batch;
pub mod batch_verify;
pub mod block;
pub mod certificate;
pub mod codec;
pub mod digest;
pub mod genesis;
pub mod id;
pub mod key;
pub mod limits;
pub mod merkle;
pub mod message;
pub mod outcome;
pub mod proposal;
pub mod quorum;
pub mod receipt;
pub mod request;
pub mod timeout;
pub mod transaction;
pub mod value;
pub mod vote;

pub use batch::{Batch, BatchRef};
pub use batch_verify::{BatchVerifier, Signed};
pub use block::{Block, BlockHeader, Executed};
pub use certificate::{Certificate, CertificateError, CertificateKind};
pub use codec::{DecodeError, decode, encode};
pub use digest::{Digest, Domain};
pub use genesis::{Endorsement, Genesis, GenesisError, Member, Policy, Suite, Validator};
pub use id::{LedgerId, NodeId, ValidatorIndex};
pub use key::{PublicKey, Signature, SigningKey};
pub use merkle::{MerklePath, merkle_root};
pub use message::{ConsensusMessage, Message};
pub use outcome::{Outcome, Reason};
pub use proposal::Proposal;
pub use quorum::Quorum;
pub use receipt::{Receipt, ReceiptError};
pub use request::{RequestError, RequestLine, RequestToken};
pub use timeout::{LastVote, Timeout};
pub use transaction::{
    AccessChange, Payload, RecordKind, Roles, Statement, Transaction, TransactionBody,
};
pub use value::Value;
pub use vote::{Vote, VoteKind};
