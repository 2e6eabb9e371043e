//! The sixteen kline intervals and their calendars.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{Error, Millis, TimeRange};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Length of a kline, case-sensitive as on the wire: `1m` is a minute, `1M` a month.
///
/// Second, minute, hour and `1d` bars are aligned to the UTC epoch, `1w` opens on Monday, `1M` on the
/// first of a month. `3d` is anchored on the first day of each symbol, so any day may open one.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[expect(missing_docs, reason = "the variants are the exchange's own names")]
pub enum Interval {
    S1,
    M1,
    M3,
    M5,
    M15,
    M30,
    H1,
    H2,
    H4,
    H6,
    H8,
    H12,
    D1,
    D3,
    W1,
    Mo1,
}

impl Interval {
    /// All intervals, shortest first.
    pub const ALL: [Self; 16] = [
        Self::S1,
        Self::M1,
        Self::M3,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H2,
        Self::H4,
        Self::H6,
        Self::H8,
        Self::H12,
        Self::D1,
        Self::D3,
        Self::W1,
        Self::Mo1,
    ];

    /// The exchange's name of the interval.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S1 => "1s",
            Self::M1 => "1m",
            Self::M3 => "3m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H2 => "2h",
            Self::H4 => "4h",
            Self::H6 => "6h",
            Self::H8 => "8h",
            Self::H12 => "12h",
            Self::D1 => "1d",
            Self::D3 => "3d",
            Self::W1 => "1w",
            Self::Mo1 => "1M",
        }
    }

    /// Length in milliseconds; none for a month, whose length varies.
    #[must_use]
    pub fn millis(self) -> Option<i64> {
        Some(match self {
            Self::S1 => SECOND,
            Self::M1 => MINUTE,
            Self::M3 => 3 * MINUTE,
            Self::M5 => 5 * MINUTE,
            Self::M15 => 15 * MINUTE,
            Self::M30 => 30 * MINUTE,
            Self::H1 => HOUR,
            Self::H2 => 2 * HOUR,
            Self::H4 => 4 * HOUR,
            Self::H6 => 6 * HOUR,
            Self::H8 => 8 * HOUR,
            Self::H12 => 12 * HOUR,
            Self::D1 => DAY,
            Self::D3 => 3 * DAY,
            Self::W1 => 7 * DAY,
            Self::Mo1 => return None,
        })
    }

    /// Open time of the bar after the one that opens at `open`.
    #[must_use]
    pub fn next_open(self, open: Millis) -> Millis {
        match self.millis() {
            Some(length) => open.saturating_add(length),
            None => shift_months(open, 1),
        }
    }

    /// Open time of the bar before the one that opens at `open`.
    #[must_use]
    pub fn previous_open(self, open: Millis) -> Millis {
        match self.millis() {
            Some(length) => open.saturating_sub(length),
            None => shift_months(open, -1),
        }
    }

    /// Open time of the bar that holds `time`; for `3d`, of the day that holds it.
    #[must_use]
    pub fn align_down(self, time: Millis) -> Millis {
        match self {
            // The epoch was a Thursday; the Monday before it is three days earlier.
            Self::W1 => (time + 3 * DAY).div_euclid(7 * DAY) * 7 * DAY - 3 * DAY,
            Self::Mo1 => month_start(time),
            Self::D3 => time.div_euclid(DAY) * DAY,
            _ => {
                let length = self.millis().unwrap_or(DAY);
                time.div_euclid(length) * length
            }
        }
    }

    /// First possible open time at or after `time`.
    #[must_use]
    pub fn align_up(self, time: Millis) -> Millis {
        let down = self.align_down(time);
        match self {
            _ if down == time => time,
            Self::D3 => down + DAY,
            _ => self.next_open(down),
        }
    }

    /// Whether the bar that opens at `second` directly follows the one that opens at `first`.
    #[must_use]
    pub fn is_adjacent(self, first: Millis, second: Millis) -> bool {
        self.next_open(first) == second
    }

    /// How many bars are missing between two stored neighbours that open at `first` and `second`.
    #[must_use]
    pub fn missing_between(self, first: Millis, second: Millis) -> u64 {
        if second <= first {
            return 0;
        }
        let steps = match self.millis() {
            Some(length) => (second - first) / length,
            None => months_between(first, second),
        };
        u64::try_from(steps - 1).unwrap_or(0)
    }

    /// How many bars can open inside `range` (for `3d`, if one opens at its start).
    #[must_use]
    pub fn opens_in(self, range: TimeRange) -> u64 {
        let first = self.align_up(range.from());
        if first >= range.to() {
            return 0;
        }
        let steps = match self.millis() {
            Some(length) => (range.to() - 1 - first) / length,
            None => months_between(first, month_start(range.to() - 1)),
        };
        u64::try_from(steps + 1).unwrap_or(0)
    }

    /// Open time `bars` bars after `open`.
    #[must_use]
    pub fn advance(self, open: Millis, bars: u32) -> Millis {
        match self.millis() {
            Some(length) => open.saturating_add(length.saturating_mul(i64::from(bars))),
            None => shift_months(open, i64::from(bars)),
        }
    }
}

