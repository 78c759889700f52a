//! Tables and indexes. What SQLite gets is written anew from what was accepted: STRICT, and
//! WITHOUT ROWID unless the key is one INTEGER.

use ledger_types::Value;
use sqlparser::ast::{
    AlterTable, AlterTableOperation, CheckConstraint, ColumnDef, ColumnOption, CreateIndex,
    CreateTable, Expr, ForeignKeyConstraint, Ident, IndexColumn, ObjectType, RenameTableNameKind,
    Statement, TableConstraint, UnaryOperator, Value as Literal,
};

use super::{
    Action, Checked, Refusal,
    expression::{Place, check, kind},
    free_name, plain_name, template,
};
use crate::schema::{Column, Kind, Schema, Table, quoted};

/// Columns of a table at most.
const COLUMNS_MAX: usize = 200;
/// The largest integer cannot be a key: SQLite would go on with random ones.
const INTEGER_KEY_LIMIT: &str = "9223372036854775807";

fn refuse<T>(
    detail: impl Into<String>,
    node: &impl super::location::Located,
) -> Result<T, Refusal> {
    Err(Refusal::not_allowed(detail).at(node))
}

pub(super) fn create_table(create: &CreateTable, schema: &Schema) -> Result<Checked, Refusal> {
    let mut plain = template::create_table();
    plain.name.clone_from(&create.name);
    plain.columns.clone_from(&create.columns);
    plain.constraints.clone_from(&create.constraints);
    plain.if_not_exists = create.if_not_exists;
    plain.sqlite_table_options.clone_from(&create.sqlite_table_options);
    if plain != *create || create.columns.is_empty() || create.columns.len() > COLUMNS_MAX {
        return refuse("this form of CREATE TABLE is not accepted", create);
    }
    let name = plain_name(&create.name)?.value.clone();
    if schema.by_name(&name).is_some() {
        return if create.if_not_exists {
            Ok(Checked::of_schema(String::new(), Action::Nothing))
        } else {
            Err(Refusal::schema(format!("table {name} exists already")).at(create))
        };
    }
    let mut new = NewTable::default();
    for column in &create.columns {
        new.column(column, schema)?;
    }
    for constraint in &create.constraints {
        new.constraint(constraint, schema)?;
    }
    new.finish(&name, create, schema)
}

/// A table being put together.
#[derive(Default)]
struct NewTable {
    columns: Vec<Column>,
    /// Each column's text after its name and type.
    options: Vec<String>,
    key: Vec<u32>,
    constraints: Vec<String>,
}

impl NewTable {
    fn column(&mut self, definition: &ColumnDef, schema: &Schema) -> Result<(), Refusal> {
        free_name(&definition.name)?;
        let name = definition.name.value.clone();
        if self.place(&definition.name).is_ok() {
            return Err(Refusal::schema(format!("column {name} occurs twice")).at(&definition.name));
        }
        let Some(kind) = kind(&definition.data_type) else {
            let text = format!("column {name}: types are INTEGER, TEXT and BLOB");
            return refuse(text, &definition.name);
        };
        let id = u32::try_from(self.columns.len()).expect("few columns") + 1;
        let at = id - 1;
        self.columns.push(Column { id, name, kind, creation_default: Value::Null });
        let mut text = String::new();
        for option in &definition.options {
            if option.name.is_some() {
                return refuse("named column constraints are not accepted", &definition.name);
            }
            match &option.option {
                ColumnOption::Null => {}
                ColumnOption::NotNull => text.push_str(" NOT NULL"),
                ColumnOption::PrimaryKey(key)
                    if self.key.is_empty() && key.characteristics.is_none() =>
                {
                    self.key.push(at);
                }
                ColumnOption::Unique(unique) if unique.characteristics.is_none() => {
                    text.push_str(" UNIQUE");
                }
                other => text.push_str(&shared_option(other, definition, schema)?),
            }
        }
        self.options.push(text);
        Ok(())
    }

    fn constraint(&mut self, constraint: &TableConstraint, schema: &Schema) -> Result<(), Refusal> {
        match constraint {
            TableConstraint::PrimaryKey(key)
                if self.key.is_empty() && key.characteristics.is_none() =>
            {
                self.key = self.places(&key.columns)?;
            }
            TableConstraint::Unique(unique) if unique.characteristics.is_none() => {
                let columns = self.names(&self.places(&unique.columns)?);
                self.constraints.push(format!("UNIQUE ({columns})"));
            }
            TableConstraint::ForeignKey(key) => self.constraints.push(foreign_key(key)?),
            TableConstraint::Check(condition) => {
                self.constraints.push(check_text(condition, schema)?);
            }
            _ => return refuse("this form of constraint is not accepted", constraint),
        }
        Ok(())
    }

