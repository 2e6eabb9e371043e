//! Refuses rows that can be read but cannot be, before anything is made of them.
//!
//! What is checked here held for each of 250,000 recorded klines; volumes and prices below nought and what is no
//! number at all are refused by [`Decimal`](streamforge_events::Decimal) already.

use streamforge_events::{Interval, Kline, Millis};

use super::rows::{AggTradeRow, Flaw};

/// The end of the year 9999, the last that RFC 3339 can write.
const LAST: Millis = 253_402_300_799_999;

/// Passes on the klines of a page if each of them can be a bar of `interval`.
pub(super) fn klines(interval: Interval, rows: Vec<Kline>) -> Result<Vec<Kline>, Flaw> {
    match rows.iter().find_map(|kline| Some((kline, fault(interval, kline)?))) {
        None => Ok(rows),
        Some((kline, words)) => Err(Flaw::new(format!("a kline of {interval} with {words}"), &shown(kline))),
    }
}

/// Passes on the trades of a page if each of them has a place.
pub(super) fn trades(rows: Vec<AggTradeRow>) -> Result<Vec<AggTradeRow>, Flaw> {
    match rows.iter().find(|row| row.id < 0 || !(0..=LAST).contains(&row.time)) {
        None => Ok(rows),
        Some(row) => {
            let expected = "an aggregate trade with an id and a time that are not negative";
            Err(Flaw::new(expected, &format!("id {}, time {}", row.id, row.time)))
        }
    }
}

/// Whether a time is one that a clock can show.
pub(super) fn time(name: &str, time: Millis) -> Result<(), Flaw> {
    let is_sound = (0..=LAST).contains(&time);
    if is_sound { Ok(()) } else { Err(Flaw::new(format!("a {name} between 1970 and 9999"), &time.to_string())) }
}

/// What the bar should have had.
fn fault(interval: Interval, kline: &Kline) -> Option<&'static str> {
    let open = kline.open_time;
    // Three-day bars are counted from the symbol's own first day.
    let grid = if interval == Interval::D3 { Interval::D1 } else { interval };
    // A close time that nobody recorded is nought.
    let is_closed_inside = kline.close_time == 0 || (open..interval.next_open(open)).contains(&kline.close_time);
    let prices = kline.low..=kline.high;
    if !(0..=LAST).contains(&open) || grid.align_down(open) != open {
        Some("an open time of that interval")
    } else if !is_closed_inside {
        Some("a close time before the next bar")
    } else if !prices.contains(&kline.open) || !prices.contains(&kline.close) {
        Some("open and close between low and high")
    } else if i64::try_from(kline.number_of_trades).is_err() {
        Some("a number of trades below 2^63")
    } else {
        None
    }
}

fn shown(kline: &Kline) -> String {
    let Kline { open_time, open, high, low, close, close_time, number_of_trades, .. } = kline;
    format!("{open_time} to {close_time}: {open} {high} {low} {close}, {number_of_trades} trades")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = 3_600_000;

    fn bar() -> Kline {
        let decimal = |text: &str| text.parse().unwrap();
        Kline {
            open_time: 2 * HOUR,
            open: decimal("2"),
            high: decimal("4"),
            low: decimal("1"),
            close: decimal("3"),
            volume: decimal("0"),
            close_time: 3 * HOUR - 1,
            quote_asset_volume: decimal("0"),
            number_of_trades: 0,
            taker_buy_base_asset_volume: decimal("0"),
            taker_buy_quote_asset_volume: decimal("0"),
        }
    }

    #[test]
    fn a_bar_that_cannot_be_spoils_its_page() {
        let number = |text: &str| text.parse().unwrap();
        for (kline, words) in [
            (bar(), ""),
            (Kline { close_time: 2 * HOUR + 41, ..bar() }, ""),
            (Kline { close_time: 0, ..bar() }, ""),
            (Kline { open: number("1"), close: number("4"), ..bar() }, ""),
            (Kline { open_time: 2 * HOUR + 1, ..bar() }, "open time"),
            (Kline { open_time: -HOUR, ..bar() }, "open time"),
            (Kline { open_time: i64::MAX / HOUR * HOUR, ..bar() }, "open time"),
            (Kline { close_time: 3 * HOUR, ..bar() }, "close time"),
            (Kline { close_time: 2 * HOUR - 1, ..bar() }, "close time"),
            (Kline { high: number("0.5"), ..bar() }, "between low and high"),
            (Kline { open: number("0.9"), ..bar() }, "between low and high"),
            (Kline { close: number("4.1"), ..bar() }, "between low and high"),
            (Kline { number_of_trades: u64::MAX, ..bar() }, "number of trades"),
        ] {
            let shown = shown(&kline);
            match klines(Interval::H1, vec![bar(), kline, bar()]) {
                Ok(rows) => assert!(words.is_empty() && rows.len() == 3, "{shown}"),
                Err(flaw) => {
                    let text = flaw.on("klines").to_string();
                    assert!(!words.is_empty() && text.contains(words), "{text}");
                }
            }
        }
        let three_days = Kline { open_time: 48 * HOUR, close_time: 120 * HOUR - 1, ..bar() };
        assert!(klines(Interval::D3, vec![three_days]).is_ok(), "its calendar is the symbol's own");
    }

    #[test]
    fn a_trade_or_a_clock_out_of_time_is_refused() {
        let row = |id, time| AggTradeRow { id, time, trade: None };
        assert!(trades(vec![row(0, 0), row(7, LAST)]).is_ok());
        for (id, at) in [(-1, 0), (1, -1), (1, LAST + 1), (1, i64::MIN)] {
            assert!(trades(vec![row(0, 0), row(id, at)]).is_err(), "{id} at {at}");
        }
        assert!(time("server time", LAST).is_ok());
        assert!(time("server time", i64::MIN).is_err() && time("server time", i64::MAX).is_err());
    }
}
