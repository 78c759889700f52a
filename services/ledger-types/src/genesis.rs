//! The genesis of a ledger: who its members and validators are, and their own signatures on it.
//!
//! Authority is the members': each signs the *charter* (who takes part, under which policy) and
//! *endorses* each of its nodes' keys. Whoever composes the document can leave things out, but can
//! add nobody.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Digest, Domain},
    id::{LedgerId, NodeId, ValidatorIndex},
    key::{PublicKey, Signature, SigningKey},
    limits,
    quorum::Quorum,
};

/// Hash and signature algorithms, fixed at genesis.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[borsh(use_discriminant = true)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Suite {
    /// Ed25519 (ZIP-215) and SHA-256.
    #[serde(rename = "ed25519-sha256")]
    Ed25519Sha256 = 1,
}

/// How the validators agree.
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
#[borsh(use_discriminant = true)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Policy {
    /// Safe against f of 3f + 1 Byzantine validators.
    Bft = 1,
    /// Safe against crashes of a minority only; fraud is attributable, not prevented.
    Cft = 2,
}

/// A member organisation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// Its name in the consortium, unique.
    pub name: String,
    /// Its administrator key.
    pub administrator: PublicKey,
}

/// What all members agree on before nodes exist.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Charter {
    /// The ledger.
    pub ledger: LedgerId,
    /// Its name.
    pub name: String,
    /// Algorithms.
    pub suite: Suite,
    /// How validators agree.
    pub policy: Policy,
    /// Accepts fewer validators than production needs (cft with one or two).
    pub development: bool,
    /// The members, in order of joining.
    pub members: Vec<Member>,
    /// Members whose signatures a later configuration change needs.
    pub threshold: u16,
    /// May write anchor records and nothing else.
    pub anchor: Option<PublicKey>,
    /// The CA that the nodes' TLS certificates chain to, PEM.
    pub ca_certificate: String,
}

/// A node's identity, as its member endorses it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Endorsement {
    /// The node.
    pub node: NodeId,
    /// Its name, unique in the ledger.
    pub name: String,
    /// Index of its member in the charter.
    pub member: u16,
    /// Its consensus key.
    pub consensus_key: PublicKey,
    /// SHA-256 over the DER of its TLS key (SubjectPublicKeyInfo): renewal keeps the key.
    pub tls_key: Digest,
}

/// A validator: an endorsed node and where to reach it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Validator {
    /// What the member endorses.
    #[serde(flatten)]
    pub identity: Endorsement,
    /// First known peer-to-peer address, `host:port`; a hint, not authority.
    pub p2p: String,
    /// The member's signature over the endorsement and the charter's digest.
    pub endorsed: Signature,
}

/// The complete genesis document (`genesis.json`).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Genesis {
    /// What the members agreed on.
    pub charter: Charter,
    /// Each member's signature over the charter, in the charter's order.
    pub charter_signatures: Vec<Signature>,
    /// The validators; their order gives consensus its indices.
    pub validators: Vec<Validator>,
    /// Unix milliseconds; block 1's time is not before it.
    pub created_at_ms: u64,
}

/// Why a genesis is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GenesisError {
    /// Members or validators missing or too many.
    #[error("{what}: {have}, must be {min} to {max}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        have: usize,
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// A name or key occurs twice.
    #[error("{what} {value} occurs twice")]
    Duplicate {
        /// What.
        what: &'static str,
        /// Which.
        value: String,
    },
    /// A text is empty or too long.
    #[error("{0} is empty or too long")]
    Text(&'static str),
    /// A key must not be registered.
    #[error("the key of {0} is no usable public key")]
    WeakKey(String),
    /// The threshold is not between 1 and the number of members.
    #[error("the threshold {threshold} is not between 1 and {members} members")]
    Threshold {
        /// Stated.
        threshold: u16,
        /// Members.
        members: usize,
    },
    /// A member's signature on the charter is missing or wrong.
    #[error("member {0} has not signed the charter")]
    Charter(String),
    /// A validator names a member that does not exist.
    #[error("validator {0} names a member that does not exist")]
    UnknownMember(String),
    /// A member has not endorsed this node's keys.
    #[error("member {member} has not endorsed the keys of node {node}")]
    NotEndorsed {
        /// The member.
        member: String,
        /// The node.
        node: String,
    },
}

impl Charter {
    /// The digest that members sign.
    pub fn digest(&self) -> Digest {
        Digest::tagged_value(Domain::Charter, self.ledger, self)
    }

    /// A member's signature over the charter.
    pub fn sign(&self, administrator: &SigningKey) -> Signature {
        administrator.sign(&self.digest())
    }

    /// The fewest validators that the policy accepts.
    pub const fn validators_min(&self) -> usize {
        match (self.policy, self.development) {
            (Policy::Bft, _) => 4,
            (Policy::Cft, false) => 3,
            (Policy::Cft, true) => 1,
        }
    }
}

impl Endorsement {
    /// The digest that the member signs: this node, under this charter.
    pub fn digest(&self, charter: &Charter) -> Digest {
        Digest::tagged_value(Domain::Endorsement, charter.ledger, &(charter.digest(), self))
    }

