//! Compares rows with the tree, a little at a time: finds rows that somebody edited in the file.

use rusqlite::{Connection, OpenFlags};

use crate::{
    error::StateError,
    execute::tampered,
    row::TableRows,
    state::State,
    tree::{
        Mismatch,
        key::Key,
        node::{Bucket, Rows as _, bucket_digest},
        store::unsigned,
    },
};

/// A tour over all buckets, in steps that the caller paces between blocks.
#[derive(Clone, Debug, Default)]
pub struct Scrub {
    next: Option<(u32, Key)>,
}

/// What a step has done.
#[derive(Debug, Default)]
pub struct ScrubReport {
    /// Rows compared.
    pub rows: u64,
    /// Whether the step came to the end of a tour.
    pub finished: bool,
}

impl Scrub {
    /// Compares at least one bucket and about `rows` rows, read anew from the file.
    ///
    /// # Errors
    /// [`StateError::Tampered`] with the table and keys of the first rows that are not what this
    /// node wrote, or what reading fails with.
    pub fn step(&mut self, state: &State, rows: u64) -> Result<ScrubReport, StateError> {
        // A connection of its own, with nothing cached: the writer's cache would hide an edit.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&state.path, flags)?;
        connection.execute_batch("PRAGMA cache_size = -2048; PRAGMA mmap_size = 0; BEGIN")?;
        let mut buckets = Vec::new();
        let (mut wanted, mut after) = (0, None);
        state.tree.visit_from(self.next.as_ref(), &mut |table, bucket| {
            if wanted >= rows.max(1) {
                after = Some((table, bucket.min.clone()));
                return false;
            }
            wanted += bucket.count;
            buckets.push((table, bucket.clone()));
            true
        });
        for group in buckets.chunk_by(|a, b| a.0 == b.0) {
            check_group(state, &connection, group)?;
        }
        if after.is_none() {
            check_counts(state, &connection)?;
        }
        let finished = after.is_none();
        self.next = after;
        Ok(ScrubReport { rows: wanted, finished })
    }

    /// Compares everything once.
    ///
    /// # Errors
    /// As [`Scrub::step`].
    pub fn whole_tour(state: &State) -> Result<ScrubReport, StateError> {
        Self::default().step(state, u64::MAX)
    }
}

/// One table's neighbouring buckets: each must have its digest.
fn check_group(
    state: &State,
    connection: &Connection,
    group: &[(u32, Bucket)],
) -> Result<(), StateError> {
    let id = group[0].0;
    let Some(table) = state.schema.by_id(id) else {
        return Err(StateError::Stored("the tree has a table that the schema lacks"));
    };
    let mut rows = TableRows::new(connection, table);
    for (_, bucket) in group {
        let now = rows.rows(&bucket.min, &bucket.max)?;
        if now.len() as u64 != bucket.count || bucket_digest(id, now.iter()) != bucket.digest {
            let (min, max) = (bucket.min.clone(), bucket.max.clone());
            return Err(tampered(&table.name, &Mismatch { table: id, min, max }));
        }
    }
    Ok(())
}

/// Rows between buckets belong to none of them: the number of all rows shows them.
fn check_counts(state: &State, connection: &Connection) -> Result<(), StateError> {
    for table in state.schema.tables() {
        let name = crate::schema::quoted(&table.name);
        let count = format!("SELECT count(*) FROM {name}");
        let stored = unsigned(connection.query_row(&count, [], |row| row.get(0))?)?;
        let known = state.tree.table(table.id).map_or(0, crate::tree::node::Node::count);
        if stored != known {
            return Err(StateError::Tampered {
                table: table.name.clone(),
                from: format!("{known} rows"),
                to: format!("{stored} rows"),
            });
        }
    }
    Ok(())
}