    fn place(&self, name: &Ident) -> Result<u32, Refusal> {
        let at = self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(&name.value));
        at.and_then(|at| u32::try_from(at).ok())
            .ok_or_else(|| Refusal::schema(format!("no column {}", name.value)).at(name))
    }

    fn places(&self, columns: &[IndexColumn]) -> Result<Vec<u32>, Refusal> {
        let mut places = Vec::new();
        for column in columns {
            let Expr::Identifier(name) = &column.column.expr else {
                return refuse("keys are made of columns", &column.column);
            };
            let place = self.place(name)?;
            let plain = column.operator_class.is_none()
                && column.column.options.sort.is_none()
                && column.column.options.nulls_first.is_none();
            if !plain || places.contains(&place) {
                return refuse("this form of key is not accepted", &column.column);
            }
            places.push(place);
        }
        Ok(places)
    }

    fn names(&self, places: &[u32]) -> String {
        let name = |at: &u32| quoted(&self.columns[*at as usize].name);
        places.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn finish(self, name: &str, create: &CreateTable, schema: &Schema) -> Result<Checked, Refusal> {
        if self.key.is_empty() {
            return refuse(format!("table {name} needs a PRIMARY KEY"), create);
        }
        let integer_key = match self.key[..] {
            [at] => self.columns[at as usize].kind == Kind::Integer,
            _ => false,
        };
        let mut parts = Vec::new();
        for (at, (column, options)) in self.columns.iter().zip(&self.options).enumerate() {
            let is_key = self.key.iter().any(|k| *k as usize == at);
            let (name, kind) = (quoted(&column.name), column.kind.sql());
            let not_null = if is_key && !options.contains(" NOT NULL") { " NOT NULL" } else { "" };
            let key = if is_key && integer_key {
                format!(" PRIMARY KEY CHECK ({name} < {INTEGER_KEY_LIMIT})")
            } else {
                String::new()
            };
            parts.push(format!("{name} {kind}{key}{not_null}{options}"));
        }
        if !integer_key {
            parts.push(format!("PRIMARY KEY ({})", self.names(&self.key)));
        }
        parts.extend(self.constraints);
        let rowid = if integer_key { "" } else { ", WITHOUT ROWID" };
        let sql = format!("CREATE TABLE {} ({}) STRICT{rowid}", quoted(name), parts.join(", "));
        let next_column = u32::try_from(self.columns.len()).expect("few columns") + 1;
        let table = Table {
            id: schema.next_id(),
            name: name.to_owned(),
            columns: self.columns,
            key: self.key,
            next_column,
            sql: Vec::new(),
        };
        Ok(Checked::of_schema(sql, Action::CreateTable(table)))
    }
}

/// Options that new tables and added columns share.
fn shared_option(
    option: &ColumnOption,
    column: &ColumnDef,
    schema: &Schema,
) -> Result<String, Refusal> {
    match option {
        ColumnOption::Default(expr) => {
            constant(expr)?;
            Ok(format!(" DEFAULT {expr}"))
        }
        ColumnOption::Check(condition) => Ok(format!(" {}", check_text(condition, schema)?)),
        ColumnOption::ForeignKey(key) if key.columns.is_empty() => {
            let text = foreign_key(key)?;
            // In a column definition SQLite's form begins at REFERENCES.
            let at = text.find("REFERENCES").unwrap_or(0);
            Ok(format!(" {}", &text[at..]))
        }
        _ => refuse(format!("column {}: {option} is not accepted", column.name), &column.name),
    }
}

fn check_text(condition: &CheckConstraint, schema: &Schema) -> Result<String, Refusal> {
    if condition.no_inherit || condition.enforced.is_some() || condition.name.is_some() {
        return refuse("this form of CHECK is not accepted", &*condition.expr);
    }
    check(&*condition.expr, schema, Place::Schema)?;
    Ok(format!("CHECK ({})", condition.expr))
}

fn foreign_key(key: &ForeignKeyConstraint) -> Result<String, Refusal> {
    plain_name(&key.foreign_table)?;
    for column in key.columns.iter().chain(&key.referred_columns) {
        free_name(column)?;
    }
    let plain = key.name.is_none()
        && key.index_name.is_none()
        && key.match_kind.is_none()
        && key.characteristics.is_none();
    if plain {
        Ok(key.to_string())
    } else {
        // A deferred check would fail at the end of the block, not of the transaction.
        refuse("this form of FOREIGN KEY is not accepted", &key.foreign_table)
    }
}

