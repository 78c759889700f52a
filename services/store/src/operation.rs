//! Operations: what a tenant asked for, and the lease of whoever works on it.

use std::time::Duration;

use hansa_core::{
    Error, Generation, Kind, OperationId, Page, PageRequest, Position, Refusal, Result, Timestamp,
    Uuid,
};
use hansa_types::{
    EventKind, Operation, OperationKind, OperationReason, OperationState, OperationStep, StepState,
    Target,
};
use sqlx::{postgres::PgRow, types::Json};

use crate::{
    error::database,
    event::NewEvent,
    notify::notify,
    row::Read,
    tx::{SystemTx, TenantTx},
};

/// An operation to be recorded.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// Its id.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// What it is about.
    pub target: Target,
    /// When it is asked for.
    pub now: Timestamp,
    /// How long it may take.
    pub time_max: Duration,
}

/// The right to work on an operation: until its time passes, and only in this generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The operation.
    pub operation: OperationId,
    /// Grows with each holder: the earlier ones can write no more.
    pub generation: Generation,
}

/// An operation that was leased.
#[derive(Clone, Debug)]
pub struct LeasedOperation {
    /// The right to work on it.
    pub lease: Lease,
    /// Whose it is.
    pub tenant: hansa_core::TenantId,
    /// How often it was taken up, this time included.
    pub attempt: u32,
    /// The operation.
    pub operation: Operation,
}

impl TenantTx {
    /// Records an operation and tells whoever waits.
    ///
    /// # Errors
    /// [`Refusal::OperationInProgress`] when one on the same object has not ended.
    pub async fn operation_insert(&mut self, new: &NewOperation) -> Result<Operation> {
        let NewOperation { id, kind, target, now, time_max } = new;
        let scope = *self.scope();
        let steps: Vec<OperationStep> = kind
            .steps()
            .iter()
            .map(|name| OperationStep {
                name: (*name).to_owned(),
                state: StepState::Pending,
                started_at: None,
                finished_at: None,
            })
            .collect();
        let row = sqlx::query(
            "INSERT INTO operation (id, tenant_id, kind, consortium_id, ledger_id, node_id, steps, \
             actor, request_id, created_at, deadline_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *",
        )
        .bind(id.uuid())
        .bind(scope.tenant().uuid())
        .bind(kind.as_str())
        .bind(target.consortium_id.map(|id| id.uuid()))
        .bind(target.ledger_id.map(|id| id.uuid()))
        .bind(target.node_id.map(|id| id.uuid()))
        .bind(Json(&steps))
        .bind(scope.actor().to_string())
        .bind(scope.request().uuid())
        .bind(now.to_offset())
        .bind((*now + *time_max).to_offset())
        .fetch_one(self.connection())
        .await
        .map_err(database)?;
        let operation = read(&row)?;
        self.event_insert(&NewEvent::of_operation(&operation, scope.tenant(), *now)).await?;
        Ok(operation)
    }

    /// An operation of the own tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn operation_get(&mut self, id: OperationId) -> Result<Operation> {
        let row = sqlx::query("SELECT * FROM operation WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await
            .map_err(database)?;
        row.as_ref().map(read).transpose()?.ok_or(Error::NotFound(Kind::Operation))
    }

    /// The own tenant's operations, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn operation_list(
        &mut self,
        state: Option<OperationState>,
        page: PageRequest,
    ) -> Result<Page<Operation>> {
        let rows = sqlx::query(
            "SELECT * FROM operation WHERE ($1::text IS NULL OR state = $1) \
             AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(state.map(OperationState::as_str))
        .bind(page.after.map(Position::id))
        .bind(i64::from(page.size.get()) + 1)
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let operations = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page::of(operations, page.size, |o: &Operation| Position::after_id(o.id.uuid())))
    }

    /// Asks to end an operation. One that nobody has taken up ends at once; otherwise its holder
    /// ends it at its next step.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Refusal::OperationEnded`].
    pub async fn operation_cancel(&mut self, id: OperationId, now: Timestamp) -> Result<Operation> {
        let row = sqlx::query(
            "UPDATE operation SET cancel_requested = true, revision = revision + 1, \
             state = CASE WHEN state = 'pending' THEN 'cancelled' ELSE state END, \
             reason = CASE WHEN state = 'pending' THEN 'cancelled' ELSE reason END, \
             finished_at = CASE WHEN state = 'pending' THEN $2 ELSE finished_at END \
             WHERE id = $1 AND finished_at IS NULL RETURNING *",
        )
        .bind(id.uuid())
        .bind(now.to_offset())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?;
        let Some(row) = row else {
            return self.operation_get(id).await.and(Err(Refusal::OperationEnded.into()));
        };
        let operation = read(&row)?;
        let tenant = self.scope().tenant();
        self.event_insert(&NewEvent::of_operation(&operation, tenant, now)).await?;
        Ok(operation)
    }
}

