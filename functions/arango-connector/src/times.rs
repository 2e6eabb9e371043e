//! Times that a record can have: the store would take any number, and no reader would ever find it again.

use streamforge_events::{Kline, Millis, TimeRange, Trade};

/// Checks that every kline opens before it closes, in years that can be asked for.
///
/// # Errors
/// Words for the sender, for the first row that is wrong.
pub(crate) fn check_klines(rows: &[Kline]) -> Result<(), String> {
    check(rows.iter().map(|kline| (kline.open_time, closed(kline.open_time, kline.close_time))))
}

/// Checks that every trade happened in years that can be asked for.
///
/// # Errors
/// Words for the sender, for the first row that is wrong.
pub(crate) fn check_trades(rows: &[Trade]) -> Result<(), String> {
    check(rows.iter().map(|trade| (trade.timestamp, trade.timestamp)))
}

/// A close time that nobody recorded is nought.
fn closed(open_time: Millis, close_time: Millis) -> Millis {
    if close_time == 0 { open_time } else { close_time }
}

fn check(times: impl Iterator<Item = (Millis, Millis)>) -> Result<(), String> {
    for (index, (first, last)) in times.enumerate() {
        TimeRange::new(first, last.saturating_add(1)).map_err(|error| format!("rows[{index}]: {error}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_time_that_nobody_recorded_is_no_fault() {
        assert_eq!((closed(60_000, 0), closed(60_000, 119_999), closed(60_000, 1)), (60_000, 119_999, 1));
    }

    #[test]
    fn times_that_nobody_can_ask_for_are_refused() {
        assert_eq!(check([(0, 59_999), (5, 5)].into_iter()), Ok(()));
        for times in [(-1, 5), (60_000, 59_998), (i64::MIN, i64::MAX), (i64::MAX, i64::MAX), (0, 253_402_300_800_000)] {
            assert!(check([(0, 1), times].into_iter()).unwrap_err().starts_with("rows[1]: "), "{times:?}");
        }
    }
}
