//! What a node and the control plane say to each other when it enrols. Not part of the public API.
//!
//! `POST /enrolment/v1/nodes` with the one-time token as `Authorization: Bearer`, then
//! `GET /enrolment/v1/nodes/{tenant_id}/{node_id}/genesis?wait=…` with a request token that the
//! node's consensus key signs.

use hansa_core::{LedgerId, NodeId, TenantId};
use serde::{Deserialize, Serialize};

use crate::signature::{PublicKey, Signature};

/// A node's request for its identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// The node that asks.
    pub node: NodeId,
    /// Its consensus key, made on its own volume.
    pub consensus_key: PublicKey,
    /// PKCS #10 in PEM for its TLS key.
    pub certificate_request: String,
    /// By the consensus key, over [`EnrolmentRequest::statement`]: it is held, and wants this.
    pub proof: Signature,
}

/// A node's identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolled {
    /// The ledger that it belongs to.
    pub ledger: LedgerId,
    /// Its certificate, PEM.
    pub certificate: String,
}

impl EnrolmentRequest {
    /// The bytes whose SHA-256 the consensus key signs:
    /// `len(tag) u8 | tag | tenant | node | consensus key | certificate request`.
    #[must_use]
    pub fn statement(
        tenant: TenantId,
        node: NodeId,
        consensus_key: &PublicKey,
        certificate_request: &str,
    ) -> Vec<u8> {
        const TAG: &[u8] = b"hansa/node-enrol/v1";
        let mut bytes = vec![u8::try_from(TAG.len()).expect("the tag is short")];
        bytes.extend_from_slice(TAG);
        bytes.extend_from_slice(tenant.uuid().as_bytes());
        bytes.extend_from_slice(node.uuid().as_bytes());
        bytes.extend_from_slice(consensus_key.bytes());
        bytes.extend_from_slice(certificate_request.as_bytes());
        bytes
    }
}