/// The value of a literal.
fn constant(expr: &Expr) -> Result<Value, Refusal> {
    let wrong = || Refusal::not_allowed("a default is a literal").at(expr);
    let integer = |digits: &str| digits.parse::<i64>().map_err(|_| wrong());
    match expr {
        Expr::Nested(inner) => constant(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => match constant(inner)? {
            Value::Integer(i) => Ok(Value::Integer(-i)),
            Value::Null | Value::Text(_) | Value::Blob { .. } => Err(wrong()),
        },
        Expr::Value(literal) => match &literal.value {
            Literal::Number(digits, false) => Ok(Value::Integer(integer(digits)?)),
            Literal::SingleQuotedString(text) => Ok(Value::Text(text.clone())),
            Literal::Boolean(truth) => Ok(Value::Integer((*truth).into())),
            Literal::Null => Ok(Value::Null),
            Literal::HexStringLiteral(digits) => unhex(digits).ok_or_else(wrong),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn unhex(digits: &str) -> Option<Value> {
    let bytes = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    Some(Value::Blob { hex: bytes.collect::<Option<_>>()? })
}

pub(super) fn create_index(create: &CreateIndex, schema: &Schema) -> Result<Checked, Refusal> {
    let mut plain = template::create_index();
    plain.name.clone_from(&create.name);
    plain.table_name.clone_from(&create.table_name);
    plain.columns.clone_from(&create.columns);
    plain.unique = create.unique;
    plain.predicate.clone_from(&create.predicate);
    let Some(name) = create.name.as_ref().filter(|_| plain == *create) else {
        return refuse("this form of CREATE INDEX is not accepted", create);
    };
    plain_name(name)?;
    let table = known_table(&create.table_name, schema)?;
    for column in &create.columns {
        check(&column.column.expr, schema, Place::Schema)?;
    }
    if let Some(predicate) = &create.predicate {
        check(predicate, schema, Place::Schema)?;
    }
    Ok(Checked::of_schema(create.to_string(), Action::Index(table.id)))
}

fn known_table<'a>(
    name: &sqlparser::ast::ObjectName,
    schema: &'a Schema,
) -> Result<&'a Table, Refusal> {
    let ident = plain_name(name)?;
    match schema.by_name(&ident.value) {
        Some(table) => Ok(table),
        None => Err(Refusal::schema(format!("no table {}", ident.value)).at(name)),
    }
}

pub(super) fn drop(statement: &Statement, schema: &Schema) -> Result<Checked, Refusal> {
    let Statement::Drop {
        object_type,
        if_exists,
        names,
        cascade: false,
        restrict: false,
        purge: false,
        temporary: false,
        table: None,
    } = statement
    else {
        return refuse("this form of DROP is not accepted", statement);
    };
    let [name] = &names[..] else { return refuse("DROP takes one name", statement) };
    let ident = plain_name(name)?;
    match object_type {
        ObjectType::Table => match schema.by_name(&ident.value) {
            Some(table) => {
                let sql = format!("DROP TABLE {}", quoted(&table.name));
                Ok(Checked::of_schema(sql, Action::DropTable(table.id)))
            }
            None if *if_exists => Ok(Checked::of_schema(String::new(), Action::Nothing)),
            None => Err(Refusal::schema(format!("no table {}", ident.value)).at(name)),
        },
        ObjectType::Index => match table_of_index(&ident.value, schema) {
            Some(table) => {
                let sql = format!("DROP INDEX {}", quoted(&ident.value));
                Ok(Checked::of_schema(sql, Action::Index(table.id)))
            }
            None if *if_exists => Ok(Checked::of_schema(String::new(), Action::Nothing)),
            None => Err(Refusal::schema(format!("no index {}", ident.value)).at(name)),
        },
        _ => refuse("only tables and indexes can be dropped", statement),
    }
}

fn table_of_index<'a>(index: &str, schema: &'a Schema) -> Option<&'a Table> {
    let names_it = |text: &String| {
        let rest = text.split_once(" INDEX ").map(|(_, rest)| rest);
        let name = rest.and_then(|rest| rest.split(" ON ").next());
        name.is_some_and(|name| name.trim_matches('"').eq_ignore_ascii_case(index))
    };
    schema.tables().find(|table| table.sql.iter().any(names_it)).map(|table| &**table)
}

