//! Points in time.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A point in time in UTC with microseconds, which is what the database keeps: a value that was
/// stored and read again is equal to the original.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(value_type = String, format = DateTime, example = "2026-01-31T08:30:00Z")
)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The point `micros` microseconds after 1970, if the calendar reaches that far.
    #[must_use]
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok().map(Self)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000)
            .expect("the years of OffsetDateTime fit 64 bits of microseconds")
    }

    /// Whole seconds since 1970, as tokens count.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// As the database driver wants it.
    #[must_use]
    pub const fn to_offset(self) -> OffsetDateTime {
        self.0
    }

    /// Time since `earlier`, or nothing if that lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        (self.0 - earlier.0).try_into().ok()
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(at: OffsetDateTime) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        let micros = at.nanosecond() / 1_000 * 1_000;
        Self(at.replace_nanosecond(micros).expect("fewer nanoseconds than before"))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self::from(self.0 + by)
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self::from(self.0 - by)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.format(&Rfc3339).map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(Self::from)
            .map_err(|_| D::Error::custom("a time is written as in RFC 3339"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PostgreSQL keeps microseconds: a finer value would differ from itself after a round trip.
    #[test]
    fn a_timestamp_has_whole_microseconds_in_utc() {
        let fine = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_456_789)
            .expect("a year of this century")
            .to_offset(UtcOffset::from_hms(8, 0, 0).expect("eight hours"));
        let at = Timestamp::from(fine);
        assert_eq!(at.unix_micros(), 1_700_000_000_123_456);
        assert_eq!(Timestamp::from_unix_micros(at.unix_micros()), Some(at));
        assert_eq!(
            serde_json::to_string(&at).ok().as_deref(),
            Some("\"2023-11-14T22:13:20.123456Z\"")
        );
    }
}
