//! Every transaction has exactly one outcome, and a refused one leaves nothing behind.

use ledger_state::BlockInput;
use ledger_types::{Outcome, Payload, Reason, Value};

use crate::fixture::{LEDGER, Ledger, START_MS, key, reason, sql};

fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.apply(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER CHECK (n >= 0))",
    );
    ledger.apply("CREATE TABLE c (id INTEGER PRIMARY KEY, t INTEGER NOT NULL REFERENCES t (id))");
    ledger.apply("INSERT INTO t VALUES (1, 'one', 1)");
    ledger
}

#[test]
fn constraints_are_named_in_the_outcome() {
    let mut ledger = ledger();
    for (text, expected, detail) in [
        ("INSERT INTO t VALUES (1, 'x', 1)", Reason::Unique, "t.id"),
        ("INSERT INTO t VALUES (2, 'one', 1)", Reason::Unique, "t.name"),
        ("INSERT INTO t (id) VALUES (2)", Reason::NotNull, "t.name"),
        ("UPDATE t SET n = n - 5", Reason::Check, "n >= 0"),
        ("UPDATE t SET n = 'text'", Reason::DataType, "t.n"),
        ("INSERT INTO c VALUES (1, 9)", Reason::ForeignKey, ""),
        ("DELETE FROM absent", Reason::Schema, "absent"),
        ("UPDATE t SET missing = 1", Reason::Schema, "missing"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY)", Reason::Schema, "t"),
        ("ALTER TABLE t ADD COLUMN name TEXT", Reason::Schema, "name"),
        ("UPDATE t SET n = abs(-9223372036854775807 - 1)", Reason::Arithmetic, "overflow"),
        ("DELETE FROM", Reason::Syntax, ""),
        ("DELETE FROM t; DELETE FROM c", Reason::Syntax, ""),
        ("", Reason::Syntax, ""),
    ] {
        let outcome = ledger.run(&[(text, vec![])]);
        let Outcome::Refused { reason, detail: given, .. } = &outcome else {
            panic!("{text} took effect: {outcome:?}")
        };
        assert_eq!(*reason, expected, "{text}: {outcome:?}");
        assert!(given.contains(detail), "{text}: the detail must name {detail}: {given}");
    }
    ledger.assert_roots();
}

#[test]
fn a_transaction_is_all_or_nothing() {
    // Money must not leave one account without arriving at the other.
    let mut ledger = ledger();
    let outcome = ledger.run(&[
        ("UPDATE t SET n = 100 WHERE id = 1", vec![]),
        ("INSERT INTO t VALUES (2, 'two', 2)", vec![]),
        ("INSERT INTO t VALUES (1, 'again', 3)", vec![]),
    ]);
    assert_eq!(reason(&outcome), Some(Reason::Unique));
    assert_eq!(ledger.query("SELECT id, n FROM t").rows, [[1.into(), Value::from(1)]]);
    ledger.assert_roots();
}

#[test]
fn a_refused_schema_change_is_forgotten_in_memory_too() {
    // The registry, the tree and SQLite must agree after an undone CREATE and DROP.
    let mut ledger = ledger();
    let outcome = ledger.run(&[
        ("CREATE TABLE fresh (id INTEGER PRIMARY KEY)", vec![]),
        ("INSERT INTO fresh VALUES (1)", vec![]),
        ("DELETE FROM c", vec![]),
        ("DROP TABLE c", vec![]),
        ("INSERT INTO t VALUES (1, 'x', 1)", vec![]),
    ]);
    assert_eq!(reason(&outcome), Some(Reason::Unique));
    assert_eq!(
        reason(&ledger.run(&[("INSERT INTO fresh VALUES (1)", vec![])])),
        Some(Reason::Schema)
    );
    ledger.apply("INSERT INTO c VALUES (1, 1)");
    ledger.assert_roots();
}

#[test]
fn changes_are_counted_and_parameters_bound() {
    let mut ledger = ledger();
    let outcome = ledger.run(&[
        ("INSERT INTO t VALUES (?1, ?2, ?3)", vec![2.into(), "two".into(), Value::Null]),
        ("UPDATE t SET n = ?1", vec![5.into()]),
        ("DELETE FROM t WHERE id = ?1", vec![77.into()]),
    ]);
    assert_eq!(outcome, Outcome::Applied { changes: vec![1, 2, 0] });
    let few = ledger.run(&[("UPDATE t SET n = ?1 WHERE id = ?2", vec![5.into()])]);
    assert_eq!(reason(&few), Some(Reason::Parameter));
    let many = ledger.run(&[("UPDATE t SET n = 1", vec![5.into()])]);
    assert_eq!(reason(&many), Some(Reason::Parameter));
}

#[test]
fn an_id_has_one_effect_in_one_block_in_many_and_after_a_restart() {
    // A client repeats what it got no answer for; a leader may include it again.
    let mut ledger = ledger();
    let pay = ledger.sign(1, sql(&[("UPDATE t SET n = n + 1", vec![])]));
    let first = ledger.block(&[pay.clone(), pay.clone()]).outcomes;
    assert!(first[0].is_applied());
    assert_eq!(reason(&first[1]), Some(Reason::Duplicate));
    let mut ledger = ledger.reopen();
    let later = ledger.block(&[pay]).outcomes;
    assert_eq!(reason(&later[0]), Some(Reason::Duplicate));
    assert_eq!(ledger.query("SELECT n FROM t").rows, [[Value::from(2)]]);
}

