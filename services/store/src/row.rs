//! Reads columns into our types. What the database holds was checked before it was written, so
//! anything else is a fault of ours (or of an older release) and is named with its column.

use hansa_core::{Error, Name, Result, Timestamp, Uuid};
use serde::de::DeserializeOwned;
use sqlx::{Decode, Postgres, Row, Type, postgres::PgRow};
use time::OffsetDateTime;

/// One row.
pub(crate) struct Read<'r>(pub(crate) &'r PgRow);

impl<'r> Read<'r> {
    pub(crate) fn get<T: Decode<'r, Postgres> + Type<Postgres>>(&self, column: &str) -> Result<T> {
        self.0.try_get(column).map_err(Error::internal)
    }

    pub(crate) fn id<T: From<Uuid>>(&self, column: &str) -> Result<T> {
        self.get::<Uuid>(column).map(T::from)
    }

    pub(crate) fn id_opt<T: From<Uuid>>(&self, column: &str) -> Result<Option<T>> {
        Ok(self.get::<Option<Uuid>>(column)?.map(T::from))
    }

    pub(crate) fn number<T: From<i64>>(&self, column: &str) -> Result<T> {
        self.get::<i64>(column).map(T::from)
    }

    /// Text that has a checked form: a name, an address, a word of an enum.
    pub(crate) fn text<T: TryFrom<String>>(&self, column: &str) -> Result<T>
    where
        T::Error: std::fmt::Display,
    {
        parse(column, self.get(column)?)
    }

    pub(crate) fn text_opt<T: TryFrom<String>>(&self, column: &str) -> Result<Option<T>>
    where
        T::Error: std::fmt::Display,
    {
        self.get::<Option<String>>(column)?.map(|text| parse(column, text)).transpose()
    }

    pub(crate) fn name(&self, column: &str) -> Result<Name> {
        self.text(column)
    }

    pub(crate) fn time(&self, column: &str) -> Result<Timestamp> {
        self.get::<OffsetDateTime>(column).map(Timestamp::from)
    }

    pub(crate) fn time_opt(&self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.get::<Option<OffsetDateTime>>(column)?.map(Timestamp::from))
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        self.get::<sqlx::types::Json<T>>(column).map(|json| json.0)
    }

    pub(crate) fn json_opt<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        Ok(self.get::<Option<sqlx::types::Json<T>>>(column)?.map(|json| json.0))
    }

    pub(crate) fn bytes<const N: usize>(&self, column: &str) -> Result<[u8; N]> {
        let bytes: Vec<u8> = self.get(column)?;
        bytes.try_into().map_err(|_| Error::internal(format!("column {column} has another length")))
    }
}

fn parse<T: TryFrom<String>>(column: &str, text: String) -> Result<T>
where
    T::Error: std::fmt::Display,
{
    T::try_from(text).map_err(|why| Error::internal(format!("column {column}: {why}")))
}
