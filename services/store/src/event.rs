//! The event stream, in the order of commits.

use hansa_core::{Error, Refusal, Result, TenantId, Timestamp, Uuid};
use hansa_types::{Event, EventKind, Target};
use sqlx::{PgConnection, postgres::PgRow};

use crate::{
    error::database,
    notify::notify,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// Something that changed, for one tenant or for all who see a consortium.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The tenant that it is for; otherwise everybody who sees the target's consortium.
    pub tenant: Option<TenantId>,
    /// What changed.
    pub kind: EventKind,
    /// Its id.
    pub subject_id: Uuid,
    /// Where it belongs.
    pub target: Target,
    /// When.
    pub at: Timestamp,
}

/// A place in the stream: the transaction that wrote the event, and the event's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition {
    xact: u64,
    sequence: i64,
}

impl std::fmt::Display for EventPosition {
    /// `<transaction>-<number>`, the id of a server-sent event.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.xact, self.sequence)
    }
}

impl std::str::FromStr for EventPosition {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (xact, sequence) = text.split_once('-').ok_or(())?;
        let position =
            Self { xact: xact.parse().map_err(drop)?, sequence: sequence.parse().map_err(drop)? };
        // One written form for one place: no signs, no zeros in front.
        if position.to_string() == text { Ok(position) } else { Err(()) }
    }
}

impl TenantTx {
    /// Writes an event, to be seen when this transaction commits.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn event_insert(&mut self, event: &NewEvent) -> Result<()> {
        insert(self.connection(), event).await
    }

    /// Where the stream ends now: later events come after this.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn event_end(&mut self) -> Result<EventPosition> {
        let row = sqlx::query(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xact, 0::bigint AS sequence",
        )
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        position(&row)
    }

    /// The next events after a place, oldest first, at most `most`.
    ///
    /// # Errors
    /// [`Refusal::EventsExpired`] when events after that place were removed.
    pub async fn event_list(
        &mut self,
        after: EventPosition,
        most: u16,
    ) -> Result<Vec<(EventPosition, Event)>> {
        let gone: bool =
            sqlx::query_scalar("SELECT (xact, sequence) > ($1::text::xid8, $2) FROM event_horizon")
                .bind(after.xact.to_string())
                .bind(after.sequence)
                .fetch_one(self.connection())
                .await
                .map_err(database)?;
        if gone {
            return Err(Refusal::EventsExpired.into());
        }
        let rows = sqlx::query(
            "SELECT xact::text AS xact, sequence, kind, subject_id, consortium_id, ledger_id, \
             node_id, at FROM event \
             WHERE (xact, sequence) > ($1::text::xid8, $2) \
             AND xact < pg_snapshot_xmin(pg_current_snapshot()) \
             ORDER BY xact, sequence LIMIT $3",
        )
        .bind(after.xact.to_string())
        .bind(after.sequence)
        .bind(i64::from(most))
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        rows.iter().map(|row| Ok((position(row)?, read(row)?))).collect()
    }
}

impl SystemTx {
    /// Writes an event, to be seen when this transaction commits.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn event_insert(&mut self, event: &NewEvent) -> Result<()> {
        insert(self.connection(), event).await
    }

    /// Removes events from before a time, and remembers up to where.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn event_prune(&mut self, before: Timestamp) -> Result<u64> {
        let rows =
            sqlx::query("DELETE FROM event WHERE at < $1 RETURNING xact::text AS xact, sequence")
                .bind(before.to_offset())
                .fetch_all(self.connection())
                .await
                .map_err(database)?;
        let places = rows.iter().map(position).collect::<Result<Vec<_>>>()?;
        if let Some(last) = places.iter().max() {
            sqlx::query(
                "UPDATE event_horizon SET xact = $1::text::xid8, sequence = $2 \
                 WHERE (xact, sequence) < ($1::text::xid8, $2)",
            )
            .bind(last.xact.to_string())
            .bind(last.sequence)
            .execute(self.connection())
            .await
            .map_err(database)?;
        }
        Ok(rows.len() as u64)
    }
}

async fn insert(connection: &mut PgConnection, event: &NewEvent) -> Result<()> {
    let NewEvent { tenant, kind, subject_id, target, at } = event;
    sqlx::query(
        "INSERT INTO event (tenant_id, consortium_id, kind, subject_id, ledger_id, node_id, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant.map(TenantId::uuid))
    .bind(target.consortium_id.map(|id| id.uuid()))
    .bind(kind.as_str())
    .bind(subject_id)
    .bind(target.ledger_id.map(|id| id.uuid()))
    .bind(target.node_id.map(|id| id.uuid()))
    .bind(at.to_offset())
    .execute(&mut *connection)
    .await
    .map_err(database)?;
    notify(connection).await
}

fn position(row: &PgRow) -> Result<EventPosition> {
    let row = Read(row);
    let xact: String = row.get("xact")?;
    Ok(EventPosition {
        xact: xact.parse().map_err(Error::internal)?,
        sequence: row.get("sequence")?,
    })
}

fn read(row: &PgRow) -> Result<Event> {
    let row = Read(row);
    Ok(Event {
        kind: row.text("kind")?,
        subject_id: row.get("subject_id")?,
        target: Target {
            consortium_id: row.id_opt("consortium_id")?,
            ledger_id: row.id_opt("ledger_id")?,
            node_id: row.id_opt("node_id")?,
        },
        at: row.time("at")?,
    })
}
