//! Queries: read only, on connections of their own, bounded in time and size.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use ledger_types::{PublicKey, Roles, Value};
use rusqlite::{Connection, ErrorCode, OpenFlags, limits::Limit, types::ValueRef};

use crate::{
    access, authorizer,
    error::StateError,
    functions,
    meter::{Meter, STEPS_UNIT, WORK_MAX},
    past::{self, KeptHeights},
    row::{bind, size},
};

/// What one query may use.
#[derive(Clone, Copy, Debug)]
pub struct QueryLimits {
    /// Rows at most.
    pub rows: usize,
    /// Bytes of all values at most.
    pub bytes: usize,
    /// Virtual machine steps at most.
    pub steps: u64,
    /// How long at most.
    pub time: Duration,
}

impl Default for QueryLimits {
    /// 10,000 rows, 8 MiB, 50 million steps (about a second) and ten seconds.
    fn default() -> Self {
        let time = Duration::from_secs(10);
        Self { rows: 10_000, bytes: 8 * 1024 * 1024, steps: 50_000_000, time }
    }
}

/// A query's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values in order of the columns; floating point results are texts.
    pub rows: Vec<Vec<Value>>,
    /// The executed height that the answer is of.
    pub height: u64,
    /// Whether rows were left out because of a limit.
    pub truncated: bool,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The query itself is wrong; for the user.
    #[error("{0}")]
    Query(String),
    /// It would change something or look where it may not.
    #[error("only reading the ledger's tables is accepted: {0}")]
    NotPermitted(String),
    /// It takes too many steps or too long.
    #[error("the query takes more than {} steps or {} s", .0.steps, .0.time.as_secs())]
    TooLong(QueryLimits),
    /// The file cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(error.into())
    }
}

/// A read-only connection.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    meter: Arc<Meter>,
    opened: Instant,
    /// When the query must have ended, in milliseconds since the reader was opened.
    ends_ms: Arc<AtomicU64>,
    /// The height of a view of the past; the head's is read with each query.
    fixed: Option<u64>,
}

