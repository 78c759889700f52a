//! SQLite's searching functions once more, with their work bounded.
//!
//! SQLite's own compare up to the product of two lengths in one step of its virtual machine, where
//! nothing counts or interrupts them. These give the same results for texts without zero characters
//! (a test compares them), take no floating point numbers and no bytes that are not UTF-8, and tell the
//! [`Meter`] what they compare. The operators LIKE and GLOB call them as well.

use std::{borrow::Cow, sync::Arc};

use memchr::memmem;
use rusqlite::{
    Connection, Error, Result, ffi,
    functions::{Context, FunctionFlags},
    types::ValueRef,
};

use crate::{
    meter::Meter,
    pattern::{Pattern, TooComplex},
};

/// What the functions refuse, in words: faults of the transaction.
pub(crate) const ERRORS: [&str; 4] =
    [NO_TEXT, NOT_UTF8, ESCAPE, "LIKE or GLOB pattern too complex"];

const NO_TEXT: &str = "a floating point number is no text";
const NOT_UTF8: &str = "a text is not UTF-8";
const ESCAPE: &str = "ESCAPE expression must be a single character";

/// Puts the functions in the place of SQLite's.
pub(crate) fn install(connection: &Connection, meter: &Arc<Meter>) -> Result<()> {
    let add = |name: &str, arguments: i32, function: fn(&Context<'_>, &Meter) -> Result<Answer>| {
        // Innocuous: constraints and indexes may use them, as they may use SQLite's.
        let flags = FunctionFlags::SQLITE_UTF8
            | FunctionFlags::SQLITE_DETERMINISTIC
            | FunctionFlags::SQLITE_INNOCUOUS;
        let meter = meter.clone();
        connection.create_scalar_function(name, arguments, flags, move |given| {
            function(given, &meter).map(Answer::into_value)
        })
    };
    add("instr", 2, instr)?;
    add("replace", 3, replace)?;
    for arguments in [1, 2] {
        add("trim", arguments, |given, meter| trim(given, meter, true, true))?;
        add("ltrim", arguments, |given, meter| trim(given, meter, true, false))?;
        add("rtrim", arguments, |given, meter| trim(given, meter, false, true))?;
    }
    add("glob", 2, |given, meter| matches(given, meter, |text, _| Pattern::glob(text)))?;
    for arguments in [2, 3] {
        add("like", arguments, |given, meter| matches(given, meter, Pattern::like))?;
    }
    Ok(())
}

enum Answer {
    Null,
    Integer(i64),
    Text(String),
}

impl Answer {
    fn into_value(self) -> rusqlite::types::Value {
        match self {
            Self::Null => rusqlite::types::Value::Null,
            Self::Integer(number) => number.into(),
            Self::Text(text) => text.into(),
        }
    }
}

fn fault(text: &'static str) -> Error {
    Error::UserFunctionError(text.into())
}

fn error_code(code: i32) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), None)
}

/// Counts comparisons of each byte of one with each byte of the other.
fn compare(meter: &Meter, one: usize, other: usize) -> Result<()> {
    let bytes = (one as u64).saturating_mul(other as u64);
    if meter.may_compare(bytes) { Ok(()) } else { Err(error_code(ffi::SQLITE_INTERRUPT)) }
}

/// An argument as SQLite makes a text of it; none for NULL.
fn text<'a>(given: &'a Context<'_>, at: usize) -> Result<Option<Cow<'a, str>>> {
    match given.get_raw(at) {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(number.to_string().into())),
        ValueRef::Real(_) => Err(fault(NO_TEXT)),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            std::str::from_utf8(bytes).map(|text| Some(text.into())).map_err(|_| fault(NOT_UTF8))
        }
    }
}

/// The place of the second in the first, from 1, in characters, or in bytes of two blobs; 0 for none.
fn instr(given: &Context<'_>, _: &Meter) -> Result<Answer> {
    let place = match (given.get_raw(0), given.get_raw(1)) {
        (ValueRef::Blob(within), ValueRef::Blob(part)) => {
            memmem::find(within, part).map(|place| place + 1)
        }
        _ => {
            let (Some(within), Some(part)) = (text(given, 0)?, text(given, 1)?) else {
                return Ok(Answer::Null);
            };
            memmem::find(within.as_bytes(), part.as_bytes())
                .map(|place| within[..place].chars().count() + 1)
        }
    };
    Ok(Answer::Integer(place.and_then(|place| i64::try_from(place).ok()).unwrap_or(0)))
}

/// The first with every occurrence of the second replaced by the third.
fn replace(given: &Context<'_>, meter: &Meter) -> Result<Answer> {
    let (Some(within), Some(part)) = (text(given, 0)?, text(given, 1)?) else {
        return Ok(Answer::Null);
    };
    if part.is_empty() {
        return Ok(Answer::Text(within.into_owned()));
    }
    let Some(by) = text(given, 2)? else { return Ok(Answer::Null) };
    let most = meter.value_bytes();
    let mut made = String::new();
    let mut from = 0;
    for place in memmem::find_iter(within.as_bytes(), part.as_bytes()) {
        made += &within[from..place];
        made += &by;
        from = place + part.len();
        if made.len() > most {
            return Err(error_code(ffi::SQLITE_TOOBIG));
        }
    }
    made += &within[from..];
    Ok(Answer::Text(made))
}

