//! Which SQL a ledger runs: only what gives the same result on every node. Default deny.
//!
//! The text is parsed, every construct in it must be on a list, and what SQLite gets is the parsed
//! statement written out again, so that both readings are the same. A second guard is SQLite's own
//! authorizer ([`crate::authorizer`]).

mod ddl;
mod dml;
mod expression;
mod location;
mod template;

pub(crate) use expression::is_accepted_function;
use ledger_types::Reason;
use sqlparser::{
    ast::{Ident, ObjectName, ObjectNamePart, Statement},
    dialect::SQLiteDialect,
    parser::Parser,
    tokenizer::{Location, Token, Tokenizer},
};

use crate::schema::{Schema, Table};

/// A statement that may run.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// What SQLite gets.
    pub(crate) sql: String,
    pub(crate) action: Action,
    /// Bytes of the longest text or blob in it.
    pub(crate) longest_literal: usize,
}

impl Checked {
    /// A statement that changes the schema; its literals may be as long as any.
    fn of_schema(sql: String, action: Action) -> Self {
        Self { sql, action, longest_literal: 0 }
    }
}

/// What a statement does to the schema.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Nothing: it changes rows.
    Rows,
    /// Nothing at all: `IF [NOT] EXISTS` applies.
    Nothing,
    CreateTable(Table),
    DropTable(u32),
    /// The table as it will be; its rows keep their hashes.
    AlterTable(Table),
    /// The table as it will be; its rows are rewritten.
    DropColumn(Table),
    /// An index of this table comes or goes.
    Index(u32),
}

impl Action {
    pub(crate) const fn changes_schema(&self) -> bool {
        !matches!(self, Self::Rows)
    }
}

/// Why a statement may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    /// Where in the text, if known.
    pub(crate) location: Option<Location>,
}

impl Refusal {
    pub(crate) fn not_allowed(detail: impl Into<String>) -> Self {
        Self { reason: Reason::NotAllowed, detail: detail.into(), location: None }
    }

    pub(crate) fn schema(detail: impl Into<String>) -> Self {
        Self { reason: Reason::Schema, detail: detail.into(), location: None }
    }

    fn at(mut self, node: &impl location::Located) -> Self {
        self.location.get_or_insert(node.start());
        self
    }

    /// Byte offset of the location in `text`.
    pub(crate) fn position(&self, text: &str) -> Option<u32> {
        let location = self.location.filter(|l| l.line > 0)?;
        let line_index = usize::try_from(location.line - 1).ok()?;
        let line = text.split_inclusive('\n').nth(line_index)?;
        let before: usize = text.split_inclusive('\n').take(line_index).map(str::len).sum();
        let column = usize::try_from(location.column.saturating_sub(1)).ok()?;
        let within: usize = line.chars().take(column).map(char::len_utf8).sum();
        u32::try_from(before + within).ok()
    }
}

/// Parses and checks one statement of a transaction.
pub(crate) fn check(text: &str, schema: &Schema) -> Result<Checked, Refusal> {
    let longest_literal = measured(text)?;
    let mut statements =
        Parser::parse_sql(&SQLiteDialect {}, text).map_err(|e| syntax_error(&e.to_string()))?;
    let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
        return Err(syntax_error("a text holds exactly one statement"));
    };
    match &statement {
        Statement::Insert(insert) => dml::insert(insert, schema)?,
        Statement::Update(update) => dml::update(update, schema)?,
        Statement::Delete(delete) => dml::delete(delete, schema)?,
        Statement::CreateTable(create) => return ddl::create_table(create, schema),
        Statement::CreateIndex(create) => return ddl::create_index(create, schema),
        Statement::AlterTable(alter) => return ddl::alter_table(alter, schema),
        Statement::Drop { .. } => return ddl::drop(&statement, schema),
        Statement::Query(_) => {
            return Err(Refusal::not_allowed("a transaction changes data; read with a query")
                .at(&statement));
        }
        _ => {
            return Err(foreign(text));
        }
    }
    Ok(Checked { sql: statement.to_string(), action: Action::Rows, longest_literal })
}

/// Words and signs of one expression at one depth, from comma to comma. SQLite takes a thousand operators
/// in a row; the parser makes a tree as deep as the row is long, and whoever walks it needs stack for it.
/// Consensus-critical.
const CHAIN_MAX: usize = 2_500;

/// Refuses such a text before it is parsed; the bytes of its longest literal.
fn measured(text: &str) -> Result<usize, Refusal> {
    // What is no token is for the parser to name.
    let Ok(tokens) = Tokenizer::new(&SQLiteDialect {}, text).tokenize() else { return Ok(0) };
    let mut lengths = vec![0];
    let mut longest_literal = 0;
    for token in tokens {
        match &token {
            Token::SingleQuotedString(text) | Token::HexStringLiteral(text) => {
                longest_literal = longest_literal.max(text.len());
            }
            Token::LParen => lengths.push(0),
            Token::RParen if lengths.len() > 1 => drop(lengths.pop()),
            Token::Comma | Token::SemiColon => *lengths.last_mut().expect("never empty") = 0,
            Token::Whitespace(_) => continue,
            _ => {}
        }
        let length = lengths.last_mut().expect("never empty");
        *length += 1;
        if *length > CHAIN_MAX {
            return Err(Refusal {
                reason: Reason::Limit,
                detail: "an expression is too long".into(),
                location: None,
            });
        }
    }
    Ok(longest_literal)
}

/// Names a statement that is none of a ledger's by its first word, or its first two, and their place.
fn foreign(text: &str) -> Refusal {
    let tokens = Tokenizer::new(&SQLiteDialect {}, text).tokenize_with_location();
    let tokens = tokens.unwrap_or_default();
    // Comments count as white space.
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let location = words.clone().next().map(|first| first.span.start);
    let mut words = words.by_ref().map(|word| word.token.to_string().to_uppercase());
    let mut name = words.next().unwrap_or_default();
    if let ("CREATE" | "DROP" | "ALTER", Some(what)) = (name.as_str(), words.next()) {
        name = format!("{name} {what}");
    }
    Refusal { location, ..Refusal::not_allowed(format!("{name} is not a ledger statement")) }
}

/// What the parser says, stable for a pinned one: its prefix left out, its place taken apart.
fn syntax_error(message: &str) -> Refusal {
    let message = message.trim_start_matches("sql parser error: ");
    let placed = message.rsplit_once(" at Line: ").and_then(|(detail, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((detail, Location { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    let (detail, location) = match placed {
        Some((detail, location)) => (detail, Some(location)),
        None => (message, None),
    };
    Refusal { reason: Reason::Syntax, detail: detail.to_owned(), location }
}

/// A one-part name that is not the ledger's own or SQLite's.
fn plain_name(name: &ObjectName) -> Result<&Ident, Refusal> {
    let [ObjectNamePart::Identifier(ident)] = &name.0[..] else {
        return Err(Refusal::not_allowed("names have one part").at(name));
    };
    free_name(ident)?;
    Ok(ident)
}

fn free_name(ident: &Ident) -> Result<(), Refusal> {
    let lower = ident.value.to_ascii_lowercase();
    if lower.starts_with("hansa_") || lower.starts_with("sqlite_") || lower.starts_with("pragma_") {
        let text = format!("names like {} are reserved", ident.value);
        return Err(Refusal::not_allowed(text).at(ident));
    }
    let plain = !lower.is_empty() && lower.len() <= 63 && !lower.contains('\0');
    if plain { Ok(()) } else { Err(Refusal::not_allowed("a name has 1 to 63 bytes").at(ident)) }
}