impl Reader {
    /// Opens a state file for reading.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096")?;
        authorizer::install_for_reading(&connection)?;
        // A value that is longer than a whole answer may be is no use, and eight queries run at once.
        let bytes = i32::try_from(QueryLimits::default().bytes).unwrap_or(i32::MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes)?;
        let meter = Arc::new(Meter::default());
        functions::install(&connection, &meter)?;
        let (opened, ends_ms) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let (watched, ends) = (meter.clone(), ends_ms.clone());
        let unit = i32::try_from(STEPS_UNIT).expect("a small constant");
        connection.progress_handler(
            unit,
            Some(move || watched.tick() || since_ms(opened) > ends.load(Relaxed)),
        )?;
        Ok(Self { connection, meter, opened, ends_ms, fixed: None })
    }

    /// Opens a view of the past.
    pub(crate) fn open_past(path: &Path, height: u64) -> Result<Self, StateError> {
        Ok(Self { fixed: Some(height), ..Self::open(path)? })
    }

    /// Runs one SELECT at the executed height, or at the height of the view.
    ///
    /// # Errors
    /// When the query is wrong, not permitted or too long, or the file cannot be read.
    pub fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
        limits: QueryLimits,
    ) -> Result<Rows, QueryError> {
        self.in_snapshot(|reader| {
            let height = reader.height()?;
            reader.query_in_snapshot(sql, parameters, limits, height)
        })
    }

    /// Like [`Reader::query`], but only if that height is `height`; `None` otherwise.
    ///
    /// # Errors
    /// As [`Reader::query`].
    pub fn query_if_at(
        &mut self,
        height: u64,
        sql: &str,
        parameters: &[Value],
        limits: QueryLimits,
    ) -> Result<Option<Rows>, QueryError> {
        self.in_snapshot(|reader| {
            if reader.height()? != height {
                return Ok(None);
            }
            reader.query_in_snapshot(sql, parameters, limits, height).map(Some)
        })
    }

    fn in_snapshot<T>(
        &mut self,
        act: impl FnOnce(&Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        self.connection.execute_batch("BEGIN")?;
        let result = act(self);
        self.connection.execute_batch("ROLLBACK")?;
        result
    }

    fn query_in_snapshot(
        &self,
        sql: &str,
        parameters: &[Value],
        limits: QueryLimits,
        height: u64,
    ) -> Result<Rows, QueryError> {
        let time_ms = u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX);
        self.ends_ms.store(since_ms(self.opened).saturating_add(time_ms), Relaxed);
        self.meter.begin_query(limits.steps, WORK_MAX, limits.bytes);
        let result = self.collect(sql, parameters, limits, height);
        self.meter.end();
        self.ends_ms.store(u64::MAX, Relaxed);
        result
    }

    fn collect(
        &self,
        sql: &str,
        parameters: &[Value],
        limits: QueryLimits,
        height: u64,
    ) -> Result<Rows, QueryError> {
        let wrong = |error| sort(error, limits);
        let mut statement = self.connection.prepare(sql).map_err(wrong)?;
        if !statement.readonly() || statement.column_count() == 0 {
            return Err(QueryError::NotPermitted("the statement is no query".into()));
        }
        if statement.parameter_count() != parameters.len() {
            let text = format!(
                "the query has {} parameters, {} were given",
                statement.parameter_count(),
                parameters.len()
            );
            return Err(QueryError::Query(text));
        }
        for (at, value) in parameters.iter().enumerate() {
            bind(&mut statement, at + 1, value).map_err(wrong)?;
        }
        let columns: Vec<String> =
            statement.column_names().into_iter().map(str::to_owned).collect();
        let (mut rows, mut bytes, mut truncated) = (Vec::new(), 0, false);
        let mut found = statement.raw_query();
        while let Some(row) = found.next().map_err(wrong)? {
            let mut values = Vec::with_capacity(columns.len());
            for at in 0..columns.len() {
                let value = shown(row.get_ref(at).map_err(wrong)?);
                bytes += size(&value);
                values.push(value);
            }
            if rows.len() >= limits.rows || bytes > limits.bytes {
                truncated = true;
                break;
            }
            rows.push(values);
        }
        Ok(Rows { columns, rows, height, truncated })
    }

    /// The height of the current snapshot.
    fn height(&self) -> Result<u64, QueryError> {
        match self.fixed {
            Some(height) => Ok(height),
            None => Ok(self.kept_heights()?.to),
        }
    }

    /// The heights that can be asked for.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn kept_heights(&self) -> Result<KeptHeights, StateError> {
        // The node's own tables: the authorizer is for users' queries only.
        self.connection.authorizer(
            None::<fn(rusqlite::hooks::AuthContext<'_>) -> rusqlite::hooks::Authorization>,
        )?;
        let kept = past::kept_heights(&self.connection, "");
        authorizer::install_for_reading(&self.connection)?;
        kept
    }

    /// What a key may do, and whose it is: `(member, roles)`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn roles(&self, key: &PublicKey) -> Result<Option<(u32, Roles)>, StateError> {
        access::find(&self.connection, key)
    }
}

fn sort(error: rusqlite::Error, limits: QueryLimits) -> QueryError {
    match &error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            let text = message.clone().unwrap_or_else(|| failure.to_string());
            match failure.code {
                ErrorCode::OperationInterrupted => QueryError::TooLong(limits),
                ErrorCode::AuthorizationForStatementDenied => QueryError::NotPermitted(text),
                ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
                    QueryError::Query(text)
                }
                _ => QueryError::State(error.into()),
            }
        }
        rusqlite::Error::SqlInputError { msg, error: failure, .. } => match failure.code {
            ErrorCode::AuthorizationForStatementDenied => QueryError::NotPermitted(msg.clone()),
            _ => QueryError::Query(msg.clone()),
        },
        rusqlite::Error::MultipleStatement => {
            QueryError::Query("a text holds exactly one statement".into())
        }
        _ => QueryError::State(error.into()),
    }
}

fn since_ms(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn shown(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Integer(i),
        ValueRef::Real(number) => Value::Text(number.to_string()),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob { hex: bytes.to_vec() },
    }
}
