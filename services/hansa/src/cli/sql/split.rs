//! Where one statement ends and the next begins. Texts, quoted names and comments may hold
//! semicolons.

use std::fmt;

/// A statement and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Without the semicolon and what is around it; comments are blanks, so that a place in it is
    /// a place in the whole text.
    pub(super) sql: String,
    /// Bytes of the whole text before it.
    pub(super) offset: usize,
}

/// A place as editors count: lines and characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// Where the byte `offset` of a text is.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_begins = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_begins..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What the splitter is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// Text or a quoted name; a doubled quote is one of its characters.
    Quotes(char),
    LineComment,
    BlockComment,
}

/// The statements of a text, in order.
///
/// # Errors
/// When a text, a quoted name or a comment does not end.
pub(super) fn statements(text: &str) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    let (mut plain, mut begins) = (String::with_capacity(text.len()), 0);
    let (mut inside, mut opened) = (Inside::Nothing, 0);
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        match (inside, letter, next) {
            (Inside::Nothing, ';', _) => {
                push(&mut found, &plain, begins);
                plain.push(' ');
                begins = plain.len();
                continue;
            }
            (Inside::Nothing, '-', Some('-')) => inside = Inside::LineComment,
            (Inside::Nothing, '/', Some('*')) => {
                letters.next();
                plain.push_str("  ");
                (inside, opened) = (Inside::BlockComment, at);
                continue;
            }
            (Inside::Nothing, '\'' | '"' | '`', _) => {
                (inside, opened) = (Inside::Quotes(letter), at);
            }
            (Inside::Nothing, '[', _) => (inside, opened) = (Inside::Quotes(']'), at),
            // What some editors put before everything else.
            (Inside::Nothing, '\u{feff}', _) if at == 0 => {
                plain.push_str("   ");
                continue;
            }
            (Inside::Quotes(quote), letter, _) if letter == quote => inside = Inside::Nothing,
            (Inside::LineComment, '\n', _) => inside = Inside::Nothing,
            (Inside::BlockComment, '*', Some('/')) => {
                letters.next();
                plain.push_str("  ");
                inside = Inside::Nothing;
                continue;
            }
            _ => {}
        }
        if matches!(inside, Inside::LineComment | Inside::BlockComment) && letter != '\n' {
            (0..letter.len_utf8()).for_each(|_| plain.push(' '));
        } else {
            plain.push(letter);
        }
    }
    match inside {
        Inside::Nothing | Inside::LineComment => {
            push(&mut found, &plain, begins);
            Ok(found)
        }
        Inside::Quotes(quote) => Err(format!("{}: {quote} is missing", Place::of(text, opened))),
        Inside::BlockComment => Err(format!("{}: */ is missing", Place::of(text, opened))),
    }
}

fn push(found: &mut Vec<Found>, plain: &str, begins: usize) {
    let whole = &plain[begins..];
    let sql = whole.trim();
    if !sql.is_empty() {
        let offset = begins + (whole.len() - whole.trim_start().len());
        found.push(Found { sql: sql.to_owned(), offset });
    }
}

/// The one statement of these that changes nothing, if that is what they are.
pub(super) fn only_reads(found: &[Found]) -> Option<&Found> {
    let [one] = found else { return None };
    let word: String = one.sql.chars().take_while(char::is_ascii_alphabetic).collect();
    let reads =
        ["SELECT", "VALUES", "EXPLAIN", "WITH"].iter().any(|w| word.eq_ignore_ascii_case(w));
    (reads && !writes_after_with(&word, &one.sql)).then_some(one)
}

/// `WITH … INSERT` changes rows. A word inside a text makes this say so too often; the node then
/// refuses what is no transaction, and nothing is lost.
fn writes_after_with(word: &str, sql: &str) -> bool {
    word.eq_ignore_ascii_case("with")
        && sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| {
            ["INSERT", "UPDATE", "DELETE", "REPLACE"].iter().any(|w| word.eq_ignore_ascii_case(w))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(String, usize)> {
        let found = statements(text).expect("it ends").into_iter();
        found.map(|f| (f.sql, Place::of(text, f.offset).line)).collect()
    }

    /// A payment's memo may hold a semicolon: it must not become two statements.
    #[test]
    fn semicolons_inside_texts_names_and_comments_do_not_split() {
        let text =
            "INSERT INTO t VALUES ('a;b', 'it''s');\n-- one; two\nSELECT \"x;y\"/*;*/, 1;\n\n;";
        assert_eq!(
            texts(text),
            [
                ("INSERT INTO t VALUES ('a;b', 'it''s')".to_owned(), 1),
                ("SELECT \"x;y\"     , 1".to_owned(), 3),
            ]
        );
    }

    /// An error names a place: it must be the one that an editor shows, after comments and letters
    /// of several bytes too.
    #[test]
    fn a_place_in_a_statement_is_a_place_in_the_file() {
        let text = "\u{feff}-- ä;ö\n/* 中文 */ SELECT 'ü' /* ; */ FROM nowhere;\r\n  DROP x";
        let found = statements(text).expect("it ends");
        assert_eq!(found.len(), 2);
        let at = found[0].sql.find("nowhere").expect("kept");
        let place = Place::of(text, found[0].offset + at);
        assert_eq!(place, Place { line: 2, column: 34 });
        assert_eq!(Place::of(text, found[1].offset), Place { line: 3, column: 3 });
    }

    /// What does not end would swallow every statement after it.
    #[test]
    fn what_does_not_end_is_refused_with_its_place() {
        assert_eq!(statements("a;\n'b;\nc"), Err("line 2, column 1: ' is missing".to_owned()));
        assert_eq!(statements("a /* a"), Err("line 1, column 3: */ is missing".to_owned()));
        assert!(statements("a -- no end of line").is_ok());
    }

    /// A query goes to one node and is not signed onto the ledger; a change must be.
    #[test]
    fn reading_and_writing_are_told_apart() {
        let reads = |text: &str| only_reads(&statements(text).expect("it ends")).is_some();
        for text in ["SELECT 1;", " -- x\n select 1;", "WITH a AS (SELECT 1) SELECT * FROM a"] {
            assert!(reads(text), "{text}");
        }
        for text in [
            "INSERT INTO t VALUES (1)",
            "SELECT 1; DROP TABLE t",
            "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
        ] {
            assert!(!reads(text), "{text}");
        }
    }
}