/// The first without the characters of the second, or without spaces, at its ends.
fn trim(given: &Context<'_>, meter: &Meter, start: bool, end: bool) -> Result<Answer> {
    let Some(whole) = text(given, 0)? else { return Ok(Answer::Null) };
    let set = if given.len() == 2 { text(given, 1)? } else { Some(" ".into()) };
    let Some(set) = set else { return Ok(Answer::Null) };
    compare(meter, whole.len(), set.len())?;
    let mut left = &*whole;
    if start {
        left = left.trim_start_matches(|c| set.contains(c));
    }
    if end {
        left = left.trim_end_matches(|c| set.contains(c));
    }
    Ok(Answer::Text(left.to_owned()))
}

/// Whether the second matches the first, a pattern; the third is the character that escapes.
fn matches(
    given: &Context<'_>,
    meter: &Meter,
    pattern: impl Fn(&str, Option<char>) -> Result<Pattern, TooComplex>,
) -> Result<Answer> {
    let (of, whole) = (text(given, 0)?, text(given, 1)?);
    let escape = match given.len() {
        3 => match text(given, 2)? {
            None => return Ok(Answer::Null),
            Some(escape) => {
                let mut chars = escape.chars();
                match (chars.next(), chars.next()) {
                    (Some(escape), None) => Some(escape),
                    _ => return Err(fault(ESCAPE)),
                }
            }
        },
        _ => None,
    };
    let (Some(of), Some(whole)) = (of, whole) else { return Ok(Answer::Null) };
    compare(meter, of.len(), whole.len())?;
    let pattern = pattern(&of, escape).map_err(|TooComplex| fault(ERRORS[3]))?;
    Ok(Answer::Integer(pattern.matches(&whole).into()))
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::*;
    use crate::meter::{Size, WORK_MAX};

    /// One connection with SQLite's functions, one with these.
    fn both() -> (Connection, Connection, Arc<Meter>) {
        let (theirs, ours) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory());
        let (ours, meter) = (ours.unwrap(), Arc::new(Meter::default()));
        install(&ours, &meter).unwrap();
        (theirs, ours, meter)
    }

    fn ask(connection: &Connection, sql: &str, given: &[Value]) -> Result<Value, String> {
        let mut statement = connection.prepare_cached(sql).unwrap();
        let params = rusqlite::params_from_iter(given);
        statement.query_row(params, |row| row.get(0)).map_err(|error| error.to_string())
    }

    /// Numbers that look random and are the same in every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, most: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % most as u64).unwrap()
        }

        /// A value from few characters, so that matches are frequent.
        fn value(&mut self) -> Value {
            match self.below(20) {
                0 => Value::Null,
                1 => Value::Integer(i64::try_from(self.below(500)).unwrap() - 250),
                kind => {
                    let chars: Vec<char> = "aaAbBäÄ漢0-%_*?[]^ 1".chars().collect();
                    let length = self.below(9);
                    let text: String =
                        (0..length).map(|_| chars[self.below(chars.len())]).collect();
                    if kind == 2 { Value::Blob(text.into_bytes()) } else { Value::Text(text) }
                }
            }
        }
    }

    #[test]
    fn the_results_are_those_of_sqlite() {
        // Whoever knows SQL must find no surprise, and readers see what statements saw.
        let (theirs, ours, _) = both();
        let mut numbers = Numbers(20_260_711);
        let forms = [
            "SELECT instr(?1, ?2)",
            "SELECT replace(?1, ?2, ?3)",
            "SELECT trim(?1)",
            "SELECT trim(?1, ?2)",
            "SELECT ltrim(?1, ?2)",
            "SELECT rtrim(?1, ?2)",
            "SELECT ?1 LIKE ?2",
            "SELECT ?1 LIKE ?2 ESCAPE ?3",
            "SELECT ?1 GLOB ?2",
        ];
        for sql in forms {
            let count = theirs.prepare(sql).unwrap().parameter_count();
            for _ in 0..20_000 {
                let given: Vec<Value> = (0..count).map(|_| numbers.value()).collect();
                let (expected, found) = (ask(&theirs, sql, &given), ask(&ours, sql, &given));
                assert_eq!(found, expected, "{sql} of {given:?}");
            }
        }
    }

    #[test]
    fn what_would_take_long_is_counted_before_it_is_done() {
        // A call is one step to SQLite: nothing else could end it.
        let (_, ours, meter) = both();
        let long = Value::Text("a".repeat(1 << 20));
        let pattern = Value::Text(format!("{}b", "%a".repeat(20_000)));
        for sql in ["SELECT ?1 LIKE ?2", "SELECT trim(?1, ?2)"] {
            meter.begin(WORK_MAX, Size::LARGEST);
            let refused = ask(&ours, sql, &[long.clone(), pattern.clone()]).unwrap_err();
            assert!(refused.contains("interrupted"), "{sql}: {refused}");
            assert!(meter.end() > WORK_MAX, "{sql}: not counted");
        }
        meter.begin(WORK_MAX, Size::LARGEST);
        let growing = [long.clone(), Value::Text("a".to_owned()), long];
        let refused = ask(&ours, "SELECT replace(?1, ?2, ?3)", &growing).unwrap_err();
        assert!(refused.contains("too big"), "{refused}");
    }
}
