//! A ledger's founding documents: what the members sign, and what comes of it.

use hansa_store::{Approval, DrivenLedger, DrivenMember, DrivenNode};
use hansa_types::{Comparator, ConsensusPolicy};
use ledger_types::{
    Digest, Endorsement, Genesis, LedgerId, Member, NodeId, Policy, PublicKey, Signature, Suite,
    Validator,
    genesis::{Charter, GenesisError},
};

/// Why no charter or genesis can be composed now.
#[derive(Debug, PartialEq, Eq)]
pub enum NotYet {
    /// This node has not enrolled.
    Enrolment(hansa_core::NodeId),
    /// This member has not signed, or not for all of its nodes.
    Signature(String),
    /// The documents do not hold together.
    Invalid(GenesisError),
    /// The policy is not offered.
    Policy,
}

/// How many members must agree to a change: the fewest that satisfy the consortium's rule.
#[must_use]
pub fn threshold(members: usize, percentage: u8, comparator: Comparator) -> u16 {
    let enough = |count: usize| match comparator {
        Comparator::GreaterThan => count * 100 > members * usize::from(percentage),
        Comparator::GreaterThanOrEqualTo => count * 100 >= members * usize::from(percentage),
    };
    // "More than all" can never be reached: then all must agree.
    let count = (1..=members).find(|count| enough(*count)).unwrap_or(members);
    u16::try_from(count).expect("a consortium has few members")
}

/// What the members sign.
///
/// # Errors
/// [`NotYet::Policy`].
pub fn charter(
    ledger: &DrivenLedger,
    members: &[DrivenMember],
    threshold: u16,
    ca_certificate: String,
) -> Result<Charter, NotYet> {
    let policy = match ledger.policy {
        ConsensusPolicy::Bft => Policy::Bft,
        ConsensusPolicy::Cft => Policy::Cft,
        ConsensusPolicy::Adaptive => return Err(NotYet::Policy),
    };
    let member = |member: &DrivenMember| Member {
        name: member.name.to_string(),
        administrator: PublicKey(*member.administrator_key.bytes()),
    };
    Ok(Charter {
        ledger: LedgerId(*ledger.id.uuid().as_bytes()),
        name: ledger.name.to_string(),
        suite: Suite::Ed25519Sha256,
        policy,
        development: ledger.development,
        members: members.iter().map(member).collect(),
        threshold,
        anchor: None,
        ca_certificate,
    })
}

/// A node as its member signs it.
///
/// # Errors
/// [`NotYet::Enrolment`]; [`NotYet::Signature`] when its member is not in the charter.
pub fn endorsement(
    node: &DrivenNode,
    members: &[DrivenMember],
    charter: &Charter,
) -> Result<Endorsement, NotYet> {
    let identity = node.identity.as_ref().ok_or(NotYet::Enrolment(node.id))?;
    let member = members.iter().find(|member| member.id == node.member);
    let place = member.and_then(|member| {
        let key = PublicKey(*member.administrator_key.bytes());
        charter.members.iter().position(|m| m.administrator == key)
    });
    let place = place.ok_or_else(|| NotYet::Signature(node.member.to_string()))?;
    Ok(Endorsement {
        node: NodeId(*node.id.uuid().as_bytes()),
        name: node.name.to_string(),
        member: u16::try_from(place).expect("a consortium has few members"),
        consensus_key: PublicKey(identity.consensus_key),
        tls_key: Digest(identity.tls_key),
    })
}

/// The genesis, when every member has signed the charter and all of its nodes.
///
/// # Errors
/// Whatever is missing.
pub fn genesis(
    charter: Charter,
    members: &[DrivenMember],
    nodes: &[DrivenNode],
    approvals: &[Approval],
    created_at_ms: u64,
) -> Result<Genesis, NotYet> {
    let mut charter_signatures = Vec::with_capacity(charter.members.len());
    for in_charter in &charter.members {
        let member = members.iter().find(|member| {
            PublicKey(*member.administrator_key.bytes()) == in_charter.administrator
        });
        let approval = member.and_then(|m| approvals.iter().find(|a| a.member == m.id));
        let approval = approval.ok_or_else(|| NotYet::Signature(in_charter.name.clone()))?;
        charter_signatures.push(Signature(*approval.signature.bytes()));
    }
    let mut validators = Vec::with_capacity(nodes.len());
    for node in nodes {
        let identity = endorsement(node, members, &charter)?;
        let unsigned = || NotYet::Signature(node.name.to_string());
        let approval = approvals.iter().find(|a| a.member == node.member).ok_or_else(unsigned)?;
        let endorsed = approval.endorsements.iter().find(|e| e.node_id == node.id);
        let endorsed = Signature(*endorsed.ok_or_else(unsigned)?.signature.bytes());
        let p2p = node.record.p2p_address.clone().ok_or(NotYet::Enrolment(node.id))?;
        validators.push(Validator { identity, p2p, endorsed });
    }
    let genesis = Genesis { charter, charter_signatures, validators, created_at_ms };
    genesis.check().map_err(NotYet::Invalid)?;
    Ok(genesis)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A genesis must not ask for more agreement than there can be, nor for none.
    #[test]
    fn the_threshold_is_the_fewest_members_that_satisfy_the_rule() {
        use Comparator::{GreaterThan, GreaterThanOrEqualTo};
        for (members, percentage, comparator, expected) in [
            (2, 50, GreaterThan, 2),
            (2, 50, GreaterThanOrEqualTo, 1),
            (3, 50, GreaterThan, 2),
            (4, 50, GreaterThan, 3),
            (5, 0, GreaterThanOrEqualTo, 1),
            (5, 100, GreaterThan, 5),
            (5, 100, GreaterThanOrEqualTo, 5),
            (1, 50, GreaterThan, 1),
        ] {
            let found = threshold(members, percentage, comparator);
            assert_eq!(found, expected, "{comparator} {percentage} % of {members}");
        }
    }
}
