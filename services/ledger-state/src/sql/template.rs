//! Default deny for the many options that a parsed statement can carry.
//!
//! The parser's structs have dozens of fields for other databases. Instead of naming each one that
//! must be empty, a statement's allowed parts are put into a plain statement; if the result is not
//! the statement itself, it carries something else.

use std::sync::LazyLock;

use sqlparser::{
    ast::{
        CreateIndex, CreateTable, Delete, Insert, Query, Select, SetExpr, Statement, TableFactor,
        Update,
    },
    dialect::SQLiteDialect,
    parser::Parser,
};

fn parse(text: &str) -> Statement {
    let mut parsed = Parser::parse_sql(&SQLiteDialect {}, text).expect("a constant text");
    parsed.pop().expect("one statement")
}

macro_rules! template {
    ($name:ident: $type:ty = $text:literal, $pattern:pat => $value:expr) => {
        pub(super) fn $name() -> $type {
            static PLAIN: LazyLock<$type> = LazyLock::new(|| match parse($text) {
                $pattern => $value,
                _ => unreachable!("a constant text"),
            });
            PLAIN.clone()
        }
    };
}

template!(insert: Insert = "INSERT INTO t VALUES (1)", Statement::Insert(i) => i);
template!(update: Update = "UPDATE t SET a = 1", Statement::Update(u) => u);
template!(delete: Delete = "DELETE FROM t", Statement::Delete(d) => d);
template!(query: Query = "SELECT 1", Statement::Query(q) => *q);
template!(create_table: CreateTable = "CREATE TABLE t (a INTEGER)", Statement::CreateTable(c) => c);
template!(create_index: CreateIndex = "CREATE INDEX i ON t (a)", Statement::CreateIndex(c) => c);

pub(super) fn select() -> Select {
    match *query().body {
        SetExpr::Select(select) => *select,
        _ => unreachable!("a constant text"),
    }
}

pub(super) fn table_factor() -> TableFactor {
    match parse("SELECT 1 FROM t") {
        Statement::Query(query) => match *query.body {
            SetExpr::Select(mut select) => select.from.remove(0).relation,
            _ => unreachable!("a constant text"),
        },
        _ => unreachable!("a constant text"),
    }
}
