//! Cuts a missing range into slices that one worker loads in one go.

use streamforge_events::{Interval, Millis, SeriesKind, TimeRange};

/// Bars that one task loads: twenty answers of the exchange, which hold 1000 bars each at most.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints> (klines, `limit`)
const BARS_PER_SLICE: u32 = 20_000;

const DAY: Millis = 86_400_000;

/// Time whose trades one task loads; on the busiest days a few hundred answers of the exchange.
const TRADES_PER_SLICE: Millis = DAY / 6;

/// A trade may show up in the exchange's answers this much later than its own time.
const SETTLING: Millis = 10_000;

/// The part of `range` that is over at `now`, so that it reads the same whoever loads it and whenever.
///
/// A bar that is open at the first attempt and closed at the second would make two batches of one number, and the
/// smaller one would be taken for the larger.
#[must_use]
pub(crate) fn closed_part(kind: SeriesKind, range: TimeRange, now: Millis) -> Option<TimeRange> {
    let closed = match kind {
        // Which days these bars open on depends on the symbol.
        SeriesKind::Klines(Interval::D3) => Interval::D3.previous_open(now),
        SeriesKind::Klines(interval) => interval.align_down(now),
        SeriesKind::Trades => now.saturating_sub(SETTLING),
    };
    TimeRange::new(range.from(), range.to().min(closed)).ok()
}

/// The slices of `range`, ascending; none where no bar can open.
#[must_use]
pub(crate) fn slices(kind: SeriesKind, range: TimeRange) -> Vec<TimeRange> {
    match kind {
        SeriesKind::Klines(interval) => {
            let cuts = cut(range, |from| interval.advance(from, BARS_PER_SLICE));
            cuts.into_iter().filter(|slice| interval.opens_in(*slice) > 0).collect()
        }
        SeriesKind::Trades => cut(range, |from| (from.div_euclid(TRADES_PER_SLICE) + 1) * TRADES_PER_SLICE),
    }
}

/// How many slices `range` makes at most, without making them.
#[must_use]
pub(crate) fn slice_count(kind: SeriesKind, range: TimeRange) -> u64 {
    let length = match kind {
        // February is the shortest month.
        SeriesKind::Klines(interval) => i64::from(BARS_PER_SLICE) * interval.millis().unwrap_or(28 * DAY),
        SeriesKind::Trades => TRADES_PER_SLICE,
    };
    u64::try_from((range.to() - range.from()) / length + 2).unwrap_or(u64::MAX)
}

fn cut(range: TimeRange, next: impl Fn(Millis) -> Millis) -> Vec<TimeRange> {
    let mut slices = Vec::new();
    let mut from = range.from();
    while let Ok(slice) = TimeRange::new(from, next(from).min(range.to())) {
        slices.push(slice);
        from = slice.to();
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> TimeRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_year_of_quarter_hours_is_two_slices() {
        let year = range("2024-01-01:2024-12-31");
        let slices = slices(SeriesKind::Klines(Interval::M15), year);
        assert_eq!(slices.len(), 2);
        assert_eq!((slices[0].from(), slices[1].to()), (year.from(), year.to()));
        assert_eq!(slices[0].to(), slices[1].from());
        assert_eq!(Interval::M15.opens_in(slices[0]), 20_000);
    }

    #[test]
    fn calendars_longer_than_a_slice_make_one() {
        let years = range("2017-08-01:2026-01-01");
        for interval in [Interval::D3, Interval::W1, Interval::Mo1] {
            assert_eq!(slices(SeriesKind::Klines(interval), years), [years], "{interval}");
        }
    }

    #[test]
    fn trades_are_cut_every_four_hours() {
        let slices = slices(SeriesKind::Trades, range("2024-06-01T22:00:00Z/2024-06-02T09:00:00Z"));
        let hours: Vec<i64> = slices.iter().map(|slice| (slice.to() - slice.from()) / 3_600_000).collect();
        assert_eq!(hours, [2, 4, 4, 1]);
    }

    #[test]
    fn a_rest_without_an_opening_is_no_work() {
        let rest = range("2024-06-01T00:01:00Z/2024-06-01T00:14:00Z");
        assert_eq!(slices(SeriesKind::Klines(Interval::M15), rest), []);
        assert_eq!(slices(SeriesKind::Klines(Interval::M1), rest).len(), 1);
    }

    #[test]
    fn what_is_still_open_is_left_for_another_time() {
        let from = |text: &str| streamforge_events::parse_instant(text).unwrap();
        let day = range("2024-06-01:2024-06-01");
        let cases = [
            (SeriesKind::Klines(Interval::M15), "2024-06-01T10:29:59Z", Some("2024-06-01T10:15:00Z")),
            (SeriesKind::Klines(Interval::M15), "2024-06-03T00:00:00Z", Some("2024-06-02T00:00:00Z")),
            (SeriesKind::Klines(Interval::Mo1), "2024-06-30T00:00:00Z", None),
            (SeriesKind::Klines(Interval::D3), "2024-06-03T23:00:00Z", None),
            (SeriesKind::Trades, "2024-06-01T10:00:00Z", Some("2024-06-01T09:59:50Z")),
            (SeriesKind::Trades, "2024-06-01T00:00:10Z", None),
        ];
        for (kind, now, until) in cases {
            assert_eq!(closed_part(kind, day, from(now)).map(TimeRange::to), until.map(from), "{kind:?} at {now}");
        }
    }

    #[test]
    fn the_count_is_an_upper_bound() {
        for (kind, text) in [
            (SeriesKind::Trades, "2024-06-01T22:00:00Z/2024-06-03T01:00:00Z"),
            (SeriesKind::Klines(Interval::S1), "2024-01-01:2024-01-31"),
        ] {
            assert!(slices(kind, range(text)).len() as u64 <= slice_count(kind, range(text)));
        }
    }
}
