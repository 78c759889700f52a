//! SQL that could divide the nodes is refused by name and place, and harmless SQL is not.

use ledger_types::{Outcome, Reason};

use crate::fixture::{Ledger, reason};

fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.apply(
        "CREATE TABLE account (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER)",
    );
    ledger.apply("CREATE TABLE pair (a TEXT, b INTEGER, note BLOB, PRIMARY KEY (a, b))");
    ledger.apply("INSERT INTO account VALUES (1, 'ada', 10), (2, 'bob', 20)");
    ledger
}

#[test]
fn everything_that_could_differ_between_nodes_is_refused() {
    let mut ledger = ledger();
    for text in [
        // Chance and clocks.
        "UPDATE account SET balance = random()",
        "UPDATE account SET owner = randomblob(4)",
        "UPDATE account SET owner = strftime('%s', 'now')",
        "UPDATE account SET owner = CURRENT_TIMESTAMP",
        "UPDATE account SET owner = current_date",
        "UPDATE account SET owner = datetime('now', 'localtime')",
        "UPDATE account SET balance = julianday('now')",
        // The connection's or build's own state.
        "UPDATE account SET balance = last_insert_rowid()",
        "UPDATE account SET balance = changes()",
        "UPDATE account SET balance = total_changes()",
        "UPDATE account SET owner = sqlite_version()",
        "UPDATE account SET owner = sqlite_source_id()",
        "UPDATE account SET balance = rowid",
        "DELETE FROM account WHERE _rowid_ = 1",
        "UPDATE account SET balance = oid",
        // Order.
        "DELETE FROM account LIMIT 1",
        "UPDATE account SET balance = 0 ORDER BY id LIMIT 1",
        "INSERT INTO pair (a, b) SELECT owner, id FROM account",
        "INSERT INTO pair (a, b) SELECT owner, id FROM account ORDER BY owner",
        "UPDATE account SET balance = (SELECT b FROM pair LIMIT 1)",
        "UPDATE account SET balance = (SELECT b FROM pair)",
        "UPDATE account SET owner = (SELECT group_concat(a) FROM pair)",
        "DELETE FROM account WHERE id IN (SELECT b FROM pair LIMIT 1)",
        "UPDATE account SET balance = (SELECT b FROM pair GROUP BY a)",
        "UPDATE account SET balance = (SELECT b + max(b) FROM pair)",
        "UPDATE account SET balance = 1 FROM pair WHERE pair.b = account.id",
        "UPDATE account SET balance = (SELECT row_number() OVER () FROM pair)",
        // Floating point.
        "UPDATE account SET balance = 1.5",
        "UPDATE account SET balance = 1e3",
        "UPDATE account SET balance = round(1)",
        "UPDATE account SET balance = CAST(balance AS REAL)",
        "UPDATE account SET balance = (SELECT avg(b) FROM pair)",
        "UPDATE account SET balance = (SELECT total(b) FROM pair)",
        "UPDATE account SET owner = printf('%f', 1)",
        "UPDATE account SET balance = 99999999999999999999",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x REAL)",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x NUMERIC)",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x)",
        // Tables without an identity of their own.
        "CREATE TABLE r (x INTEGER)",
        "CREATE TABLE r (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TEMP TABLE r (id INTEGER PRIMARY KEY)",
        "CREATE TABLE r AS SELECT 1 AS id",
        "CREATE VIRTUAL TABLE r USING fts5(x)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON account BEGIN SELECT 1; END",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x INTEGER DEFAULT (abs(1)))",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x INTEGER AS (id + 1))",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x TEXT COLLATE NOCASE)",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x INTEGER CHECK (x = random()))",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x INTEGER CHECK (x < block_time_ms()))",
        "CREATE TABLE r (id INTEGER PRIMARY KEY, x INTEGER REFERENCES account(id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE INDEX i ON account (random())",
        "CREATE INDEX i ON account (owner) WHERE balance > (SELECT 1)",
        "ALTER TABLE account ADD COLUMN x INTEGER DEFAULT (random())",
        "ALTER TABLE account ADD COLUMN x TEXT DEFAULT 5",
        "ALTER TABLE account DROP COLUMN id",
        // The file and the connection.
        "PRAGMA synchronous = OFF",
        "ATTACH DATABASE 'x' AS y",
        "VACUUM",
        "ANALYZE",
        "REINDEX",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT x",
        "SELECT load_extension('x')",
        "UPDATE account SET owner = readfile('/etc/passwd')",
        // The ledger's own names.
        "CREATE TABLE hansa_x (id INTEGER PRIMARY KEY)",
        "INSERT INTO hansa_access VALUES (x'00', 0, 15)",
        "DELETE FROM hansa_block",
        "UPDATE sqlite_schema SET sql = ''",
        "DROP TABLE hansa_access",
        "INSERT INTO pair (a, b) SELECT sql, 1 FROM sqlite_schema",
        "DELETE FROM account WHERE id IN (SELECT height FROM hansa_block)",
        "ALTER TABLE account RENAME TO hansa_x",
        // Transactions of their own, halves of statements, results.
        "INSERT OR ROLLBACK INTO account VALUES (1, 'x', 1)",
        "INSERT OR FAIL INTO account VALUES (1, 'x', 1)",
        "INSERT INTO account VALUES (3, 'x', 1) RETURNING id",
        "SELECT * FROM account",
        "UPDATE account SET balance = :name",
        "UPDATE account SET balance = $1",
        "DELETE FROM account INDEXED BY i WHERE id = 1",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT * FROM n",
        "UPDATE account SET balance = (SELECT value FROM json_each('[1]'))",
    ] {
        let outcome = ledger.run(&[(text, vec![])]);
        let given = reason(&outcome);
        assert!(
            matches!(given, Some(Reason::NotAllowed | Reason::Syntax)),
            "must be refused as not allowed: {text}\n{outcome:?}"
        );
    }
    let rows = ledger.query("SELECT count(*), sum(balance) FROM account").rows;
    assert_eq!(rows, [[2.into(), 30.into()]], "nothing of it may have had an effect");
    ledger.assert_roots();
}