#[test]
fn a_refused_transaction_does_not_get_a_second_chance() {
    // Its outcome has been certified; a later success would make the receipt a lie.
    let mut ledger = ledger();
    let early = ledger.sign(1, sql(&[("INSERT INTO c VALUES (1, 2)", vec![])]));
    assert_eq!(
        reason(&ledger.block(std::slice::from_ref(&early)).outcomes[0]),
        Some(Reason::ForeignKey)
    );
    ledger.apply("INSERT INTO t VALUES (2, 'two', 2)");
    assert_eq!(reason(&ledger.block(&[early]).outcomes[0]), Some(Reason::Duplicate));
}

#[test]
fn window_and_ledger_are_checked_by_block_time() {
    let mut ledger = ledger();
    let make = |from, until, ledger| {
        let body = ledger_types::TransactionBody {
            ledger,
            signer: key(1).public_key(),
            nonce: from,
            valid_from_ms: from,
            valid_until_ms: until,
            payload: sql(&[("UPDATE t SET n = 50", vec![])]),
        };
        std::sync::Arc::new(body.sign(&key(1)))
    };
    let now = ledger.now_ms();
    let other = ledger_types::LedgerId([9; 16]);
    let cases = [
        (make(now + 1, now + 9, LEDGER), Reason::NotInWindow),
        (make(now - 9, now, LEDGER), Reason::NotInWindow),
        (make(now - 9, now + 9, other), Reason::WrongLedger),
    ];
    let transactions: Vec<_> = cases.iter().map(|(t, _)| t.clone()).collect();
    let outcomes = ledger.block(&transactions).outcomes;
    for ((_, expected), outcome) in cases.iter().zip(&outcomes) {
        assert_eq!(reason(outcome), Some(*expected));
    }
    // Too early is not used up: at its time it has its effect.
    assert!(
        ledger.block(&[cases[0].0.clone()]).outcomes[0].is_applied() || now + 9 < ledger.now_ms()
    );
}

#[test]
fn an_endless_statement_is_refused_and_the_block_goes_on() {
    // SQLite takes the whole block back when it interrupts a write: the block runs again.
    let mut ledger = ledger();
    let text = "INSERT INTO t (id, name) VALUES (?1, ?2)";
    for id in 10..400 {
        ledger.nonce += 1;
        let outcome = ledger.run(&[(text, vec![id.into(), format!("n{id}").as_str().into()])]);
        assert!(outcome.is_applied());
    }
    let before = ledger.sign(1, sql(&[("UPDATE t SET n = 7 WHERE id = 1", vec![])]));
    let endless = ledger.sign(
        1,
        sql(&[(
            "UPDATE t SET n = (SELECT count(*) FROM t AS a JOIN t AS b JOIN t AS c WHERE a.n <> b.n OR c.id > 0)",
            vec![],
        )]),
    );
    let after = ledger.sign(1, sql(&[("UPDATE t SET n = n + 1 WHERE id = 1", vec![])]));
    let outcomes = ledger.block(&[before, endless, after]).outcomes;
    assert!(outcomes[0].is_applied() && outcomes[2].is_applied(), "{outcomes:?}");
    assert_eq!(reason(&outcomes[1]), Some(Reason::Limit));
    assert_eq!(ledger.query("SELECT n FROM t WHERE id = 1").rows, [[Value::from(8)]]);
    ledger.assert_roots();
}

#[test]
fn oversized_keys_are_refused() {
    let mut ledger = ledger();
    ledger.apply("CREATE TABLE s (k TEXT PRIMARY KEY, v INTEGER)");
    let long =
        ledger.run(&[("INSERT INTO s VALUES (?1, 1)", vec!["x".repeat(300).as_str().into()])]);
    assert_eq!(reason(&long), Some(Reason::Limit));
    let outcome =
        ledger.run(&[("INSERT INTO s VALUES (?1, 1)", vec!["x".repeat(200).as_str().into()])]);
    assert!(outcome.is_applied());
    ledger.assert_roots();
}

#[test]
fn blocks_come_in_order_and_their_outcomes_are_kept() {
    let mut ledger = ledger();
    let height = ledger.state.executed().height;
    let gap = ledger.state.execute(&BlockInput {
        height: height + 2,
        time_ms: START_MS,
        transactions: &[],
    });
    assert!(gap.is_err());
    let one = ledger.sign(1, sql(&[("UPDATE t SET n = 3", vec![])]));
    let done = ledger.block(std::slice::from_ref(&one));
    let kept = ledger.state.outcomes(height + 1).unwrap().unwrap();
    assert_eq!(kept.state_root, done.state_root);
    assert_eq!(kept.outcomes, [(one.id(), done.outcomes[0].clone())]);
    assert_eq!(ledger.state.outcomes(height + 2).unwrap(), None);
}

#[test]
fn an_empty_block_changes_the_execution_root_and_not_the_state() {
    let mut ledger = ledger();
    let (before, root) = (ledger.state.executed(), ledger.state.state_root());
    let done = ledger.block(&[]);
    assert_eq!(done.state_root, root);
    assert_ne!(done.executed.root, before.root);
    let _: Payload = sql(&[]);
}
