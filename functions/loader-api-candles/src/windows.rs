//! A slice of time cut into the windows that one request to the exchange can answer.

use streamforge_events::{Interval, TimeRange};

/// Most bars that the exchange returns for one request, and most rows of one batch.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints> (Kline/Candlestick data)
pub const WINDOW_BARS: u32 = 1000;

/// Cuts `slice` into windows of [`WINDOW_BARS`] bars, counted from its start.
///
/// The windows depend on the slice alone, so the number of a window names the same bars on every attempt.
pub fn windows(slice: TimeRange, interval: Interval) -> impl Iterator<Item = (u32, TimeRange)> {
    let mut start = slice.from();
    (0..).map_while(move |index| {
        let window = TimeRange::new(start, interval.advance(start, WINDOW_BARS).min(slice.to())).ok()?;
        start = window.to();
        Some((index, window))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn cut(from: i64, to: i64, interval: Interval) -> Vec<(u32, i64, i64)> {
        let slice = TimeRange::new(from, to).unwrap();
        windows(slice, interval).map(|(index, window)| (index, window.from(), window.to())).collect()
    }

    #[test]
    fn windows_tile_the_slice_and_the_last_one_is_short() {
        let expected = [(0, 0, 1000 * MINUTE), (1, 1000 * MINUTE, 2000 * MINUTE), (2, 2000 * MINUTE, 2500 * MINUTE)];
        assert_eq!(cut(0, 2500 * MINUTE, Interval::M1), expected);
        assert_eq!(cut(0, 2000 * MINUTE, Interval::M1), expected[..2]);
        assert_eq!(cut(7, 8, Interval::M1), [(0, 7, 8)]);
    }

    #[test]
    fn months_are_counted_by_the_calendar() {
        let (first, last) = ("1970-01-01T00:00:00Z", "2070-01-01T00:00:00Z");
        let at = |text| streamforge_events::parse_instant(text).unwrap();
        let cuts = cut(at(first), at(last), Interval::Mo1);
        assert_eq!(cuts, [(0, at(first), at("2053-05-01T00:00:00Z")), (1, at("2053-05-01T00:00:00Z"), at(last))]);
    }

    #[test]
    fn no_window_holds_more_bars_than_one_request_returns() {
        for interval in Interval::ALL {
            let slice = TimeRange::new(1, 86_400_000 * 365 * 30).unwrap();
            for (_, window) in windows(slice, interval).take(3) {
                assert!(interval.opens_in(window) <= u64::from(WINDOW_BARS), "{interval} {window}");
            }
        }
    }
}
