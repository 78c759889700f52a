//! What the control plane and its vault say to each other. Not part of the public API.

use hansa_core::{LedgerId, NodeId, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::signature::{PublicKey, Signature};

/// A key of access tokens, its public half.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VaultKey {
    /// Its id.
    pub id: String,
    /// Ed25519.
    pub public_key: PublicKey,
}

/// The keys of access tokens that are in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VaultKeyList {
    /// The one that signs.
    pub signing: String,
    /// All that are accepted.
    pub keys: Vec<VaultKey>,
}

/// Something to be signed with a key of access tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// The message, hexadecimal.
    pub message: String,
}

/// A signature of the vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signed {
    /// Ed25519 over the message.
    pub signature: Signature,
}

/// Something that the vault keeps for the control plane and gives back to it only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Hexadecimal.
    pub secret: SecretText,
}

/// A secret on its way between the control plane and its vault; it is not printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Writes a secret down.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(hex::encode(secret.expose()))
    }

    /// The secret; nothing when this is none.
    #[must_use]
    pub fn read(&self) -> Option<Secret> {
        hex::decode(&self.0).ok().map(Secret::from)
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A ledger's certificate authority.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authority {
    /// PEM.
    pub certificate: String,
}

/// A node's request for a certificate of its ledger's authority.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// The ledger whose authority signs.
    pub ledger: LedgerId,
    /// The node, which becomes the subject's serial number.
    pub node: NodeId,
    /// The node's name, which becomes the subject's common name.
    pub name: String,
    /// PKCS #10, PEM: shows that whoever asks holds the key. Names in it are ignored.
    pub request: String,
    /// Host names and IP addresses that the certificate is good for.
    pub hosts: Vec<String>,
}

/// A certificate that the vault has issued.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// PEM.
    pub certificate: String,
}