impl FromStr for Interval {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|interval| interval.as_str() == text)
            .ok_or_else(|| Error::Interval(text.chars().take(32).collect()))
    }
}

impl TryFrom<String> for Interval {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.as_str().to_owned()
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

fn date(time: Millis) -> NaiveDate {
    DateTime::from_timestamp_millis(time).map_or(NaiveDate::default(), |instant| instant.date_naive())
}

fn midnight(date: NaiveDate) -> Millis {
    (date - NaiveDate::default()).num_days() * DAY
}

fn month_start(time: Millis) -> Millis {
    let day = date(time);
    midnight(day - Days::new(u64::from(day.day0())))
}

fn shift_months(open: Millis, months: i64) -> Millis {
    let amount = Months::new(u32::try_from(months.unsigned_abs()).unwrap_or(u32::MAX));
    let start = date(month_start(open));
    let shifted = if months < 0 { start.checked_sub_months(amount) } else { start.checked_add_months(amount) };
    shifted.map_or(if months < 0 { Millis::MIN } else { Millis::MAX }, midnight)
}

fn months_between(first: Millis, second: Millis) -> i64 {
    let (first, second) = (date(first), date(second));
    i64::from(second.year() - first.year()) * 12 + i64::from(second.month0()) - i64::from(first.month0())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_instant;

    fn at(text: &str) -> Millis {
        parse_instant(text).unwrap()
    }

    #[test]
    fn every_name_parses_to_itself_and_case_matters() {
        for interval in Interval::ALL {
            assert_eq!(interval.as_str().parse(), Ok(interval));
        }
        assert_ne!("1m".parse::<Interval>(), "1M".parse::<Interval>());
        for text in ["1H", "2m", "", "1mo", " 1m"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    #[test]
    fn bars_open_where_the_exchange_opens_them() {
        let moment = at("2024-02-29T13:47:31Z");
        for (interval, open) in [
            ("1s", "2024-02-29T13:47:31Z"),
            ("15m", "2024-02-29T13:45:00Z"),
            ("8h", "2024-02-29T08:00:00Z"),
            ("1d", "2024-02-29T00:00:00Z"),
            ("3d", "2024-02-29T00:00:00Z"),
            ("1w", "2024-02-26T00:00:00Z"),
            ("1M", "2024-02-01T00:00:00Z"),
        ] {
            let interval: Interval = interval.parse().unwrap();
            assert_eq!(interval.align_down(moment), at(open), "{interval}");
        }
    }

    #[test]
    fn months_and_weeks_follow_their_calendar() {
        let (january, february, march) =
            (at("2024-01-01T00:00:00Z"), at("2024-02-01T00:00:00Z"), at("2024-03-01T00:00:00Z"));
        assert!(Interval::Mo1.is_adjacent(january, february));
        assert!(Interval::Mo1.is_adjacent(february, march));
        assert!(!Interval::Mo1.is_adjacent(january, march));
        assert_eq!(Interval::Mo1.missing_between(january, march), 1);
        assert_eq!(Interval::Mo1.previous_open(march), february);
        assert_eq!(Interval::Mo1.advance(january, 12), at("2025-01-01T00:00:00Z"));
        assert_eq!(Interval::W1.align_up(at("2024-02-27T00:00:00Z")), at("2024-03-04T00:00:00Z"));
        assert_eq!(Interval::Mo1.opens_in(TimeRange::new(january, march + 1).unwrap()), 3);
        assert_eq!(Interval::Mo1.opens_in(TimeRange::new(january + 1, march).unwrap()), 1);
        assert_eq!(Interval::M15.opens_in(TimeRange::new(january, january + HOUR).unwrap()), 4);
        assert_eq!(Interval::M15.opens_in(TimeRange::new(january + 1, january + 2).unwrap()), 0);
    }

    #[test]
    fn no_time_makes_a_calendar_overflow() {
        for interval in Interval::ALL {
            for time in [0, -1, 253_402_300_799_999, -62_135_596_800_000] {
                let open = interval.align_down(time);
                assert!(open <= time);
                assert!(interval.next_open(open) > open);
            }
        }
    }
}
