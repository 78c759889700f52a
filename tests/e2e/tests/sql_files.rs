//! Files of statements that are interrupted.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    command::Said,
    patience::{DEADLINE, eventually},
    product::Product,
};

/// Rows of the long file: a hundred transactions.
const ROWS: usize = 5_000;

fn count(product: &Product, table: &str) -> Result<i64> {
    let sql = format!("SELECT count(*) AS n FROM {table}");
    let rows = product.cli("alpha", &["sql", "demo/main", &sql, "-o", "json"])?.json()?;
    rows[0]["n"].as_i64().context("a count")
}

fn make(product: &Product, table: &str) -> Result<()> {
    let sql = format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, memo TEXT)");
    product.cli("alpha", &["sql", "demo/main", &sql])?.well().map(drop)
}

fn file(product: &Product, name: &str, text: &str) -> Result<PathBuf> {
    let path = product.state.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

fn send(product: &Product, path: &std::path::Path) -> Result<Command> {
    let path = path.to_str().context("a path")?;
    product.command("alpha", &["sql", "demo/main", "-f", path])
}

/// A bank's nightly file is killed half way and run again: no payment is missing, none is there
/// twice. The rows have no key of the file's own, so that a repetition would show.
pub(crate) fn interrupted(product: &mut Product) -> Result<()> {
    make(product, "nightly")?;
    let mut text = String::from("-- one; two\n");
    for row in 0..ROWS {
        writeln!(text, "INSERT INTO nightly (memo) VALUES ('it''s; {row}'); /* ; */")?;
    }
    let path = file(product, "nightly.sql", &text)?;
    let journal = product.state.join("nightly.sql.hansa-journal");
    let mut kills = 0;
    // Killed again and again, each time a little later, and at last with a word.
    for permille in [10, 300, 600] {
        let mut sending =
            send(product, &path)?.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let enough = ROWS as i64 * permille / 1_000;
        let half_way = eventually("some of the file has arrived", DEADLINE, || {
            let ended = sending.try_wait()?.is_some();
            Ok((ended || count(product, "nightly")? >= enough).then_some(!ended))
        })?;
        if half_way {
            sending.kill()?;
            kills += 1;
        }
        sending.wait()?;
    }
    ensure!(
        kills > 0 && journal.exists(),
        "the file was never interrupted half way: make it longer"
    );
    let done = Said::of(&mut send(product, &path)?)?;
    ensure!(done.err.contains("going on after"), "it must say that it goes on: {done:?}");
    done.well()?;
    ensure!(!journal.exists(), "what is done needs no journal");
    let found = count(product, "nightly")?;
    ensure!(found == ROWS as i64, "{found} rows after {kills} interruptions of {ROWS} inserts");
    Ok(())
}

/// A refused statement is named with its place; mended, the file goes on without what was done.
pub(crate) fn mended(product: &mut Product) -> Result<()> {
    make(product, "mended")?;
    let good = |n: usize| format!("INSERT INTO mended (memo) VALUES ('{n}');\n");
    let mut text: String = (0..60).map(good).collect();
    text += "  INSERT INTO mended (nothing) VALUES ('x');\n";
    let path = file(product, "mended.sql", &text)?;
    let said = Said::of(&mut send(product, &path)?)?;
    ensure!(said.code == Some(1), "a refused statement is a failure: {said:?}");
    for part in ["mended.sql:61:", "statement 61", "refused (", "mend it"] {
        ensure!(said.err.contains(part), "the error should say {part:?}: {}", said.err);
    }
    ensure!(count(product, "mended")? == 50, "the group of the refused statement has no effect");
    fs::write(&path, text.replace("nothing", "memo"))?;
    Said::of(&mut send(product, &path)?)?.well()?;
    let found = count(product, "mended")?;
    ensure!(found == 61, "{found} rows: something was done twice or left out");
    // When nothing was interrupted, the same file is another sending.
    Said::of(&mut send(product, &path)?)?.well()?;
    ensure!(count(product, "mended")? == 122, "a file that is sent anew takes effect anew");
    Ok(())
}
