//! Selects recorded bars, and adds finer ones up to coarser ones.

use streamforge_events::{Decimal, Interval, Kline, Millis};

use super::recording::Recording;
use crate::simulator::market::{Calendar, Selection};

const DAY: Millis = 86_400_000;

/// Whether bars of `interval`, shifted by `offset`, consist of whole bars of `finer`.
pub(super) fn is_made_of(interval: Interval, finer: Interval, offset: Millis) -> bool {
    let Some(part) = finer.millis().filter(|part| *part <= DAY) else {
        return false;
    };
    // Bars longer than a day consist of whole days.
    let whole = interval.millis().map_or(DAY, |whole| whole.min(DAY));
    interval >= finer && whole % part == 0 && offset % part == 0
}

/// The bars of `calendar` that `selection` asks for, made of rows of `finer`.
pub(super) fn select(
    recording: &Recording,
    finer: Interval,
    calendar: Calendar,
    selection: Selection,
    now: Millis,
) -> Vec<Kline> {
    let is_exact = finer == calendar.interval;
    let group_of = |open: Millis| {
        if is_exact { open } else { calendar.align_down(open) }
    };
    let existing = recording.index_at(now.saturating_add(1));
    let last_open = selection.end.unwrap_or(now).min(now);
    let mut bars = Vec::new();
    if let Some(start) = selection.start {
        let start = start.min(now.saturating_add(1));
        let mut index = recording.index_at(if is_exact { start } else { calendar.align_up(start) });
        while index < existing && bars.len() < selection.limit {
            let group = group_of(recording.open(index));
            if group > last_open {
                break;
            }
            let end = (index..existing).find(|later| group_of(recording.open(*later)) != group).unwrap_or(existing);
            bars.extend(merge(recording, finer, group, index..end, now));
            index = end;
        }
        return bars;
    }
    let after = if is_exact { last_open.saturating_add(1) } else { calendar.next(calendar.align_down(last_open)) };
    let mut end = recording.index_at(after).min(existing);
    while end > 0 && bars.len() < selection.limit {
        let group = group_of(recording.open(end - 1));
        let index = (0..end).rev().find(|earlier| group_of(recording.open(*earlier)) != group).map_or(0, |i| i + 1);
        bars.extend(merge(recording, finer, group, index..end, now));
        end = index;
    }
    bars.reverse();
    bars
}

/// One bar of the rows at `indices`: sums are exact, and the close time is the last part's.
fn merge(
    recording: &Recording,
    finer: Interval,
    open_time: Millis,
    indices: std::ops::Range<usize>,
    now: Millis,
) -> Option<Kline> {
    let parts = indices.filter_map(|index| recording.kline(index)).map(|part| provisional(part, finer, now));
    let bar = parts.reduce(|bar, part| joined(bar, &part));
    bar.map(|bar| Kline { open_time, ..bar })
}

/// A bar and the one that follows it as one.
pub(super) fn joined(mut bar: Kline, part: &Kline) -> Kline {
    bar.high = bar.high.max(part.high);
    bar.low = bar.low.min(part.low);
    bar.close = part.close;
    bar.close_time = part.close_time;
    bar.number_of_trades += part.number_of_trades;
    for (sum, amount) in [
        (&mut bar.volume, part.volume),
        (&mut bar.quote_asset_volume, part.quote_asset_volume),
        (&mut bar.taker_buy_base_asset_volume, part.taker_buy_base_asset_volume),
        (&mut bar.taker_buy_quote_asset_volume, part.taker_buy_quote_asset_volume),
    ] {
        // The exchange's largest volumes leave ten digits free, so a sum always fits.
        *sum = sum.checked_add(amount).unwrap_or(*sum);
    }
    bar
}

/// A bar that is still open at `now` shows only its first price: what came later has not happened.
fn provisional(kline: Kline, interval: Interval, now: Millis) -> Kline {
    if interval.next_open(kline.open_time) <= now {
        return kline;
    }
    let nothing = |amount: Decimal| Decimal::from_parts(0, amount.scale()).unwrap_or(Decimal::ZERO);
    Kline {
        high: kline.open,
        low: kline.open,
        close: kline.open,
        volume: nothing(kline.volume),
        quote_asset_volume: nothing(kline.quote_asset_volume),
        number_of_trades: 0,
        taker_buy_base_asset_volume: nothing(kline.taker_buy_base_asset_volume),
        taker_buy_quote_asset_volume: nothing(kline.taker_buy_quote_asset_volume),
        ..kline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_parts_make_a_bar() {
        let hour = 3_600_000;
        for (interval, finer, offset, expected) in [
            ("1h", "15m", 0, true),
            ("1h", "1h", 0, true),
            ("5m", "3m", 0, false),
            ("15m", "1h", 0, false),
            ("1M", "1d", 0, true),
            ("1M", "1w", 0, false),
            ("1w", "3d", 0, false),
            ("3d", "8h", 0, true),
            ("1d", "1h", 5 * hour, true),
            ("1d", "1h", hour / 2, false),
            ("1d", "4h", 5 * hour, false),
        ] {
            let made = is_made_of(interval.parse().unwrap(), finer.parse().unwrap(), offset);
            assert_eq!(made, expected, "{interval} of {finer} at {offset}");
        }
    }
}
