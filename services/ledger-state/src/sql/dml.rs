//! INSERT, UPDATE, DELETE.

use sqlparser::ast::{Delete, FromTable, Insert, OnInsert, SqliteOnConflict, TableObject, Update};

use super::{
    Refusal,
    expression::{Place, check, source_is_ordered},
    template,
};
use crate::schema::Schema;

pub(super) fn insert(insert: &Insert, schema: &Schema) -> Result<(), Refusal> {
    let mut plain = template::insert();
    plain.or.clone_from(&insert.or);
    plain.replace_into = insert.replace_into;
    plain.table.clone_from(&insert.table);
    plain.table_alias.clone_from(&insert.table_alias);
    plain.columns.clone_from(&insert.columns);
    plain.source.clone_from(&insert.source);
    plain.on.clone_from(&insert.on);
    let accepted = plain == *insert
        && matches!(insert.table, TableObject::TableName(_))
        && matches!(insert.on, None | Some(OnInsert::OnConflict(_)));
    if !accepted {
        return Err(Refusal::not_allowed("this form of INSERT is not accepted").at(insert));
    }
    conflict(insert.or.as_ref())?;
    check(insert, schema, Place::Statement)?;
    match &insert.source {
        Some(source) if source_is_ordered(source, schema) => Ok(()),
        Some(source) => Err(Refusal::not_allowed(
            "INSERT … SELECT needs one table and an ORDER BY over its whole primary key",
        )
        .at(&**source)),
        None => Err(Refusal::not_allowed("INSERT needs VALUES or SELECT").at(insert)),
    }
}

pub(super) fn update(update: &Update, schema: &Schema) -> Result<(), Refusal> {
    let mut plain = template::update();
    plain.or.clone_from(&update.or);
    plain.table.clone_from(&update.table);
    plain.assignments.clone_from(&update.assignments);
    plain.selection.clone_from(&update.selection);
    if plain != *update || !update.table.joins.is_empty() {
        return Err(Refusal::not_allowed("this form of UPDATE is not accepted").at(update));
    }
    conflict(update.or.as_ref())?;
    check(update, schema, Place::Statement)
}

pub(super) fn delete(delete: &Delete, schema: &Schema) -> Result<(), Refusal> {
    let mut plain = template::delete();
    plain.from.clone_from(&delete.from);
    plain.selection.clone_from(&delete.selection);
    let one_table = match &delete.from {
        FromTable::WithFromKeyword(from) => from.len() == 1 && from[0].joins.is_empty(),
        FromTable::WithoutKeyword(_) => false,
    };
    if plain != *delete || !one_table {
        return Err(Refusal::not_allowed("this form of DELETE is not accepted").at(delete));
    }
    check(delete, schema, Place::Statement)
}

/// OR ROLLBACK would undo the whole block, OR FAIL keep half a statement.
fn conflict(or: Option<&SqliteOnConflict>) -> Result<(), Refusal> {
    match or {
        None
        | Some(SqliteOnConflict::Abort | SqliteOnConflict::Ignore | SqliteOnConflict::Replace) => {
            Ok(())
        }
        Some(SqliteOnConflict::Rollback | SqliteOnConflict::Fail) => {
            Err(Refusal::not_allowed("OR ROLLBACK and OR FAIL are not accepted"))
        }
    }
}
