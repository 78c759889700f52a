//! SHA-256 digests with domain separation.

use std::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest as _, Sha256};

use crate::{genesis::Suite, id::LedgerId};

/// Serde as lower-case hexadecimal text, through `Display` and `FromStr`.
macro_rules! hex_serde {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text: std::borrow::Cow<'de, str> = serde::Deserialize::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use hex_serde;

/// What a digest or signature is about. Two kinds of object can never share a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// A transaction body; its digest is the transaction's id.
    Transaction,
    /// A sealed batch as its origin sent it.
    Batch,
    /// The names of a block's batches.
    References,
    /// A block header.
    Block,
    /// A consensus vote.
    Vote,
    /// A round-change message.
    Timeout,
    /// A leader's proposal.
    Proposal,
    /// A set of round-change messages that justifies a proposal.
    Justification,
    /// An execution root: state and results of one height.
    Execution,
    /// One transaction's result.
    Outcome,
    /// What the members agree on before nodes exist.
    Charter,
    /// A member's word for one node's keys.
    Endorsement,
    /// A complete genesis.
    Genesis,
    /// A node's signed head announcement.
    Head,
    /// A request to a node, signed by a ledger key.
    Request,
    /// A node's proof, at enrolment, that it holds its consensus key.
    Enrolment,
}

impl Domain {
    /// The tag that begins every hashed message of this kind. Never reused for another layout.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Transaction => "hansa/transaction/v1",
            Self::Batch => "hansa/batch/v1",
            Self::References => "hansa/references/v1",
            Self::Block => "hansa/block/v1",
            Self::Vote => "hansa/vote/v1",
            Self::Timeout => "hansa/timeout/v1",
            Self::Proposal => "hansa/proposal/v1",
            Self::Justification => "hansa/justification/v1",
            Self::Execution => "hansa/execution/v1",
            Self::Outcome => "hansa/outcome/v1",
            Self::Charter => "hansa/charter/v1",
            Self::Endorsement => "hansa/endorsement/v1",
            Self::Genesis => "hansa/genesis/v1",
            Self::Head => "hansa/head/v2",
            Self::Request => "hansa/request/v1",
            Self::Enrolment => "hansa/enrolment/v1",
        }
    }
}

/// 32 bytes of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// All zeros: "nothing before this", for example the parent of block 1.
    pub const ZERO: Self = Self([0; 32]);

    /// Plain SHA-256, for content addresses of files.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// `SHA-256(len(tag) u8 | tag | suite u8 | ledger 16 B | body)`.
    ///
    /// The ledger's id inside keeps a signature from being replayed on another ledger.
    pub fn tagged(domain: Domain, ledger: LedgerId, body: &[u8]) -> Self {
        let tag = domain.tag().as_bytes();
        let mut hash = Sha256::new();
        hash.update([u8::try_from(tag.len()).expect("tags are short")]);
        hash.update(tag);
        hash.update([Suite::Ed25519Sha256 as u8]);
        hash.update(ledger.0);
        hash.update(body);
        Self(hash.finalize().into())
    }

    /// [`Digest::tagged`] over the canonical encoding of `value`.
    pub fn tagged_value<T: BorshSerialize + ?Sized>(
        domain: Domain,
        ledger: LedgerId,
        value: &T,
    ) -> Self {
        Self::tagged(domain, ledger, &crate::codec::encode(value))
    }

    /// The first eight hexadecimal digits, for people.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

impl FromStr for Digest {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

hex_serde!(Digest);
