//! Readers read, and nothing else.

use std::time::Duration;

use ledger_state::{QueryError, QueryLimits, Reader};
use ledger_types::Value;

use crate::fixture::Ledger;

fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    ledger.apply("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    ledger
}

#[test]
fn answers_name_columns_and_height() {
    let ledger = ledger();
    let mut reader = Reader::open(&ledger.path()).unwrap();
    let rows = reader
        .query(
            "SELECT id, name AS n FROM t WHERE id > ?1 ORDER BY id",
            &[1.into()],
            Default::default(),
        )
        .unwrap();
    assert_eq!(rows.columns, ["id", "n"]);
    assert_eq!(rows.rows, [[2.into(), Value::from("b")], [3.into(), "c".into()]]);
    assert_eq!((rows.height, rows.truncated), (2, false));
}

#[test]
fn nothing_can_be_written_or_looked_at_from_a_query() {
    let ledger = ledger();
    let mut reader = Reader::open(&ledger.path()).unwrap();
    for text in [
        "DELETE FROM t",
        "INSERT INTO t VALUES (9, 'x')",
        "CREATE TABLE u (id INTEGER PRIMARY KEY)",
        "PRAGMA journal_mode = DELETE",
        "ATTACH DATABASE '/tmp/x' AS y",
        "SELECT * FROM hansa_block",
        "SELECT * FROM t WHERE id IN (SELECT height FROM hansa_delta)",
        "BEGIN",
        "VACUUM INTO '/tmp/x'",
    ] {
        let error = reader.query(text, &[], Default::default()).expect_err(text);
        assert!(matches!(error, QueryError::NotPermitted(_)), "{text}: {error:?}");
    }
    for text in [
        "SELECT",
        "SELECT load_extension('x')",
        "SELECT * FROM nothing",
        "SELECT 1; SELECT 2",
        "SELECT ?1",
    ] {
        let error = reader.query(text, &[], Default::default()).expect_err(text);
        assert!(matches!(error, QueryError::Query(_)), "{text}: {error:?}");
    }
    assert_eq!(
        reader.query("SELECT count(*) FROM t", &[], Default::default()).unwrap().rows,
        [[3.into()]]
    );
}

#[test]
fn rows_bytes_steps_and_time_are_bounded() {
    // One careless query must not take the node's memory or a processor.
    let ledger = ledger();
    let mut reader = Reader::open(&ledger.path()).unwrap();
    let two = QueryLimits { rows: 2, ..Default::default() };
    let rows = reader.query("SELECT id FROM t", &[], two).unwrap();
    assert_eq!((rows.rows.len(), rows.truncated), (2, true));
    let endless =
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";
    let short = QueryLimits { steps: 100_000, ..Default::default() };
    assert!(matches!(reader.query(endless, &[], short), Err(QueryError::TooLong(_))));
    let brief = QueryLimits { steps: u64::MAX, time: Duration::from_millis(20), ..short };
    let long = endless.replace("FROM n)", "FROM n WHERE x < 50000000)");
    assert!(matches!(reader.query(&long, &[], brief), Err(QueryError::TooLong(_))));
    assert!(reader.query("SELECT 1", &[], Default::default()).is_ok(), "the reader goes on");
}
