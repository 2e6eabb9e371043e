//! Milliseconds of UTC and half-open ranges of them.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, SecondsFormat};
use serde::{Deserialize, Serialize};

use crate::Error;

/// UTC milliseconds since the Unix epoch, the exchange's unit of time.
pub type Millis = i64;

const DAY: i64 = 86_400_000;

/// Years that are taken for a typing mistake or an overflow: nothing traded before 1970 or after 9999.
const LATEST: Millis = 253_402_300_800_000;

/// A half-open range of time, `from` included, `to` excluded, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawRange", into = "RawRange")]
pub struct TimeRange {
    from: Millis,
    to: Millis,
}

impl TimeRange {
    /// The longest range that there is.
    pub const WIDEST: Self = Self { from: 0, to: LATEST };

    /// Builds the range `[from, to)`.
    ///
    /// # Errors
    /// [`Error::TimeRange`] if it would be empty, reversed or outside the years 1970 to 9999.
    pub fn new(from: Millis, to: Millis) -> Result<Self, Error> {
        let fail = |reason: &str| Error::TimeRange { text: format!("{from}:{to}"), reason: reason.to_owned() };
        if from < 0 || to > LATEST {
            return Err(fail("it lies outside the years 1970 to 9999"));
        }
        if from >= to {
            return Err(fail("its end must lie after its start"));
        }
        Ok(Self { from, to })
    }

    /// First instant of the range.
    #[must_use]
    pub fn from(self) -> Millis {
        self.from
    }

    /// First instant after the range.
    #[must_use]
    pub fn to(self) -> Millis {
        self.to
    }

    /// Whether `time` lies in the range.
    #[must_use]
    pub fn contains(self, time: Millis) -> bool {
        self.from <= time && time < self.to
    }

    /// The part that both ranges share.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.to.min(other.to)).ok()
    }

    /// The parts of this range that none of `taken` covers, ascending.
    #[must_use]
    pub fn without(self, taken: &[Self]) -> Vec<Self> {
        let mut taken = taken.to_vec();
        taken.sort_unstable();
        let mut rest = Vec::new();
        let mut cursor = self.from;
        for range in taken {
            if let Ok(part) = Self::new(cursor, range.from.min(self.to)) {
                rest.push(part);
            }
            cursor = cursor.max(range.to);
        }
        rest.extend(Self::new(cursor, self.to));
        rest
    }
}

/// `YYYY-MM-DD:YYYY-MM-DD`, both days inclusive, UTC; or two RFC 3339 instants joined by `/` or `:`, half-open.
impl FromStr for TimeRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |reason: &str| Error::TimeRange { text: text.chars().take(80).collect(), reason: reason.to_owned() };
        let shape = "write YYYY-MM-DD:YYYY-MM-DD (both days inclusive) or two RFC 3339 instants joined by `/`";
        let parts = text.split_once('/').or_else(|| split_dates(text)).or_else(|| split_instants(text));
        let (first, last) = parts.ok_or_else(|| fail(shape))?;
        let range = match (parse_day(first), parse_day(last)) {
            (Some(first), Some(last)) => (first, last + DAY),
            (None, None) => {
                (parse_instant(first).ok_or_else(|| fail(shape))?, parse_instant(last).ok_or_else(|| fail(shape))?)
            }
            _ if parse_instant(first).or(parse_instant(last)).is_some() => {
                return Err(fail("its two ends must be of the same kind, both days or both instants"));
            }
            _ => return Err(fail(shape)),
        };
        Self::new(range.0, range.1).map_err(|error| match error {
            Error::TimeRange { reason, .. } => fail(&reason),
            other => other,
        })
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from % DAY == 0 && self.to % DAY == 0 {
            let day = |time| rfc3339(time).chars().take(10).collect::<String>();
            return write!(formatter, "{}:{}", day(self.from), day(self.to - DAY));
        }
        write!(formatter, "{}/{}", rfc3339(self.from), rfc3339(self.to))
    }
}

/// Reads an RFC 3339 instant.
#[must_use]
pub fn parse_instant(text: &str) -> Option<Millis> {
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.timestamp_millis())
}

/// Writes an instant as RFC 3339 in UTC, with milliseconds only where there are any.
#[must_use]
pub fn rfc3339(time: Millis) -> String {
    let format = if time % 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    DateTime::from_timestamp_millis(time)
        .map_or_else(|| time.to_string(), |instant| instant.to_rfc3339_opts(format, true))
}

fn parse_day(text: &str) -> Option<Millis> {
    let shaped = text.len() == 10;
    let day = shaped.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()?;
    Some((day - NaiveDate::default()).num_days() * DAY)
}

fn split_dates(text: &str) -> Option<(&str, &str)> {
    let (first, last) = text.split_once(':')?;
    (first.len() == 10 && last.len() == 10).then_some((first, last))
}

/// The first colon that leaves an instant on both sides; instants hold colons of their own.
fn split_instants(text: &str) -> Option<(&str, &str)> {
    text.match_indices(':')
        .map(|(index, _)| (&text[..index], &text[index + 1..]))
        .find(|(first, last)| parse_instant(first).is_some() && parse_instant(last).is_some())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRange {
    from: Millis,
    to: Millis,
}

impl TryFrom<RawRange> for TimeRange {
    type Error = Error;

    fn try_from(raw: RawRange) -> Result<Self, Error> {
        Self::new(raw.from, raw.to)
    }
}

impl From<TimeRange> for RawRange {
    fn from(range: TimeRange) -> Self {
        Self { from: range.from, to: range.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_inclusive_and_instants_half_open() {
        let month: TimeRange = "2024-06-01:2024-06-30".parse().unwrap();
        assert_eq!((month.from(), month.to()), (1_717_200_000_000, 1_719_792_000_000));
        assert_eq!(month.to_string(), "2024-06-01:2024-06-30");
        for text in ["2024-06-01T00:00:00Z/2024-06-01T01:00:00Z", "2024-06-01T00:00:00Z:2024-06-01T01:00:00Z"] {
            let hour: TimeRange = text.parse().unwrap();
            assert_eq!(hour.to() - hour.from(), 3_600_000);
            assert_eq!(hour.to_string().parse(), Ok(hour));
        }
    }

    #[test]
    fn malformed_ranges_say_what_is_wrong() {
        for (text, word) in [
            ("2024-06-30:2024-06-01", "after its start"),
            ("2024-06-31:2024-07-01", "YYYY-MM-DD"),
            ("2024-06-01", "YYYY-MM-DD"),
            ("2024-06-01/2024-06-01T01:00:00Z", "same kind"),
            ("", "YYYY-MM-DD"),
            ("1960-01-01:1960-01-02", "1970"),
        ] {
            let error = text.parse::<TimeRange>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_taken_is_cut_out() {
        let range = |from, to| TimeRange::new(from, to).unwrap();
        let whole = range(0, 100);
        assert_eq!(whole.without(&[]), [whole]);
        assert_eq!(whole.without(&[range(20, 30), range(10, 25)]), [range(0, 10), range(30, 100)]);
        assert_eq!(whole.without(&[range(0, 200)]), []);
        assert_eq!(range(50, 60).without(&[range(0, 10), range(90, 95)]), [range(50, 60)]);
    }
}