#[test]
fn ordinary_statements_run() {
    // A guard that refuses everything would be useless.
    let mut ledger = ledger();
    for text in [
        "UPDATE account SET balance = balance - 5 WHERE id = 1 AND balance >= 5",
        "INSERT INTO account (id, owner) VALUES (10, 'x'), (11, upper('y'))",
        "INSERT INTO account VALUES (1, 'z', 0) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner",
        "INSERT OR REPLACE INTO account VALUES (2, 'new', 1)",
        "REPLACE INTO account VALUES (2, 'newer', 1)",
        "INSERT OR IGNORE INTO account VALUES (2, 'x', 1)",
        "INSERT INTO pair (a, b) SELECT owner, id FROM account ORDER BY id",
        "INSERT INTO pair (a, b) SELECT owner, id + 100 FROM account ORDER BY id LIMIT 1",
        "UPDATE account SET balance = (SELECT sum(b) FROM pair)",
        "UPDATE account SET balance = (SELECT b FROM pair WHERE a = 'z' AND b = 1) WHERE id = 1",
        "UPDATE account SET owner = CASE WHEN balance > 3 THEN trim(owner) ELSE 'p' || 'q' END",
        "DELETE FROM pair WHERE b BETWEEN 100 AND 200 OR a LIKE 'q%' OR note IS NOT NULL",
        "DELETE FROM account WHERE EXISTS (SELECT 1 FROM pair WHERE pair.b = account.id + 1000)",
        "UPDATE account SET balance = block_height() WHERE id IN (1, 2)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES account (id) ON DELETE CASCADE, note VARCHAR(20) DEFAULT 'n' NOT NULL CHECK (length(note) < 10), UNIQUE (parent, note))",
        "CREATE TABLE IF NOT EXISTS child (id INTEGER PRIMARY KEY)",
        "CREATE INDEX by_owner ON account (owner) WHERE balance > 0",
        "CREATE UNIQUE INDEX one_note ON child (parent, note)",
        "INSERT INTO child (id, parent) VALUES (1, 1)",
        "ALTER TABLE child ADD COLUMN extra INTEGER NOT NULL DEFAULT 7",
        "ALTER TABLE child RENAME COLUMN extra TO more",
        "ALTER TABLE child RENAME TO kid",
        "ALTER TABLE account RENAME TO holder",
        "ALTER TABLE kid DROP COLUMN more",
        "DROP INDEX one_note",
        "DROP TABLE IF EXISTS nothing",
        "DELETE FROM holder WHERE id = 1",
        "DROP TABLE kid",
    ] {
        let outcome = ledger.run(&[(text, vec![])]);
        assert!(outcome.is_applied(), "{text}: {outcome:?}");
        ledger = ledger.assert_roots();
    }
    assert_eq!(ledger.query("SELECT count(*) FROM holder WHERE id = 1").rows, [[0.into()]]);
}

#[test]
fn a_refusal_names_statement_and_position() {
    // The author must find the place without counting.
    let mut ledger = ledger();
    let second = "UPDATE account\n   SET balance = random()";
    let outcome = ledger.run(&[("DELETE FROM pair", vec![]), (second, vec![])]);
    let Outcome::Refused { reason, statement, position, detail } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((reason, statement), (Reason::NotAllowed, Some(1)));
    let at = second.find("random").unwrap();
    assert_eq!(position.map(|p| p as usize), Some(at), "{detail}");
    assert!(detail.contains("random"), "{detail}");
    let multi = ledger.run(&[("UPDATE account SET owner = 'ü', balance = now()", vec![])]);
    let Outcome::Refused { position: Some(position), .. } = multi else { panic!("{multi:?}") };
    let text = "UPDATE account SET owner = 'ü', balance = now()";
    assert_eq!(&text[position as usize..position as usize + 3], "now", "bytes, not characters");
    for (text, at, words) in [
        ("UPDATE account SET balance 1", 27, "Expected"),
        (
            "\n  CREATE TRIGGER x AFTER INSERT ON account BEGIN DELETE FROM account; END",
            3,
            "CREATE TRIGGER",
        ),
        ("-- first\nPRAGMA user_version = 3", 9, "PRAGMA is not"),
        ("-- é\nREINDEX", 6, "REINDEX"),
    ] {
        let outcome = ledger.run(&[(text, vec![])]);
        let Outcome::Refused { position, detail, .. } = outcome else { panic!("{text} ran") };
        assert!(detail.contains(words), "{text}: {detail}");
        assert_eq!(position, Some(at), "{text}: {detail}");
    }
}

#[test]
fn integer_keys_never_become_random() {
    // At the largest row number SQLite goes on with random ones.
    let mut ledger = ledger();
    let largest =
        ledger.run(&[("INSERT INTO account VALUES (9223372036854775807, 'x', 1)", vec![])]);
    assert_eq!(reason(&largest), Some(Reason::Check));
    ledger.apply("INSERT INTO account VALUES (9223372036854775806, 'x', 1)");
    let next = ledger.run(&[("INSERT INTO account (owner) VALUES ('y')", vec![])]);
    assert_eq!(reason(&next), Some(Reason::Check), "{next:?}");
}
