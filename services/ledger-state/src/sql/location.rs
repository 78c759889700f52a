//! Where in a text a parsed node begins.

use sqlparser::{
    ast::{
        AlterTable, CreateIndex, CreateTable, Delete, Expr, Function, Ident, Insert, Join,
        ObjectName, OrderByExpr, Query, Select, Spanned as _, Statement, TableConstraint,
        TableFactor, Update, ValueWithSpan,
    },
    tokenizer::Location,
};

/// A node with a place. The parser's own trait leaves out identifiers.
pub(super) trait Located {
    fn start(&self) -> Location;
}

impl Located for Ident {
    fn start(&self) -> Location {
        self.span.start
    }
}

macro_rules! located {
    ($($type:ty),* $(,)?) => {
        $(impl Located for $type {
            fn start(&self) -> Location {
                self.span().start
            }
        })*
    };
}

located!(
    AlterTable,
    CreateIndex,
    CreateTable,
    Delete,
    Expr,
    Function,
    Insert,
    Join,
    ObjectName,
    OrderByExpr,
    Query,
    Select,
    Statement,
    TableConstraint,
    TableFactor,
    Update,
    ValueWithSpan,
);