impl SystemTx {
    /// Whether somebody asked to end an operation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn operation_cancel_requested(&mut self, id: OperationId) -> Result<bool> {
        sqlx::query_scalar("SELECT cancel_requested FROM operation WHERE id = $1")
            .bind(id.uuid())
            .fetch_one(self.connection())
            .await
            .map_err(database)
    }

    /// How many operations have not ended, by state.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn operation_open_counts(&mut self) -> Result<Vec<(OperationState, i64)>> {
        let rows = sqlx::query(
            "SELECT state, count(*) AS number FROM operation WHERE finished_at IS NULL \
             GROUP BY state",
        )
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        let count = |row: &PgRow| Ok((Read(row).text("state")?, Read(row).get("number")?));
        rows.iter().map(count).collect()
    }

    /// Takes up to `most` open operations that nobody holds, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn operation_lease(
        &mut self,
        owner: Uuid,
        now: Timestamp,
        time: Duration,
        most: u16,
    ) -> Result<Vec<LeasedOperation>> {
        let rows = sqlx::query(
            "UPDATE operation SET lease_owner = $1, lease_until = $2, attempt = attempt + 1, \
             generation = generation + 1, revision = revision + 1, \
             state = 'running' \
             WHERE id IN (SELECT id FROM operation WHERE finished_at IS NULL \
             AND (lease_until IS NULL OR lease_until < $3) \
             ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING *",
        )
        .bind(owner)
        .bind((now + time).to_offset())
        .bind(now.to_offset())
        .bind(i64::from(most))
        .fetch_all(self.connection())
        .await
        .map_err(database)?;
        rows.iter().map(read_leased).collect()
    }

    /// Writes the progress of a leased operation and extends or gives back its lease.
    ///
    /// # Errors
    /// [`Error::Stale`] when somebody else holds it by now: stop working on it.
    pub async fn operation_progress(
        &mut self,
        lease: Lease,
        steps: &[OperationStep],
        deadline_at: Timestamp,
        lease_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Operation> {
        let row = sqlx::query(
            "UPDATE operation SET steps = $3, lease_until = $4, deadline_at = $5, \
             lease_owner = CASE WHEN $4::timestamptz IS NULL THEN NULL ELSE lease_owner END, \
             revision = revision + 1 \
             WHERE id = $1 AND generation = $2 AND finished_at IS NULL RETURNING *",
        )
        .bind(lease.operation.uuid())
        .bind(lease.generation.get())
        .bind(Json(steps))
        .bind(lease_until.map(Timestamp::to_offset))
        .bind(deadline_at.to_offset())
        .fetch_optional(self.connection())
        .await
        .map_err(database)?
        .ok_or(Error::Stale)?;
        self.tell(&row, now).await
    }

    /// Ends a leased operation. A failure needs a reason.
    ///
    /// # Errors
    /// [`Error::Stale`] when somebody else holds it by now.
    pub async fn operation_finish(
        &mut self,
        lease: Lease,
        steps: &[OperationStep],
        state: OperationState,
        reason: Option<OperationReason>,
        now: Timestamp,
    ) -> Result<Operation> {
        let row = sqlx::query(
            "UPDATE operation SET state = $3, reason = $4, finished_at = $5, steps = $6, \
             lease_owner = NULL, \
             lease_until = NULL, revision = revision + 1 \
             WHERE id = $1 AND generation = $2 AND finished_at IS NULL RETURNING *",
        )
        .bind(lease.operation.uuid())
        .bind(lease.generation.get())
        .bind(state.as_str())
        .bind(reason.map(OperationReason::as_str))
        .bind(now.to_offset())
        .bind(Json(steps))
        .fetch_optional(self.connection())
        .await
        .map_err(database)?
        .ok_or(Error::Stale)?;
        self.tell(&row, now).await
    }

    async fn tell(&mut self, row: &PgRow, now: Timestamp) -> Result<Operation> {
        let operation = read(row)?;
        let tenant = Read(row).id("tenant_id")?;
        self.event_insert(&NewEvent::of_operation(&operation, tenant, now)).await?;
        notify(self.connection()).await?;
        Ok(operation)
    }
}

impl NewEvent {
    pub(crate) fn of_operation(
        operation: &Operation,
        tenant: hansa_core::TenantId,
        at: Timestamp,
    ) -> Self {
        Self {
            tenant: Some(tenant),
            kind: EventKind::Operation,
            subject_id: operation.id.uuid(),
            target: operation.target,
            at,
        }
    }
}

fn read(row: &PgRow) -> Result<Operation> {
    let row = Read(row);
    let reason: Option<OperationReason> = row.text_opt("reason")?;
    Ok(Operation {
        id: row.id("id")?,
        kind: row.text("kind")?,
        target: Target {
            consortium_id: row.id_opt("consortium_id")?,
            ledger_id: row.id_opt("ledger_id")?,
            node_id: row.id_opt("node_id")?,
        },
        state: row.text("state")?,
        steps: row.json("steps")?,
        reason,
        next_action: reason.map(OperationReason::next_action),
        cancel_requested: row.get("cancel_requested")?,
        deadline_at: row.time("deadline_at")?,
        revision: row.number("revision")?,
        created_at: row.time("created_at")?,
        finished_at: row.time_opt("finished_at")?,
    })
}

fn read_leased(row: &PgRow) -> Result<LeasedOperation> {
    let operation = read(row)?;
    let row = Read(row);
    Ok(LeasedOperation {
        lease: Lease { operation: operation.id, generation: row.number("generation")? },
        tenant: row.id("tenant_id")?,
        attempt: u32::try_from(row.get::<i32>("attempt")?).map_err(Error::internal)?,
        operation,
    })
}
