//! Where one statement ends and the next begins. Texts, quoted names and comments may hold
//! semicolons.

/// A statement and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Without the semicolon and without what is around it.
    pub(super) sql: String,
    /// From 1.
    pub(super) line: usize,
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
    let (mut found, mut sql) = (Vec::new(), String::new());
    let (mut line, mut begins) = (1, 1);
    let mut inside = Inside::Nothing;
    let mut opened = 1;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if sql.is_empty() && inside == Inside::Nothing {
            begins = line;
        }
        let next = letters.peek().copied();
        match (inside, letter, next) {
            (Inside::Nothing, ';', _) => {
                push(&mut found, &mut sql, begins);
                continue;
            }
            (Inside::Nothing, '-', Some('-')) => {
                inside = Inside::LineComment;
                continue;
            }
            (Inside::Nothing, '/', Some('*')) => {
                letters.next();
                (inside, opened) = (Inside::BlockComment, line);
                continue;
            }
            (Inside::Nothing, '\'' | '"' | '`', _) => {
                (inside, opened) = (Inside::Quotes(letter), line);
            }
            (Inside::Nothing, '[', _) => (inside, opened) = (Inside::Quotes(']'), line),
            (Inside::Quotes(quote), letter, _) if letter == quote => inside = Inside::Nothing,
            (Inside::LineComment, '\n', _) => inside = Inside::Nothing,
            (Inside::BlockComment, '*', Some('/')) => {
                letters.next();
                inside = Inside::Nothing;
                // Words on both sides of a comment are two words.
                sql.push(' ');
                continue;
            }
            _ => {}
        }
        if letter == '\n' {
            line += 1;
        }
        if matches!(inside, Inside::LineComment | Inside::BlockComment) {
            continue;
        }
        if !(sql.is_empty() && letter.is_whitespace()) {
            sql.push(letter);
        }
    }
    match inside {
        Inside::Nothing | Inside::LineComment => {
            push(&mut found, &mut sql, begins);
            Ok(found)
        }
        Inside::Quotes(quote) => Err(format!("line {opened}: {quote} is missing")),
        Inside::BlockComment => Err(format!("line {opened}: */ is missing")),
    }
}

fn push(found: &mut Vec<Found>, sql: &mut String, line: usize) {
    let text = std::mem::take(sql).trim().to_owned();
    if !text.is_empty() {
        found.push(Found { sql: text, line });
    }
}

/// Whether a text is one statement that changes nothing.
pub(super) fn only_reads(text: &str) -> bool {
    let Ok(found) = statements(text) else { return false };
    let [one] = &found[..] else { return false };
    let word: String = one.sql.chars().take_while(char::is_ascii_alphabetic).collect();
    ["SELECT", "VALUES", "EXPLAIN", "WITH"].iter().any(|w| word.eq_ignore_ascii_case(w))
        && !writes_after_with(&word, &one.sql)
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
        statements(text).expect("it ends").into_iter().map(|f| (f.sql, f.line)).collect()
    }

    /// A payment's memo may hold a semicolon: it must not become two statements.
    #[test]
    fn semicolons_inside_texts_names_and_comments_do_not_split() {
        let text =
            "INSERT INTO t VALUES ('a;b', 'it''s');\n-- one; two\nSELECT \"x;y\" /* ; */ , 1;\n\n;";
        assert_eq!(
            texts(text),
            [
                ("INSERT INTO t VALUES ('a;b', 'it''s')".to_owned(), 1),
                ("SELECT \"x;y\"   , 1".to_owned(), 3),
            ]
        );
    }

    /// What does not end would swallow every statement after it.
    #[test]
    fn what_does_not_end_is_refused_with_its_line() {
        assert_eq!(statements("a;\n'b;\nc"), Err("line 2: ' is missing".to_owned()));
        assert_eq!(statements("/* a"), Err("line 1: */ is missing".to_owned()));
        assert!(statements("a -- no end of line").is_ok());
    }

    /// A query goes to one node and is not signed onto the ledger; a change must be.
    #[test]
    fn reading_and_writing_are_told_apart() {
        for reads in ["SELECT 1", " -- x\n select 1;", "WITH a AS (SELECT 1) SELECT * FROM a"] {
            assert!(only_reads(reads), "{reads}");
        }
        for writes in [
            "INSERT INTO t VALUES (1)",
            "SELECT 1; DROP TABLE t",
            "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
        ] {
            assert!(!only_reads(writes), "{writes}");
        }
    }
}
