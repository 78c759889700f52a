//! How answers are printed.

use std::io::Write as _;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::failure::{Failure, Outcome};

/// Writes to the standard output. A reader that has seen enough, as `head` has, is no failure.
pub(crate) fn print(text: &str) -> Outcome<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => {
            written.map_err(|error| Failure::failed(format!("the standard output: {error}")))
        }
    }
}

/// The forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Columns for people.
    Table,
    /// The answer as it is.
    Json,
    /// The same, as YAML.
    Yaml,
    /// Only what other verbs accept as an argument, one a line.
    Name,
}

/// A column: its title and where its value is (a JSON pointer).
pub(crate) type Column = (&'static str, &'static str);

/// Prints one thing.
pub(crate) fn one(output: Output, thing: &impl Serialize, columns: &[Column]) -> Outcome<()> {
    let value = json(thing)?;
    match output {
        Output::Table | Output::Name => many(output, &[value], columns),
        Output::Json | Output::Yaml => whole(output, &value),
    }
}

/// Prints a list.
pub(crate) fn many(output: Output, things: &[impl Serialize], columns: &[Column]) -> Outcome<()> {
    let values = things.iter().map(json).collect::<Outcome<Vec<Value>>>()?;
    match output {
        Output::Json | Output::Yaml => whole(output, &Value::Array(values)),
        Output::Name => {
            // What has no id is told apart by its first column.
            let first = columns.first().map_or("", |(_, pointer)| *pointer);
            let name = |value: &Value| value.pointer("/id").or(value.pointer(first)).map(text);
            print(&values.iter().filter_map(name).map(|name| name + "\n").collect::<String>())
        }
        Output::Table => print(&table(&values, columns)),
    }
}

fn json(thing: &impl Serialize) -> Outcome<Value> {
    serde_json::to_value(thing).map_err(|error| Failure::failed(error.to_string()))
}

fn whole(output: Output, value: &Value) -> Outcome<()> {
    let shown = match output {
        Output::Yaml => serde_norway::to_string(value).map_err(|e| e.to_string()),
        Output::Json | Output::Table | Output::Name => {
            serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|e| e.to_string())
        }
    };
    print(&shown.map_err(Failure::failed)?)
}

/// A table without lines: titles, then rows, each column as wide as its widest value.
pub(crate) fn table(values: &[Value], columns: &[Column]) -> String {
    let titles = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    let row = |value: &Value| {
        let cell = |(_, pointer): &Column| text(value.pointer(pointer).unwrap_or(&Value::Null));
        columns.iter().map(cell).collect()
    };
    aligned(std::iter::once(titles).chain(values.iter().map(row)).collect())
}

/// Cells in columns.
pub(crate) fn aligned(rows: Vec<Vec<String>>) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |n: usize| rows.iter().filter_map(|r| r.get(n)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|n| width(n).unwrap_or(0)).collect();
    let mut shown = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        shown += cells.collect::<Vec<_>>().join("  ").trim_end();
        shown.push('\n');
    }
    shown
}

/// A value in one cell. Control characters could move the cursor of whoever looks.
pub(crate) fn text(value: &Value) -> String {
    let plain = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    plain.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A value with an escape sequence must not act on the reader's terminal.
    #[test]
    fn a_table_aligns_and_shows_no_control_characters() {
        let values = [json!({"a": "x\u{1b}[2J", "b": 1}), json!({"a": "long one", "b": null})];
        let shown = table(&values, &[("A", "/a"), ("B", "/b")]);
        assert_eq!(shown, "A         B\nx\u{fffd}[2J     1\nlong one\n");
    }
}
