//! The ledger of a run: one member, a few validators, nothing secret.

use std::sync::Arc;

use ledger_types::{
    Digest, Endorsement, Genesis, LedgerId, Member, NodeId, SigningKey, Suite, Validator,
    genesis::Charter,
};

use crate::plan::Plan;

/// When every run begins, Unix milliseconds.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// The key of validator `n`.
pub(crate) fn consensus_key(n: u16) -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed(&[100 + u8::try_from(n).expect("few"); 32]))
}

/// The key of the member that everything is signed with.
pub(crate) fn administrator() -> SigningKey {
    SigningKey::from_seed(&[201; 32])
}

/// The genesis of a plan.
pub(crate) fn genesis(plan: &Plan) -> Genesis {
    let administrator = administrator();
    let charter = Charter {
        ledger: LedgerId([9; 16]),
        name: "simulated".into(),
        suite: Suite::Ed25519Sha256,
        policy: plan.policy,
        development: false,
        members: vec![Member { name: "all".into(), administrator: administrator.public_key() }],
        threshold: 1,
        anchor: None,
        ca_certificate: "none".into(),
    };
    let validators = (0..plan.validators)
        .map(|n| {
            let number = u8::try_from(n).expect("few");
            let identity = Endorsement {
                node: NodeId([number; 16]),
                name: format!("node-{n}"),
                member: 0,
                consensus_key: consensus_key(n).public_key(),
                tls_key: Digest([number; 32]),
            };
            let endorsed = identity.sign(&charter, &administrator);
            Validator { identity, p2p: "simulated".into(), endorsed }
        })
        .collect();
    let charter_signatures = vec![charter.sign(&administrator)];
    Genesis { charter, charter_signatures, validators, created_at_ms: START_MS }
}
