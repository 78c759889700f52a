//! Rows that somebody edits in the file are noticed, and where.

use std::{fs, io::Write as _};

use ledger_state::{BlockInput, Scrub, State, StateError};
use rusqlite::Connection;

use crate::fixture::{Ledger, START_MS, origin, sql};

fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER)");
    ledger.apply("CREATE TABLE label (name TEXT PRIMARY KEY, v TEXT)");
    let rows: Vec<_> = (0..300).map(|id| format!("({id}, 1000)")).collect();
    ledger.apply(&format!("INSERT INTO account VALUES {}", rows.join(", ")));
    ledger.apply("INSERT INTO label VALUES ('a', 'A needle'), ('b', 'B')");
    ledger
}

/// Changes the file as `sqlite3` on the command line would.
fn edit(ledger: &Ledger, text: &str) {
    let other = Connection::open(ledger.path()).unwrap();
    assert!(other.execute(text, []).unwrap() > 0, "the edit must hit a row");
}

#[test]
fn every_kind_of_edit_is_found_by_a_scrub_that_names_the_table() {
    for text in [
        "UPDATE account SET balance = 1000000 WHERE id = 17",
        "DELETE FROM account WHERE id = 299",
        "INSERT INTO account VALUES (1000, 5)",
        "INSERT INTO account VALUES (-5, 5)",
        "UPDATE account SET id = 301 WHERE id = 300 - 1",
    ] {
        let ledger = ledger();
        assert!(Scrub::whole_tour(&ledger.state).is_ok());
        edit(&ledger, text);
        let error = Scrub::whole_tour(&ledger.state).expect_err(text);
        assert!(
            matches!(&error, StateError::Tampered { table, .. } if table == "account"),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn small_steps_find_it_too() {
    let ledger = ledger();
    edit(&ledger, "UPDATE account SET balance = 0 WHERE id = 250");
    let mut scrub = Scrub::default();
    let found = (0..1_000).find_map(|_| scrub.step(&ledger.state, 20).err());
    assert!(matches!(found, Some(StateError::Tampered { .. })), "{found:?}");
}

#[test]
fn another_connections_commit_stops_the_next_block() {
    // Cheaper than a scrub, and at once.
    let mut ledger = ledger();
    edit(&ledger, "UPDATE account SET balance = 0 WHERE id = 250");
    let height = ledger.state.executed().height + 1;
    let block = BlockInput { height, time_ms: START_MS, transactions: &[] };
    assert!(matches!(ledger.state.execute(&block), Err(StateError::ForeignWrite)));
    assert!(matches!(ledger.state.execute(&block), Err(StateError::Failed)), "and stays stopped");
}

#[test]
fn an_edit_while_the_node_is_down_is_found_when_it_is_touched() {
    let ledger = ledger();
    let path = ledger.path();
    edit(&ledger, "UPDATE account SET balance = 1 WHERE id = 100");
    let mut ledger = ledger.reopen();
    let pay = ledger.sign(1, sql(&[("UPDATE account SET balance = 5 WHERE id = 101", vec![])]));
    let height = ledger.state.executed().height + 1;
    let transactions = [pay];
    let block = BlockInput { height, time_ms: START_MS + 9_000, transactions: &transactions };
    let error = ledger.state.execute(&block).expect_err("a neighbour in the same bucket is edited");
    assert!(
        matches!(&error, StateError::Tampered { table, .. } if table == "account"),
        "{error:?}"
    );
    drop(ledger);
    assert!(!path.exists(), "the folder goes with the test");
}

#[test]
fn an_edit_beside_a_bucket_that_shrinks_is_found_when_the_two_become_one() {
    // Otherwise the edited row would go into the root, and this node would vote for it.
    let mut ledger = ledger();
    ledger.apply("DELETE FROM account WHERE id BETWEEN 60 AND 63");
    edit(&ledger, "UPDATE account SET balance = 1 WHERE id = 50");
    let mut ledger = ledger.reopen();
    let remove = "DELETE FROM account WHERE id BETWEEN 32 AND 44";
    let remove = ledger.sign(1, sql(&[(remove, vec![])]));
    let height = ledger.state.executed().height + 1;
    let transactions = [remove];
    let block = BlockInput { height, time_ms: START_MS + 9_000, transactions: &transactions };
    let error = ledger.state.execute(&block).expect_err("48 to 59 join 45 to 47");
    assert!(matches!(&error, StateError::Tampered { .. }), "{error:?}");
}

#[test]
fn a_flipped_byte_in_the_file_is_found() {
    // A hex editor leaves no trace in SQLite's own counters.
    let ledger = ledger();
    ledger.state.checkpoint().unwrap();
    let path = ledger.path();
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(8).position(|w| w == b"A needle").expect("the row is in the file");
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(at as u64)).unwrap();
    file.write_all(b"Z").unwrap();
    file.sync_all().unwrap();
    let error = Scrub::whole_tour(&ledger.state).expect_err("one byte of a row");
    assert!(matches!(&error, StateError::Tampered { table, .. } if table == "label"), "{error:?}");
}

#[test]
fn a_changed_schema_or_tree_does_not_open() {
    let ledger = ledger();
    edit(&ledger, "UPDATE hansa_block SET state_root = zeroblob(32) WHERE height = 4");
    let path = ledger.path();
    let opened = State::open(&path, origin());
    assert!(matches!(opened, Err(StateError::Root)), "{opened:?}");
    drop(ledger);
}

#[test]
fn an_abandoned_file_stays_as_it_was_found() {
    // Closing must not move the write-ahead file over what somebody edited.
    let ledger = ledger();
    edit(&ledger, "UPDATE account SET balance = 1000000 WHERE id = 17");
    let path = ledger.path();
    let wal = path.with_file_name("state.db-wal");
    let read = || (fs::read(&path).unwrap(), fs::read(&wal).unwrap());
    let before = read();
    let folder = ledger.abandon();
    assert_eq!(read(), before, "the files changed while they were closed");
    let other = Connection::open(&path).unwrap();
    let count: i64 = other
        .query_row("SELECT count(*) FROM account WHERE balance = 1000000", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 1, "the edit is what the evidence shows");
    drop(folder);
}

#[test]
fn a_full_disk_is_the_machines_fault_and_an_edit_is_not() {
    // The one stops the node, the other makes it build its state again.
    use rusqlite::ffi;
    let failure = |code| {
        StateError::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
            .is_machine_failure()
    };
    assert!([ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_NOMEM].into_iter().all(failure));
    assert!(![ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_ERROR].into_iter().any(failure));
    assert!(!StateError::ForeignWrite.is_machine_failure());
}
