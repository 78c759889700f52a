//! Who may do what is the ledger's own state, and members rule only their own keys.

use ledger_types::{AccessChange, Outcome, Payload, Reason, RecordKind, Roles, SigningKey};

use crate::fixture::{Ledger, key, reason, sql};

fn grant(to: &SigningKey, roles: u8) -> Payload {
    Payload::Access(vec![AccessChange { key: to.public_key(), roles: Roles(roles) }])
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)");
    ledger
}

fn one(ledger: &mut Ledger, signer: u8, payload: Payload) -> Outcome {
    let transaction = ledger.sign(signer, payload);
    ledger.block(&[transaction]).outcomes.remove(0)
}

#[test]
fn a_stranger_can_do_nothing() {
    let mut ledger = ledger();
    for payload in [
        sql(&[("INSERT INTO t VALUES (1, 1)", vec![])]),
        sql(&[("CREATE TABLE u (id INTEGER PRIMARY KEY)", vec![])]),
        grant(&key(50), 15),
        Payload::Record { kind: RecordKind::Anchor, body: "{}".into() },
        Payload::Record { kind: RecordKind::Incident, body: "{}".into() },
    ] {
        assert_eq!(reason(&one(&mut ledger, 50, payload)), Some(Reason::NotPermitted));
    }
}

#[test]
fn roles_are_granted_used_and_taken_away() {
    let mut ledger = ledger();
    let insert = |id: i64| sql(&[("INSERT INTO t VALUES (?1, 0)", vec![id.into()])]);
    assert!(one(&mut ledger, 1, grant(&key(50), 3)).is_applied());
    assert!(one(&mut ledger, 50, insert(1)).is_applied());
    let schema = sql(&[("DROP TABLE t", vec![])]);
    assert_eq!(reason(&one(&mut ledger, 50, schema)), Some(Reason::NotPermitted));
    assert_eq!(reason(&one(&mut ledger, 50, grant(&key(51), 3))), Some(Reason::NotPermitted));
    let mut ledger = ledger.reopen();
    assert!(one(&mut ledger, 50, insert(2)).is_applied(), "roles survive a restart");
    assert!(one(&mut ledger, 1, grant(&key(50), 0)).is_applied());
    assert_eq!(reason(&one(&mut ledger, 50, insert(3))), Some(Reason::NotPermitted));
    ledger.assert_roots();
}

#[test]
fn a_member_cannot_touch_another_members_keys() {
    // Authority over a member's keys is that member's alone.
    let mut ledger = ledger();
    assert!(one(&mut ledger, 2, grant(&key(60), 3)).is_applied());
    assert_eq!(reason(&one(&mut ledger, 1, grant(&key(60), 0))), Some(Reason::NotPermitted));
    assert_eq!(reason(&one(&mut ledger, 1, grant(&key(2), 0))), Some(Reason::NotPermitted));
    let anchor = one(&mut ledger, 1, grant(&key(3), 15));
    assert_eq!(reason(&anchor), Some(Reason::NotPermitted), "the anchor is nobody's");
}

#[test]
fn nobody_grants_what_cannot_be_granted() {
    let mut ledger = ledger();
    let weak = Payload::Access(vec![AccessChange {
        key: ledger_types::PublicKey([0; 32]),
        roles: Roles(1),
    }]);
    assert_eq!(reason(&one(&mut ledger, 1, weak)), Some(Reason::NotAllowed));
    assert_eq!(reason(&one(&mut ledger, 1, grant(&key(50), 16))), Some(Reason::NotAllowed));
    let own = one(&mut ledger, 1, grant(&key(1), 3));
    assert_eq!(reason(&own), Some(Reason::NotAllowed), "no member may lock itself out");
}

#[test]
fn records_are_written_by_validators_and_by_the_anchor_only() {
    let mut ledger = ledger();
    let record = |kind| Payload::Record { kind, body: "{\"x\":1}".into() };
    assert!(one(&mut ledger, 3, record(RecordKind::Anchor)).is_applied());
    assert!(one(&mut ledger, 12, record(RecordKind::Incident)).is_applied());
    for (signer, kind) in
        [(1, RecordKind::Anchor), (1, RecordKind::Incident), (3, RecordKind::Incident)]
    {
        assert_eq!(reason(&one(&mut ledger, signer, record(kind))), Some(Reason::NotPermitted));
    }
    let sql_by_anchor = sql(&[("INSERT INTO t VALUES (1, 1)", vec![])]);
    assert_eq!(reason(&one(&mut ledger, 3, sql_by_anchor)), Some(Reason::NotPermitted));
    assert_eq!(ledger.query("SELECT kind FROM hansa_record ORDER BY height").rows.len(), 2);
    ledger.assert_roots();
}
