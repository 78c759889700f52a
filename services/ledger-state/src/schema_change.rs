//! Brings registry and tree in line with a statement that changed the schema.

use std::sync::Arc;

use crate::{
    error::StateError,
    row::TableRows,
    schema::Table,
    sql::Action,
    state::State,
    tree::{BucketChange, Tree, node::Node},
};

impl State {
    /// Does to registry and tree what the statement has done to SQLite's tables.
    pub(crate) fn follow(
        &mut self,
        action: &Action,
        changes: &mut Vec<BucketChange>,
    ) -> Result<(), StateError> {
        let captured = &self.captured;
        let connection = captured.connection();
        match action {
            Action::Rows | Action::Nothing => return Ok(()),
            Action::CreateTable(table) => self.schema.put(connection, table.clone())?,
            Action::DropTable(id) => {
                self.schema.remove(connection, *id)?;
                forget_table(&mut self.tree, *id, changes);
                // Dropping deletes the rows one by one; they are no longer anybody's. What it did
                // to other tables through foreign keys stays noted.
                captured.capture(|c| c.forget_table(*id));
            }
            Action::AlterTable(table) => {
                self.schema.put(connection, table.clone())?;
                self.refresh_sql()?;
            }
            Action::DropColumn(table) => {
                self.schema.put(connection, table.clone())?;
                self.rebuild_table(table, changes)?;
                self.captured.capture(|c| c.forget_table(table.id));
            }
            Action::Index(id) => {
                if let Some(table) = self.schema.by_id(*id).cloned() {
                    self.schema.put(connection, (*table).clone())?;
                }
            }
        }
        self.learn_tables();
        Ok(())
    }

    /// A rename also changes the text of tables that refer to the renamed one.
    fn refresh_sql(&mut self) -> Result<(), StateError> {
        let tables: Vec<Arc<Table>> = self.schema.tables().cloned().collect();
        for table in tables {
            self.schema.put(self.captured.connection(), (*table).clone())?;
        }
        Ok(())
    }

    fn rebuild_table(
        &mut self,
        table: &Table,
        changes: &mut Vec<BucketChange>,
    ) -> Result<(), StateError> {
        forget_table(&mut self.tree, table.id, changes);
        let rows = TableRows::new(self.captured.connection(), table).all()?;
        let mut made = Vec::new();
        self.tree.set(table.id, Node::build(table.id, &rows, &mut made));
        changes.extend(made.into_iter().map(|b| (table.id, b.min.clone(), Some(b))));
        Ok(())
    }
}

fn forget_table(tree: &mut Tree, id: u32, changes: &mut Vec<BucketChange>) {
    if let Some(node) = tree.take(id) {
        node.visit_from(None, &mut |bucket| {
            changes.push((id, bucket.min.clone(), None));
            true
        });
    }
}