    /// The member's signature over this node.
    pub fn sign(&self, charter: &Charter, administrator: &SigningKey) -> Signature {
        administrator.sign(&self.digest(charter))
    }
}

impl Genesis {
    /// The digest that block 1 names as its parent.
    pub fn digest(&self) -> Digest {
        Digest::tagged_value(Domain::Genesis, self.charter.ledger, self)
    }

    /// The ledger's id.
    pub fn ledger(&self) -> LedgerId {
        self.charter.ledger
    }

    /// The thresholds of its validator set.
    pub fn quorum(&self) -> Quorum {
        let n = u16::try_from(self.validators.len()).expect("checked: at most 64 validators");
        Quorum::new(self.charter.policy, n)
    }

    /// The validators' consensus keys by index.
    pub fn consensus_keys(&self) -> Vec<PublicKey> {
        self.validators.iter().map(|v| v.identity.consensus_key).collect()
    }

    /// Which validator holds this consensus key.
    pub fn index_of(&self, key: &PublicKey) -> Option<ValidatorIndex> {
        let at = self.validators.iter().position(|v| v.identity.consensus_key == *key)?;
        Some(ValidatorIndex(u16::try_from(at).expect("checked: at most 64 validators")))
    }

    /// Checks everything that can be checked without asking anybody: counts, names, keys, each
    /// member's signature on the charter, each validator's endorsement, the threshold.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), GenesisError> {
        self.check_charter()?;
        self.check_validators()
    }

    fn check_charter(&self) -> Result<(), GenesisError> {
        let charter = &self.charter;
        count("members", charter.members.len(), 1, limits::MEMBERS_MAX)?;
        text("the ledger's name", &charter.name, limits::NAME_BYTES_MAX)?;
        text("the CA certificate", &charter.ca_certificate, limits::CA_BYTES_MAX)?;
        let members = charter.members.len();
        if charter.threshold == 0 || usize::from(charter.threshold) > members {
            return Err(GenesisError::Threshold { threshold: charter.threshold, members });
        }
        for (at, member) in charter.members.iter().enumerate() {
            text("a member's name", &member.name, limits::NAME_BYTES_MAX)?;
            key(&member.name, &member.administrator)?;
            let before = &charter.members[..at];
            unique("member", &member.name, before.iter().any(|m| m.name == member.name))?;
            unique(
                "administrator key",
                &member.administrator.to_string(),
                before.iter().any(|m| m.administrator == member.administrator),
            )?;
            let signed = self
                .charter_signatures
                .get(at)
                .is_some_and(|s| member.administrator.verify(&charter.digest(), s));
            if !signed {
                return Err(GenesisError::Charter(member.name.clone()));
            }
        }
        count("charter signatures", self.charter_signatures.len(), members, members)?;
        charter.anchor.iter().try_for_each(|anchor| key("the anchor", anchor))
    }

    fn check_validators(&self) -> Result<(), GenesisError> {
        let charter = &self.charter;
        let (min, max) = (charter.validators_min(), limits::VALIDATORS_MAX);
        count("validators", self.validators.len(), min, max)?;
        for (at, validator) in self.validators.iter().enumerate() {
            let node = &validator.identity;
            text("a node's name", &node.name, limits::NAME_BYTES_MAX)?;
            text("a node's address", &validator.p2p, limits::NAME_BYTES_MAX)?;
            key(&node.name, &node.consensus_key)?;
            let before = || self.validators[..at].iter().map(|v| &v.identity);
            unique("node", &node.node.to_string(), before().any(|b| b.node == node.node))?;
            unique("node name", &node.name, before().any(|b| b.name == node.name))?;
            unique(
                "consensus key",
                &node.consensus_key.to_string(),
                before().any(|b| b.consensus_key == node.consensus_key),
            )?;
            unique(
                "TLS key",
                &node.tls_key.to_string(),
                before().any(|b| b.tls_key == node.tls_key),
            )?;
            let Some(member) = charter.members.get(usize::from(node.member)) else {
                return Err(GenesisError::UnknownMember(node.name.clone()));
            };
            if !member.administrator.verify(&node.digest(charter), &validator.endorsed) {
                return Err(GenesisError::NotEndorsed {
                    member: member.name.clone(),
                    node: node.name.clone(),
                });
            }
        }
        Ok(())
    }
}

fn count(what: &'static str, have: usize, min: usize, max: usize) -> Result<(), GenesisError> {
    if (min..=max).contains(&have) {
        Ok(())
    } else {
        Err(GenesisError::Count { what, have, min, max })
    }
}

fn text(what: &'static str, value: &str, max: usize) -> Result<(), GenesisError> {
    if value.is_empty() || value.len() > max { Err(GenesisError::Text(what)) } else { Ok(()) }
}

fn key(owner: &str, key: &PublicKey) -> Result<(), GenesisError> {
    key.check().map_err(|_| GenesisError::WeakKey(owner.to_owned()))
}

fn unique(what: &'static str, value: &str, taken: bool) -> Result<(), GenesisError> {
    if taken { Err(GenesisError::Duplicate { what, value: value.to_owned() }) } else { Ok(()) }
}
