//! Expressions and sub-queries inside a statement that changes data.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Distinct, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, Ident, InTarget, JoinConstraint, JoinOperator, ObjectName,
    ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor, UnaryOperator,
    Value, ValueWithSpan, Visit, Visitor,
};

use super::{Refusal, free_name, template};
use crate::schema::{Kind, Schema, Table};

/// Functions that depend on their arguments alone.
const SCALAR: [&str; 24] = [
    "abs",
    "char",
    "coalesce",
    "hex",
    "ifnull",
    "iif",
    "instr",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "nullif",
    "octet_length",
    "replace",
    "rtrim",
    "sign",
    "substr",
    "substring",
    "trim",
    "typeof",
    "unhex",
    "unicode",
    "upper",
];
/// Functions of the block: the same for every node.
const BLOCK: [&str; 2] = ["block_height", "block_time_ms"];
/// Functions over rows whose result does not depend on the rows' order.
const AGGREGATE: [&str; 4] = ["count", "max", "min", "sum"];

/// The functions behind the operators LIKE and GLOB.
const OPERATOR: [&str; 2] = ["glob", "like"];

/// Whether SQLite may run a function in a transaction.
pub(crate) fn is_accepted_function(name: &str) -> bool {
    let known = SCALAR.iter().chain(&BLOCK).chain(&AGGREGATE).chain(&OPERATOR);
    known.into_iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a statement that changes rows.
    Statement,
    /// In a constraint, default or index: nothing of the block, no sub-query.
    Schema,
}

/// Checks every expression, name, query and value inside `node`.
pub(super) fn check(node: &impl Visit, schema: &Schema, place: Place) -> Result<(), Refusal> {
    let mut checker = Checker { schema, place };
    match node.visit(&mut checker) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

struct Checker<'a> {
    schema: &'a Schema,
    place: Place,
}

type Flow = ControlFlow<Refusal>;

fn refuse(detail: impl Into<String>, node: &impl super::location::Located) -> Flow {
    ControlFlow::Break(Refusal::not_allowed(detail).at(node))
}

fn flow(result: Result<(), Refusal>) -> Flow {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(refusal) => ControlFlow::Break(refusal),
    }
}

