//! Stretches of the calendar that rows are packed by: what is over does not change any more.

use streamforge_events::{Interval, Millis, SeriesKind, parse_instant, rfc3339};

/// How rows are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    /// By months.
    Month,
    /// By years, where a month has no more than a few dozen rows.
    Year,
    /// Not by time.
    Whole,
}

impl Period {
    /// How the rows of a series are divided.
    pub(crate) fn of(kind: SeriesKind) -> Self {
        match kind {
            SeriesKind::Klines(Interval::D1 | Interval::D3 | Interval::W1 | Interval::Mo1) => Self::Year,
            SeriesKind::Klines(_) | SeriesKind::Trades => Self::Month,
        }
    }

    /// First instant of the stretch that holds `time`, and the first one after it.
    pub(crate) fn around(self, time: Millis) -> (Millis, Millis) {
        let month = Interval::Mo1;
        match self {
            Self::Month => {
                let start = month.align_down(time);
                (start, month.next_open(start))
            }
            Self::Year => {
                let day = rfc3339(time);
                let start = day.split_once('-').and_then(|(year, _)| parse_instant(&format!("{year}-01-01T00:00:00Z")));
                let start = start.unwrap_or_else(|| month.align_down(time));
                (start, month.advance(start, 12))
            }
            Self::Whole => (Millis::MIN, Millis::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        parse_instant(text).unwrap()
    }

    #[test]
    fn stretches_follow_the_calendar() {
        for (period, time, from, to) in [
            (Period::Month, "2024-02-29T23:59:59.999Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            (Period::Month, "2024-12-01T00:00:00Z", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            (Period::Year, "2024-02-29T23:59:59.999Z", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            (Period::Year, "2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            (Period::Year, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1971-01-01T00:00:00Z"),
        ] {
            assert_eq!(period.around(at(time)), (at(from), at(to)), "{period:?} {time}");
        }
        assert_eq!(Period::of(SeriesKind::Klines(Interval::H12)), Period::Month);
        assert_eq!(Period::of(SeriesKind::Klines(Interval::D1)), Period::Year);
    }
}
