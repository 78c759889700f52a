//! Nobody gets into a ledger without the members' own signatures.

use ledger_types::{Digest, Genesis, GenesisError, PublicKey, Signature, genesis::Charter};

use crate::fixture::{genesis, key};

#[test]
fn a_signed_genesis_holds_and_survives_json() {
    let genesis = genesis();
    genesis.check().unwrap();
    let text = serde_json::to_string_pretty(&genesis).unwrap();
    let read: Genesis = serde_json::from_str(&text).unwrap();
    assert_eq!(read, genesis);
    assert_eq!(read.digest(), genesis.digest());
}

/// A change to a good genesis and what must be said of it.
type Case = (&'static str, fn(&mut Genesis), fn(&GenesisError) -> bool);

#[test]
fn every_forgery_is_refused_by_name() {
    let cases: [Case; 11] = [
        (
            "an operator's own validator",
            |g| {
                let mut extra = g.validators[0].clone();
                extra.identity.consensus_key = key(99).public_key();
                extra.identity.node.0 = [99; 16];
                extra.identity.name = "shadow".into();
                extra.identity.tls_key = Digest([99; 32]);
                g.validators.push(extra);
            },
            |e| matches!(e, GenesisError::NotEndorsed { node, .. } if node == "shadow"),
        ),
        (
            "a replaced consensus key",
            |g| g.validators[2].identity.consensus_key = key(99).public_key(),
            |e| matches!(e, GenesisError::NotEndorsed { member, .. } if member == "beta"),
        ),
        (
            "an added member",
            |g| {
                let administrator = key(50).public_key();
                g.charter.members.push(ledger_types::Member { name: "eve".into(), administrator });
                let charter: &Charter = &g.charter;
                let signature = charter.sign(&key(50));
                g.charter_signatures.push(signature);
            },
            |e| matches!(e, GenesisError::Charter(member) if member == "alpha"),
        ),
        (
            "a changed policy",
            |g| g.charter.policy = ledger_types::Policy::Cft,
            |e| matches!(e, GenesisError::Charter(_)),
        ),
        (
            "a lowered threshold",
            |g| g.charter.threshold = 1,
            |e| matches!(e, GenesisError::Charter(_)),
        ),
        (
            "a threshold of zero",
            |g| g.charter.threshold = 0,
            |e| matches!(e, GenesisError::Threshold { .. }),
        ),
        (
            "a missing member signature",
            |g| g.charter_signatures.truncate(1),
            |e| matches!(e, GenesisError::Charter(member) if member == "beta"),
        ),
        (
            "a zero signature",
            |g| g.charter_signatures[1] = Signature([0; 64]),
            |e| matches!(e, GenesisError::Charter(member) if member == "beta"),
        ),
        (
            "one node twice",
            |g| g.validators[1] = g.validators[0].clone(),
            |e| matches!(e, GenesisError::Duplicate { .. }),
        ),
        (
            "too few validators",
            |g| g.validators.truncate(3),
            |e| matches!(e, GenesisError::Count { what: "validators", have: 3, min: 4, .. }),
        ),
        (
            "a key anybody can sign for",
            |g| g.charter.members[0].administrator = PublicKey([0; 32]),
            |e| matches!(e, GenesisError::WeakKey(member) if member == "alpha"),
        ),
    ];
    for (name, change, expected) in cases {
        let mut forged = genesis();
        change(&mut forged);
        let error = forged.check().expect_err(name);
        assert!(expected(&error), "{name}: refused for another reason: {error}");
    }
}