impl Visitor for Checker<'_> {
    type Break = Refusal;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> Flow {
        flow(super::plain_name(relation).map(|_| ()))
    }

    fn pre_visit_ident(&mut self, ident: &Ident) -> Flow {
        let lower = ident.value.to_ascii_lowercase();
        if matches!(lower.as_str(), "rowid" | "oid" | "_rowid_") {
            return refuse("row numbers are not part of a ledger table", ident);
        }
        if lower.starts_with("current_") {
            return refuse(format!("{lower} differs between nodes; use block_time_ms()"), ident);
        }
        flow(free_name(ident))
    }

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        if self.place == Place::Schema {
            return refuse("a sub-query cannot stand here", query);
        }
        let mut plain = template::query();
        plain.body.clone_from(&query.body);
        plain.order_by.clone_from(&query.order_by);
        plain.limit_clause.clone_from(&query.limit_clause);
        plain.with.clone_from(&query.with);
        if plain != *query {
            return refuse("this form of query is not accepted", query);
        }
        if query.limit_clause.is_some() && !self.is_totally_ordered(query) {
            return refuse(
                "LIMIT needs one table and an ORDER BY over its whole primary key",
                query,
            );
        }
        match &*query.body {
            SetExpr::Select(_)
            | SetExpr::Values(_)
            | SetExpr::Query(_)
            | SetExpr::SetOperation { .. } => ControlFlow::Continue(()),
            _ => refuse("this form of query is not accepted", query),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        let mut plain = template::select();
        plain.distinct.clone_from(&select.distinct);
        plain.projection.clone_from(&select.projection);
        plain.from.clone_from(&select.from);
        plain.selection.clone_from(&select.selection);
        plain.group_by.clone_from(&select.group_by);
        plain.having.clone_from(&select.having);
        if plain != *select || matches!(select.distinct, Some(Distinct::On(_))) {
            return refuse("this form of SELECT is not accepted", select);
        }
        for join in select.from.iter().flat_map(|from| &from.joins) {
            let accepted = match &join.join_operator {
                JoinOperator::Join(on)
                | JoinOperator::Inner(on)
                | JoinOperator::Left(on)
                | JoinOperator::LeftOuter(on)
                | JoinOperator::CrossJoin(on) => !matches!(on, JoinConstraint::Natural),
                _ => false,
            };
            if !accepted || join.global {
                return refuse("this form of join is not accepted", join);
            }
        }
        if is_aggregated(select) && !has_no_bare_columns(select) {
            return refuse(
                "beside aggregates only columns of GROUP BY may stand: others are taken from any row",
                select,
            );
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let mut plain = template::table_factor();
                if let TableFactor::Table { name: plain_name, alias: plain_alias, .. } = &mut plain
                {
                    plain_name.clone_from(name);
                    plain_alias.clone_from(alias);
                }
                if plain == *factor {
                    ControlFlow::Continue(())
                } else {
                    refuse("only plain tables are accepted here", factor)
                }
            }
            TableFactor::Derived { lateral: false, sample: None, .. }
            | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            _ => refuse("only tables and sub-queries are accepted here", factor),
        }
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> Flow {
        match &value.value {
            Value::Number(digits, false) if digits.parse::<i64>().is_ok() => {
                ControlFlow::Continue(())
            }
            Value::Number(..) => {
                refuse("numbers are 64-bit integers; there is no floating point", value)
            }
            Value::SingleQuotedString(_)
            | Value::HexStringLiteral(_)
            | Value::Boolean(_)
            | Value::Null => ControlFlow::Continue(()),
            Value::Placeholder(name) if self.place == Place::Statement && name.starts_with('?') => {
                ControlFlow::Continue(())
            }
            Value::Placeholder(_) => refuse("parameters are written ? or ?1, ?2, …", value),
            _ => refuse("this form of literal is not accepted", value),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        match expr {
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::Between { .. }
            | Expr::Nested(_)
            | Expr::Value(_)
            | Expr::Case { .. }
            | Expr::Exists { .. }
            | Expr::Tuple(_)
            | Expr::Like { any: false, .. }
            | Expr::Substring { special: true, .. }
            | Expr::Trim { trim_where: None, .. } => ControlFlow::Continue(()),
            Expr::In {
                target: InTarget::List(_) | InTarget::Subquery(_), global: false, ..
            } => ControlFlow::Continue(()),
            Expr::BinaryOp { op, .. } if is_accepted(op) => ControlFlow::Continue(()),
            Expr::UnaryOp { op, .. } => match op {
                UnaryOperator::Plus
                | UnaryOperator::Minus
                | UnaryOperator::Not
                | UnaryOperator::BitwiseNot => ControlFlow::Continue(()),
                _ => refuse(format!("the operator {op} is not accepted"), expr),
            },
            Expr::Cast { kind: CastKind::Cast, data_type, format: None, .. } => {
                match kind(data_type) {
                    Some(_) => ControlFlow::Continue(()),
                    None => refuse(format!("no cast to {data_type}"), expr),
                }
            }
            Expr::Function(function) => flow(self.function(function)),
            Expr::Subquery(query) if self.has_one_row(query) => ControlFlow::Continue(()),
            Expr::Subquery(_) => refuse(
                "a sub-query used as a value must give one row: aggregate it, name its whole \
                 primary key in WHERE, or order by it",
                expr,
            ),
            _ => refuse("this form of expression is not accepted", expr),
        }
    }
}

fn is_accepted(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::StringConcat
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::And
            | BinaryOperator::Or
            | BinaryOperator::BitwiseAnd
            | BinaryOperator::BitwiseOr
            | BinaryOperator::PGBitwiseShiftLeft
            | BinaryOperator::PGBitwiseShiftRight
    )
}

/// The column kind that a type name stands for.
pub(super) fn kind(data_type: &DataType) -> Option<Kind> {
    match data_type {
        DataType::Int(_)
        | DataType::Integer(_)
        | DataType::BigInt(_)
        | DataType::SmallInt(_)
        | DataType::TinyInt(_)
        | DataType::Boolean => Some(Kind::Integer),
        DataType::Text | DataType::Varchar(_) | DataType::Char(_) => Some(Kind::Text),
        DataType::Blob(_) | DataType::Bytea => Some(Kind::Blob),
        _ => None,
    }
}

fn function_name(function: &Function) -> Option<String> {
    match &function.name.0[..] {
        [ObjectNamePart::Identifier(ident)] => Some(ident.value.to_ascii_lowercase()),
        _ => None,
    }
}

