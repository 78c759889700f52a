//! Members' agreement to a ledger's founding document.

use hansa_core::{MemberId, Name, NodeId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::signature::{PublicKey, Signature};

/// What the nodes of a ledger start from: the charter, its members' signatures, the validators.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({
    "charter": {}, "charter_signatures": [], "validators": [], "created_at_ms": 1_800_000_000_000_u64
}))]
#[serde(transparent)]
pub struct GenesisDocument(pub Value);

/// What the members of a ledger sign before it begins.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Charter {
    /// Who takes part, under which policy, with which certificate authority: the document.
    #[schema(value_type = Object)]
    pub charter: Value,
    /// SHA-256 with the ledger's domain over the document's canonical encoding, hexadecimal: what
    /// is signed. A client computes it again from the document.
    pub digest: String,
    /// Who has signed.
    pub members: Vec<CharterMember>,
    /// The nodes of the caller's own member, each to be signed.
    pub endorsements: Vec<EndorsementDraft>,
}

/// A member, in the order of the charter.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CharterMember {
    /// The seat.
    pub member_id: MemberId,
    /// Its name.
    pub name: Name,
    /// The key that has to sign.
    pub administrator_key: PublicKey,
    /// Whether it has signed.
    pub approved: bool,
}

/// A node as its member signs it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EndorsementDraft {
    /// The node.
    pub node_id: NodeId,
    /// Its name and keys, under the charter: the document.
    #[schema(value_type = Object)]
    pub endorsement: Value,
    /// What is signed, hexadecimal. A client computes it again from both documents.
    pub digest: String,
}

/// A member's agreement, made with its administrator key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalCreate {
    /// Over the charter's digest.
    pub charter_signature: Signature,
    /// Over the digest of each of the member's nodes.
    #[serde(default)]
    pub endorsements: Vec<Endorsement>,
}

/// A member's signature over one of its nodes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Endorsement {
    /// The node.
    pub node_id: NodeId,
    /// Over its digest.
    pub signature: Signature,
}
