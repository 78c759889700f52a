//! A killed process leaves whole blocks: the stored root is that of an uninterrupted run.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use ledger_state::{BlockInput, PastViews, Reader, Scrub, State};
use ledger_types::{Payload, Statement, Value};

use crate::fixture::{Ledger, START_MS, origin};

const BLOCKS: u64 = 400;

/// Block `height` of a fixed history: deterministic, with schema changes now and then.
fn payload(height: u64) -> Payload {
    let statement = |sql: String, parameters: Vec<Value>| Statement { sql, parameters };
    if height == 1 {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT UNIQUE, n INTEGER)".to_owned();
        return Payload::Sql(vec![statement(sql, vec![])]);
    }
    let mut statements = Vec::new();
    for i in 0..20u64 {
        let id = i64::try_from((height * 7_919 + i * 104_729) % 2_000).unwrap();
        let key = format!("k{id}");
        let upsert =
            "INSERT INTO t (id, k, n) VALUES (?1, ?2, 1) ON CONFLICT (id) DO UPDATE SET n = n + 1";
        statements.push(statement(upsert.into(), vec![id.into(), key.as_str().into()]));
    }
    if height.is_multiple_of(50) {
        let sql = format!("ALTER TABLE t ADD COLUMN c{height} INTEGER DEFAULT {height}");
        statements.push(statement(sql, vec![]));
    }
    if height.is_multiple_of(30) {
        statements.push(statement("DELETE FROM t WHERE id % 3 = 0".into(), vec![]));
    }
    Payload::Sql(statements)
}

fn execute(state: &mut State, signer: &mut Ledger, height: u64) {
    signer.nonce = height;
    let transactions = [signer.sign(1, payload(height))];
    let time_ms = START_MS + height;
    let done = state.execute(&BlockInput { height, time_ms, transactions: &transactions }).unwrap();
    assert!(done.outcomes[0].is_applied(), "{:?}", done.outcomes);
}

/// Not a test of its own: the body of the process that gets killed.
#[test]
fn crash_child() {
    let Some(path) = env::var_os("HANSA_CRASH_STATE") else { return };
    let mut state = State::open(Path::new(&path), origin()).unwrap();
    let mut signer = Ledger::new();
    for height in state.executed().height + 1..=BLOCKS {
        execute(&mut state, &mut signer, height);
        println!("height {height}");
    }
}

#[test]
fn kill_at_any_moment_leaves_the_root_of_an_uninterrupted_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut straight = Ledger::new();
    let mut roots = vec![straight.state.executed()];
    let mut signer = Ledger::new();
    for height in 1..=BLOCKS {
        execute(&mut straight.state, &mut signer, height);
        roots.push(straight.state.executed());
    }
    let mut kills = 0;
    for round in 0u64.. {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["crash::crash_child", "--exact", "--nocapture", "--test-threads=1"])
            .env("HANSA_CRASH_STATE", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Kill after some blocks: the process is then somewhere inside the next one.
        let blocks =
            lines.filter(|line| line.starts_with("height")).take(5 + round as usize * 3 % 29);
        let seen = blocks.count();
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let state = State::open(&path, origin()).unwrap();
        let height = state.executed().height;
        assert_eq!(state.executed(), roots[usize::try_from(height).unwrap()], "after kill {kills}");
        assert!(Scrub::whole_tour(&state).is_ok(), "after kill {kills}");
        assert_eq!(state.root_from_rows().unwrap(), state.state_root(), "after kill {kills}");
        // The record that leads back was written with the block or not at all.
        let kept = Reader::open(&path).unwrap().kept_heights().unwrap();
        assert_eq!(kept.to, height, "after kill {kills}");
        for back in kept.from..=kept.to {
            if back == kept.from || back + 1 == kept.to {
                assert!(PastViews::new(&path).at(back).is_ok(), "after kill {kills}: {back}");
            }
        }
        if height == BLOCKS || seen == 0 {
            break;
        }
    }
    assert!(kills >= 10, "only {kills} kills: the child is too quick for this test");
}