impl Checker<'_> {
    fn function(&self, function: &Function) -> Result<(), Refusal> {
        let name = function_name(function).unwrap_or_default();
        let known = SCALAR.contains(&name.as_str())
            || (self.place == Place::Statement
                && (BLOCK.contains(&name.as_str()) || AGGREGATE.contains(&name.as_str())));
        if !known {
            let text = format!("the function {name} is not accepted on a ledger");
            return Err(Refusal::not_allowed(text).at(function));
        }
        let plain_arguments = match &function.args {
            FunctionArguments::List(list) => {
                list.clauses.is_empty()
                    && list.args.iter().all(|argument| match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => true,
                        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => name == "count",
                        _ => false,
                    })
            }
            FunctionArguments::None | FunctionArguments::Subquery(_) => false,
        };
        let plain = plain_arguments
            && function.parameters == FunctionArguments::None
            && function.within_group.is_empty()
            && function.null_treatment.is_none()
            && function.over.is_none()
            && !function.uses_odbc_syntax;
        if plain {
            Ok(())
        } else {
            let text = format!("this form of the function {name} is not accepted");
            Err(Refusal::not_allowed(text).at(function))
        }
    }

    /// The one table that a query reads, if it is one.
    fn only_table(&self, select: &Select) -> Option<&Table> {
        match &select.from[..] {
            [from] if from.joins.is_empty() => match &from.relation {
                TableFactor::Table { name, .. } => {
                    let ident = super::plain_name(name).ok()?;
                    self.schema.by_name(&ident.value).map(|table| &**table)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the order of a query's rows is fixed by their content.
    fn is_totally_ordered(&self, query: &Query) -> bool {
        let SetExpr::Select(select) = &*query.body else { return false };
        let Some(table) = self.only_table(select) else { return false };
        let Some(order) = &query.order_by else { return false };
        let OrderByKind::Expressions(keys) = &order.kind else { return false };
        let ordered: Vec<&str> = keys.iter().filter_map(|key| column(&key.expr)).collect();
        let plain = !is_aggregated(select) && select.distinct.is_none();
        plain && covers_key(table, &ordered)
    }

    /// Whether a query gives at most one row, or a fixed first one.
    fn has_one_row(&self, query: &Query) -> bool {
        let SetExpr::Select(select) = &*query.body else { return false };
        let no_groups =
            matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
        if is_aggregated(select) && no_groups {
            return true;
        }
        let pinned = self.only_table(select).is_some_and(|table| {
            let mut columns = Vec::new();
            if let Some(condition) = &select.selection {
                pinned_columns(condition, &mut columns);
            }
            covers_key(table, &columns)
        });
        pinned || self.is_totally_ordered(query)
    }
}

/// Whether the source of an INSERT has an order of its own.
pub(super) fn source_is_ordered(query: &Query, schema: &Schema) -> bool {
    let checker = Checker { schema, place: Place::Statement };
    matches!(&*query.body, SetExpr::Values(_))
        || checker.is_totally_ordered(query)
        || checker.has_one_row(query)
}

fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(ident) => Some(&ident.value),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.as_str()),
        _ => None,
    }
}

fn covers_key(table: &Table, columns: &[&str]) -> bool {
    table.key_columns().all(|key| columns.iter().any(|c| c.eq_ignore_ascii_case(&key.name)))
}

/// Columns that a condition fixes to one value by `=` under `AND`.
fn pinned_columns<'a>(condition: &'a Expr, columns: &mut Vec<&'a str>) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            pinned_columns(left, columns);
            pinned_columns(right, columns);
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            columns.extend(column(left));
            columns.extend(column(right));
        }
        Expr::Nested(inner) => pinned_columns(inner, columns),
        _ => {}
    }
}

fn is_aggregate(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    let name = function_name(function).unwrap_or_default();
    let arguments = match &function.args {
        FunctionArguments::List(list) => list.args.len(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => 0,
    };
    AGGREGATE.contains(&name.as_str())
        && (arguments == 1 || matches!(name.as_str(), "count" | "sum"))
}

/// Whether an aggregate or GROUP BY folds rows together.
fn is_aggregated(select: &Select) -> bool {
    struct Finder(bool);
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.0 |= is_aggregate(expr);
            ControlFlow::Continue(())
        }
    }
    let mut finder = Finder(false);
    for item in &select.projection {
        let _ = item.visit(&mut finder);
    }
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    finder.0 || grouped || select.having.is_some()
}

/// Whether an aggregating SELECT shows only aggregates, grouped columns and literals.
fn has_no_bare_columns(select: &Select) -> bool {
    let grouped: &[Expr] = match &select.group_by {
        GroupByExpr::Expressions(by, modifiers) if modifiers.is_empty() => by,
        _ => return false,
    };
    select.projection.iter().all(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            is_aggregate(expr) || grouped.contains(expr) || matches!(expr, Expr::Value(_))
        }
        _ => false,
    })
}
