//! What one transaction may take of a node: the same everywhere, and never the node itself.

use ledger_types::{AccessChange, Outcome, Payload, Reason, Roles, Value};

use crate::fixture::{Ledger, key, reason, sql};

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
    let Outcome::Refused { reason: Reason::Limit, detail, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(detail.contains("too big"), "refused for its size, before it is made: {detail}");
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

#[test]
fn searching_long_texts_is_no_way_to_stall_a_ledger() {
    // One call was one step, whatever it compared: seconds to hours of every node.
    let mut ledger = ledger();
    let part = "a".repeat(100_000);
    let long = "replace(?1, 'a', 'aaaaaaaaaa')";
    let found = grow(
        &mut ledger,
        &format!("UPDATE t SET n = instr({long}, {long} || 'b')"),
        vec![Value::from(part.as_str())],
    );
    assert!(found.is_applied(), "{found:?}");
    let pattern = format!("{}b", "%a".repeat(20_000));
    let refused = grow(
        &mut ledger,
        &format!("UPDATE t SET n = {long} LIKE ?2"),
        vec![Value::from(part.as_str()), Value::from(pattern.as_str())],
    );
    assert_eq!(reason(&refused), Some(Reason::Limit), "{refused:?}");
    ledger.apply("UPDATE t SET n = 3");
    drop(ledger.assert_roots());
}

#[test]
fn many_steps_are_for_short_values_and_long_values_for_few_steps() {
    // Time and temporary tables are bounded by the product of both.
    let mut ledger = ledger();
    let counted = |ledger: &mut Ledger, text: &str, count: i64| {
        let sql = "UPDATE t SET n = (WITH RECURSIVE c (x, y) AS (SELECT 1, length(?2 || 'a') UNION ALL \
                   SELECT x + 1, length(?2 || 'a') FROM c WHERE x < ?1) SELECT max(x) FROM c)";
        reason(&grow(ledger, sql, vec![Value::from(count), Value::from(text)]))
    };
    let long = "a".repeat(200_000);
    assert_eq!(counted(&mut ledger, "a", 300_000), None);
    assert_eq!(counted(&mut ledger, &long, 100), None);
    assert_eq!(counted(&mut ledger, &long, 300_000), Some(Reason::Limit));
    // Rows that are found to be long on the way begin the transaction again, and it takes effect once.
    ledger.apply("INSERT INTO t VALUES (2, 0, '')");
    let fill = "UPDATE t SET b = replace(?1, 'a', '0123456789') WHERE id = 2";
    let filled = grow(&mut ledger, fill, vec![Value::from("a".repeat(5_000).as_str())]);
    assert!(filled.is_applied(), "{filled:?}");
    let twice = ledger.run(&[
        ("INSERT INTO t VALUES (3, 7, 'x')", vec![]),
        ("UPDATE t SET n = length(b) WHERE id >= 2", vec![]),
    ]);
    assert_eq!(twice, Outcome::Applied { changes: vec![1, 2] });
    drop(ledger.assert_roots());
}

#[test]
fn one_member_cannot_take_a_block_for_itself() {
    // Thousands of transactions fit a block, and each may work for a second.
    let mut ledger = ledger();
    let endless = "UPDATE t SET n = (WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c \
                   ) SELECT max(x) FROM c)";
    let texts = [endless; 6].into_iter().chain(["UPDATE t SET n = 4"]);
    let mut sent: Vec<_> = texts.map(|text| ledger.sign(1, sql(&[(text, vec![])]))).collect();
    let grant = AccessChange { key: key(9).public_key(), roles: Roles::WRITE };
    sent.push(ledger.sign(1, Payload::Access(vec![grant])));
    let mut done = ledger.block(&sent);
    let access = done.outcomes.pop().unwrap();
    assert!(access.is_applied(), "a member can still stop the key that does this: {access:?}");
    let details: Vec<&str> = done
        .outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Refused { reason: Reason::Limit, detail, .. } => &detail[..9],
            other => panic!("{other:?}"),
        })
        .collect();
    let (own, shared) = ("more work", "other tra");
    assert_eq!(details, [own, own, own, own, shared, shared, shared]);
    // The next block is a new one.
    ledger.apply("UPDATE t SET n = 5");
    drop(ledger.assert_roots());
}

#[test]
fn tables_with_long_texts_of_their_own_run_over_short_values() {
    // SQLite reads the schema again when it has to: never within the bound of a statement's values, or
    // nodes that read it at different times would refuse different transactions.
    let mut ledger = ledger();
    let columns: Vec<String> = (0..60)
        .map(|n| format!("quite_a_long_name_of_a_column_{n} INTEGER NOT NULL DEFAULT {n}"))
        .collect();
    let wide = format!("CREATE TABLE wide (id INTEGER PRIMARY KEY, {})", columns.join(", "));
    assert!(wide.len() > 2_048, "longer than the shortest values");
    ledger.apply(&wide);
    ledger.apply("INSERT INTO wide (id) VALUES (1)");
    let mut ledger = ledger.reopen();
    ledger.apply("INSERT INTO wide (id) VALUES (2)");
    // A refused change of the schema makes SQLite forget it in the middle of a block.
    let undone = sql(&[
        ("CREATE TABLE gone (id INTEGER PRIMARY KEY)", vec![]),
        ("INSERT INTO wide (id) VALUES (2)", vec![]),
    ]);
    let insert = sql(&[("INSERT INTO wide (id) VALUES (3)", vec![])]);
    let sent = [ledger.sign(1, undone), ledger.sign(1, insert)];
    let done = ledger.block(&sent);
    assert_eq!(reason(&done.outcomes[0]), Some(Reason::Unique), "{:?}", done.outcomes);
    assert!(done.outcomes[1].is_applied(), "{:?}", done.outcomes);
    drop(ledger.assert_roots());
}