pub(super) fn alter_table(alter: &AlterTable, schema: &Schema) -> Result<Checked, Refusal> {
    let plain = !alter.if_exists
        && !alter.only
        && alter.location.is_none()
        && alter.on_cluster.is_none()
        && alter.table_type.is_none();
    let ([operation], true) = (&alter.operations[..], plain) else {
        return refuse("ALTER TABLE takes one plain change", alter);
    };
    let table = known_table(&alter.name, schema)?;
    let mut changed = table.clone();
    let name = quoted(&table.name);
    match operation {
        AlterTableOperation::AddColumn {
            if_not_exists: false,
            column_def,
            column_position: None,
            ..
        } => add_column(changed, column_def, schema),
        AlterTableOperation::DropColumn {
            column_names,
            if_exists: false,
            drop_behavior: None,
            ..
        } => {
            let [column] = &column_names[..] else {
                return refuse("DROP COLUMN takes one name", alter);
            };
            let at = place(table, column)?;
            if table.is_key(at) {
                return refuse("a column of the primary key cannot be dropped", column);
            }
            changed.columns.remove(at);
            for key in &mut changed.key {
                *key -= u32::from(*key as usize > at);
            }
            let sql = format!("ALTER TABLE {name} DROP COLUMN {}", quoted(&table.columns[at].name));
            Ok(Checked::of_schema(sql, Action::DropColumn(changed)))
        }
        AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
            let at = place(table, old_column_name)?;
            free_name(new_column_name)?;
            changed.columns[at].name.clone_from(&new_column_name.value);
            let (old, new) = (quoted(&table.columns[at].name), quoted(&new_column_name.value));
            let sql = format!("ALTER TABLE {name} RENAME COLUMN {old} TO {new}");
            Ok(Checked::of_schema(sql, Action::AlterTable(changed)))
        }
        AlterTableOperation::RenameTable { table_name: RenameTableNameKind::To(new) } => {
            let new = plain_name(new)?.value.clone();
            if schema.by_name(&new).is_some() {
                return Err(Refusal::schema(format!("table {new} exists already")).at(alter));
            }
            let sql = format!("ALTER TABLE {name} RENAME TO {}", quoted(&new));
            changed.name = new;
            Ok(Checked::of_schema(sql, Action::AlterTable(changed)))
        }
        _ => refuse("this form of ALTER TABLE is not accepted", alter),
    }
}

fn place(table: &Table, name: &Ident) -> Result<usize, Refusal> {
    let at = table.columns.iter().position(|c| c.name.eq_ignore_ascii_case(&name.value));
    at.ok_or_else(|| Refusal::schema(format!("no column {}", name.value)).at(name))
}

/// Rows are not rewritten and no event comes: existing rows read the default, which row hashes
/// leave out.
fn add_column(mut table: Table, column: &ColumnDef, schema: &Schema) -> Result<Checked, Refusal> {
    free_name(&column.name)?;
    if place(&table, &column.name).is_ok() || table.columns.len() >= COLUMNS_MAX {
        let text = format!("column {} exists already", column.name.value);
        return Err(Refusal::schema(text).at(&column.name));
    }
    let Some(kind) = kind(&column.data_type) else {
        return refuse("types are INTEGER, TEXT and BLOB", &column.name);
    };
    let (mut text, mut creation_default) = (String::new(), Value::Null);
    for option in &column.options {
        match &option.option {
            ColumnOption::Null => {}
            ColumnOption::NotNull => text.push_str(" NOT NULL"),
            other => text.push_str(&shared_option(other, column, schema)?),
        }
        if let ColumnOption::Default(expr) = &option.option {
            creation_default = constant(expr)?;
        }
    }
    let fits = match (&creation_default, kind) {
        (Value::Null, _)
        | (Value::Integer(_), Kind::Integer)
        | (Value::Text(_), Kind::Text)
        | (Value::Blob { .. }, Kind::Blob) => true,
        (Value::Integer(_) | Value::Text(_) | Value::Blob { .. }, _) => false,
    };
    if !fits {
        return refuse("the default is not of the column's type", &column.name);
    }
    let name = column.name.value.clone();
    let sql = format!(
        "ALTER TABLE {} ADD COLUMN {} {}{text}",
        quoted(&table.name),
        quoted(&name),
        kind.sql()
    );
    table.columns.push(Column { id: table.next_column, name, kind, creation_default });
    table.next_column += 1;
    Ok(Checked::of_schema(sql, Action::AlterTable(table)))
}
