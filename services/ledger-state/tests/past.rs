//! Queries at a past height see exactly the rows of that height, or are told what is kept.

use std::fs;

use ledger_state::{KeptHeights, PastError, PastViews, Reader, Rows};
use ledger_types::{AccessChange, Payload, Roles, Value};

use crate::{
    fixture::{Ledger, key, sql},
    random_sql::{Luck, prepared},
};

const DUMPS: [&str; 4] = [
    "SELECT * FROM a ORDER BY id",
    "SELECT * FROM b ORDER BY k, i",
    "SELECT * FROM c ORDER BY id",
    "SELECT * FROM hansa_access ORDER BY public_key",
];

fn dump(reader: &mut Reader) -> Vec<Vec<Vec<Value>>> {
    let rows = |sql| reader.query(sql, &[], Default::default()).unwrap().rows;
    DUMPS.map(rows).into()
}

fn ask(views: &PastViews, height: u64, text: &str) -> Rows {
    views.at(height).unwrap().query(text, &[], Default::default()).unwrap()
}

fn kept(ledger: &Ledger) -> KeptHeights {
    Reader::open(&ledger.path()).unwrap().kept_heights().unwrap()
}

/// Random SQL, schema changes included: a view of any kept height is what the ledger said when it
/// was there, and every height before the last schema change is refused with the range.
#[test]
fn a_view_has_exactly_the_rows_of_its_height() {
    let (mut compared, mut refused) = (0, 0);
    for seed in 1..=4u64 {
        let mut ledger = prepared();
        let mut luck = Luck(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut dumps = vec![(ledger.state.executed().height, dump_of(&ledger))];
        for round in 0..50u64 {
            let mut payloads: Vec<Payload> = (0..8)
                .map(|_| if round % 17 == 3 { luck.transaction(round) } else { luck.rows_only() })
                .collect();
            if round == 20 && seed % 2 == 0 {
                payloads.push(sql(&[("ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 5", vec![])]));
            }
            if round % 5 == 0 {
                let roles = Roles(u8::try_from(round % 4).unwrap());
                let change = AccessChange { key: key(50).public_key(), roles };
                payloads.push(Payload::Access(vec![change]));
            }
            let transactions: Vec<_> = payloads.into_iter().map(|p| ledger.sign(1, p)).collect();
            ledger.block(&transactions);
            dumps.push((ledger.state.executed().height, dump_of(&ledger)));
            if round % 7 == 6 {
                ledger = ledger.reopen();
            }
        }
        let views = PastViews::new(&ledger.path());
        let range = kept(&ledger);
        for (height, expected) in &dumps {
            match views.at(*height) {
                Ok(mut view) => {
                    assert!(*height >= range.from, "seed {seed}: {height} is before {range:?}");
                    assert_eq!(dump(&mut view), *expected, "seed {seed}, height {height}");
                    compared += 1;
                }
                Err(PastError::NotKept { kept, .. }) => {
                    assert_eq!(kept, range);
                    assert!(*height < range.from, "seed {seed}: {height} is in {range:?}");
                    refused += 1;
                }
                Err(error) => panic!("seed {seed}, height {height}: {error}"),
            }
        }
    }
    assert!(compared > 20 && refused > 20, "too tame: {compared} compared, {refused} refused");
}

fn dump_of(ledger: &Ledger) -> Vec<Vec<Vec<Value>>> {
    dump(&mut Reader::open(&ledger.path()).unwrap())
}

/// Two rows that exchange a unique value in one block must not stand in each other's way back.
#[test]
fn unique_values_that_change_hands_come_back() {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
    ledger.apply("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    let before = ledger.state.executed().height;
    let swap = ["UPDATE t SET name = 'x' WHERE id = 1", "UPDATE t SET name = 'a' WHERE id = 2"];
    let swap = [swap[0], swap[1], "UPDATE t SET name = 'b' WHERE id = 1"];
    let outcome = ledger.run(&swap.map(|text| (text, vec![])));
    assert!(outcome.is_applied(), "{outcome:?}");
    let views = PastViews::new(&ledger.path());
    let rows = ask(&views, before, "SELECT id, name FROM t ORDER BY id");
    assert_eq!(rows.rows, [[1.into(), Value::from("a")], [2.into(), "b".into()]]);
    assert_eq!(rows.height, before);
    assert_eq!(ask(&views, before + 1, "SELECT name FROM t ORDER BY id").rows[0], ["b".into()]);
}

/// The range is stated, ends with the schema's last change, and nothing outside it is guessed.
#[test]
fn the_kept_range_begins_with_the_last_schema_change() {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    ledger.apply("INSERT INTO t VALUES (1)");
    assert_eq!(kept(&ledger), KeptHeights { from: 1, to: 2 });
    ledger.apply("ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 7");
    assert_eq!(kept(&ledger), KeptHeights { from: 3, to: 3 });
    // A refused schema change changes nothing, so it ends nothing.
    assert!(!ledger.run(&[("CREATE TABLE t (id INTEGER PRIMARY KEY)", vec![])]).is_applied());
    ledger.apply("DELETE FROM t");
    assert_eq!(kept(&ledger), KeptHeights { from: 3, to: 5 });
    let ledger = ledger.reopen();
    assert_eq!(kept(&ledger), KeptHeights { from: 3, to: 5 }, "a restart keeps it");
    let views = PastViews::new(&ledger.path());
    assert_eq!(ask(&views, 4, "SELECT n FROM t").rows, [[7.into()]]);
    let too_old = views.at(2).expect_err("the schema was another one").to_string();
    assert!(too_old.contains("heights 3 to 5"), "{too_old}");
    assert!(matches!(views.at(6), Err(PastError::NotReached { .. })));
}

/// Old records go: the file must not grow with the age of the ledger.
#[test]
fn no_more_than_a_thousand_heights_are_kept() {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for id in 0..1_010i64 {
        let insert = ledger.sign(1, sql(&[("INSERT INTO t VALUES (?1)", vec![id.into()])]));
        ledger.block(&[insert]);
    }
    let head = ledger.state.executed().height;
    assert_eq!(kept(&ledger), KeptHeights { from: head - 1_000, to: head });
    let views = PastViews::new(&ledger.path());
    let rows = ask(&views, head - 1_000, "SELECT count(*) FROM t").rows;
    assert_eq!(rows, [[10.into()]]);
    assert!(matches!(views.at(head - 1_001), Err(PastError::NotKept { .. })));
}

/// Views cost disk: few are kept, and a process that was killed leaves none for ever.
#[test]
fn scratch_files_are_few_and_do_not_stay() {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for id in 1..6 {
        ledger.apply(&format!("INSERT INTO t VALUES ({id})"));
    }
    let path = ledger.path();
    let scratch = || {
        let names = fs::read_dir(path.parent().unwrap()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("past-")).count()
    };
    let views = PastViews::new(&path);
    for height in 1..=6 {
        let count = i64::try_from(height).unwrap() - 1;
        assert_eq!(ask(&views, height, "SELECT count(*) FROM t").rows, [[count.into()]]);
        assert!(scratch() <= 2, "more views than are kept");
    }
    drop(views);
    assert_eq!(scratch(), 0, "views end with their maker");
    fs::write(path.with_file_name("past-9-1.db"), b"left by a killed process").unwrap();
    let _views = PastViews::new(&path);
    assert_eq!(scratch(), 0, "the next process clears what was left");
}

/// A record that somebody edited leads to other rows: the root of the height shows it.
#[test]
fn an_edited_undo_record_is_noticed() {
    let mut ledger = Ledger::new();
    ledger.apply("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)");
    ledger.apply("INSERT INTO t VALUES (1, 100)");
    ledger.apply("UPDATE t SET n = 50");
    let file = rusqlite::Connection::open(ledger.path()).unwrap();
    let old: Vec<u8> = file
        .query_row("SELECT old_rows FROM hansa_undo WHERE height = 3", [], |row| row.get(0))
        .unwrap();
    let mut edited = old;
    let at = edited.iter().position(|byte| *byte == 100).expect("the old value is in the record");
    edited[at] = 99;
    file.execute("UPDATE hansa_undo SET old_rows = ?1 WHERE height = 3", [edited]).unwrap();
    let error = PastViews::new(&ledger.path()).at(2).expect_err("these rows never were");
    assert!(matches!(error, PastError::State(_)), "{error}");
}
