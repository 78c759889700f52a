//! What one transaction may take of a node: the same everywhere, and never the node itself.

use ledger_types::{Outcome, Reason, Value};

use crate::fixture::{Ledger, reason};

fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, b TEXT)");
    ledger.apply("INSERT INTO t VALUES (1, 0, '')");
    ledger
}

fn grow(ledger: &mut Ledger, text: &str, parameters: Vec<Value>) -> Outcome {
    ledger.run(&[(text, parameters)])
}

#[test]
fn what_functions_make_of_short_parameters_is_bounded() {
    // Gigabytes out of two parameters would end every node, at every start anew.
    let mut ledger = ledger();
    let part = "a".repeat(30_000);
    let text = "UPDATE t SET n = length(max(replace(?1, 'a', ?2), replace(?1, 'a', ?2) || '1'))";
    let given = vec![Value::from(part.as_str()), Value::from(part.as_str())];
    let outcome = grow(&mut ledger, text, given);
    assert_eq!(reason(&outcome), Some(Reason::Limit), "{outcome:?}");
    ledger.apply("UPDATE t SET n = 1");
    // The node's own records are longer than that, and readers are bounded too.
    let endless = ledger_state::Reader::open(&ledger.path()).unwrap().query(
        "SELECT replace(hex(?1), '0', 'aaaaaaaa')",
        &[Value::Blob { hex: vec![0; 3_000_000] }],
        Default::default(),
    );
    let refused = endless.expect_err("more than an answer may hold").to_string();
    assert!(refused.contains("too big"), "{refused}");
}

#[test]
fn the_bytes_that_a_transaction_changes_are_bounded() {
    // A thousand rows of a megabyte are a short statement.
    let mut ledger = ledger();
    let rows: Vec<String> = (2..=120).map(|id| format!("({id}, 0, '')")).collect();
    ledger.apply(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
    let part = "a".repeat(1_000);
    let text = "UPDATE t SET b = replace(?1, 'a', ?1)";
    let outcome = grow(&mut ledger, text, vec![Value::from(part.as_str())]);
    assert_eq!(reason(&outcome), Some(Reason::Limit), "{outcome:?}");
    ledger.apply("UPDATE t SET n = 2");
    drop(ledger.assert_roots());
}

/// Counts to a number in SQLite, and says whether that was within the limit.
fn is_within(ledger: &mut Ledger, count: i64) -> bool {
    let text = "UPDATE t SET n = (WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c \
                WHERE x < ?1) SELECT max(x) FROM c)";
    let outcome = grow(ledger, text, vec![Value::from(count)]);
    match reason(&outcome) {
        None => true,
        Some(Reason::Limit) => false,
        Some(other) => panic!("{other:?}: {outcome:?}"),
    }
}

#[test]
fn steps_are_counted_alike_on_a_node_that_has_just_started_and_on_one_that_has_not() {
    // Whoever could make them differ would split the ledger in two.
    let mut warm = ledger();
    let (mut low, mut high) = (500_000, 5_000_000);
    assert!(is_within(&mut warm, low) && !is_within(&mut warm, high), "the limit is between");
    // The smallest count that is too much.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_within(&mut warm, middle) { low = middle } else { high = middle }
    }
    for odd in [7, 123, 456] {
        assert!(is_within(&mut warm, odd), "other runs of the same text in between");
        assert!(is_within(&mut warm, low) && !is_within(&mut warm, high), "after {odd}");
    }
    // Another error at the end of too many steps does not count: a node may not have come so far.
    let twice = "INSERT INTO t VALUES (1, (WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 \
                 FROM c WHERE x < ?1) SELECT max(x) FROM c), '')";
    let outcome = grow(&mut warm, twice, vec![Value::from(5)]);
    assert_eq!(reason(&outcome), Some(Reason::Unique), "{outcome:?}");
    let outcome = grow(&mut warm, twice, vec![Value::from(high + high / 2)]);
    assert_eq!(reason(&outcome), Some(Reason::Limit), "{outcome:?}");
    let mut fresh = warm.reopen();
    assert!(!is_within(&mut fresh, high), "{high} steps");
    let mut fresh = fresh.reopen();
    assert!(is_within(&mut fresh, low), "{low} steps");
}

#[test]
fn an_endless_expression_is_refused_and_does_not_exhaust_the_stack() {
    // It is in a certified block: what ends one node ends all of them, at every start anew.
    let mut ledger = ledger();
    for term in ["1+", "(1)+", "1 OR ", "n||", "- "] {
        let long = term.repeat(60_000 / term.len());
        for text in [format!("UPDATE t SET n={long}1"), format!("DELETE FROM t WHERE id={long}1")] {
            let outcome = grow(&mut ledger, &text, vec![]);
            assert!(reason(&outcome).is_some(), "{term}: {outcome:?}");
        }
    }
    let fine = "1+".repeat(900);
    ledger.apply(&format!("UPDATE t SET n = {fine}1"));
}
