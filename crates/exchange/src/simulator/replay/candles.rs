//! Bars of recorded trades, for symbols of which no klines were recorded.

use streamforge_events::{Decimal, Kline, Millis};

use super::trades::product;
use crate::simulator::market::{AggTrade, Calendar, Selection};

/// The bars of `calendar` that `selection` asks for.
///
/// A bar is known if its trades are: the recording began before it and goes on behind it, or it is still open at
/// `now`. Without trades there is no bar, since nobody recorded whether the exchange was there.
pub(super) fn select(trades: &[AggTrade], calendar: Calendar, selection: Selection, now: Millis) -> Vec<Kline> {
    let (Some(first), Some(last)) = (trades.first(), trades.last()) else { return Vec::new() };
    let open_of = |trade: &AggTrade| calendar.align_down(trade.time);
    let end = selection.end.unwrap_or(now).min(now);
    let start = calendar.align_up(selection.start.unwrap_or(0).max(first.time));
    let is_known = |open: Millis| calendar.next(open) <= last.time || calendar.next(open) > now;
    let from = trades.partition_point(|trade| trade.time < start);
    let to = trades.partition_point(|trade| trade.time <= now && open_of(trade) <= end);
    let groups = trades[from.min(to)..to].chunk_by(|one, other| open_of(one) == open_of(other));
    let bars = groups.filter(|group| is_known(open_of(&group[0])));
    let bar = |group: &[AggTrade]| {
        let open = open_of(&group[0]);
        candle(group, open, calendar.next(open) - 1)
    };
    if selection.start.is_some() {
        return bars.filter_map(bar).take(selection.limit).collect();
    }
    let mut bars: Vec<Kline> = bars.rev().filter_map(bar).take(selection.limit).collect();
    bars.reverse();
    bars
}

/// The exchange's row for ascending trades; none if there is no sound one among them.
///
/// # Source
/// The exchange keeps poisoned rows without price, quantity or ids:
/// <https://developers.binance.com/docs/binance-spot-api-docs/CHANGELOG> (2022-04-12).
fn candle(trades: &[AggTrade], open_time: Millis, close_time: Millis) -> Option<Kline> {
    let is_sound = |trade: &&AggTrade| trade.first_id >= 0 && !trade.price.is_zero() && !trade.quantity.is_zero();
    let parts = trades.iter().filter(is_sound).map(|trade| {
        let value = product(trade.price, trade.quantity);
        let taken = |amount: Decimal| if trade.is_buyer_maker { nothing(amount) } else { amount };
        Kline {
            open_time,
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume: trade.quantity,
            close_time,
            quote_asset_volume: value,
            number_of_trades: u64::try_from(trade.last_id - trade.first_id + 1).unwrap_or(1),
            taker_buy_base_asset_volume: taken(trade.quantity),
            taker_buy_quote_asset_volume: taken(value),
        }
    });
    parts.reduce(|bar, part| super::bars::joined(bar, &part))
}

/// Nought with the digits of `amount`.
fn nothing(amount: Decimal) -> Decimal {
    Decimal::from_parts(0, amount.scale()).unwrap_or(Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use flate2::read::GzDecoder;
    use serde_json::Value;
    use streamforge_events::Interval;

    use super::*;
    use crate::simulator::replay::trades;

    const MINUTE: Millis = 60_000;
    const NONE: [Millis; 0] = [];
    const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/ws_captures/cryptofeed");

    fn trade(id: i64, time: Millis, price: &str, quantity: &str, is_buyer_maker: bool) -> AggTrade {
        AggTrade {
            id,
            price: price.parse().unwrap(),
            quantity: quantity.parse().unwrap(),
            first_id: 10 * id,
            last_id: 10 * id + id,
            time,
            is_buyer_maker,
        }
    }

    /// Trades in the minutes 0, 1, 1, 3 and 4.
    fn tape() -> Vec<AggTrade> {
        vec![
            trade(1, 30_000, "2.0", "1.00", false),
            trade(2, MINUTE, "3.0", "2.50", true),
            trade(3, 2 * MINUTE - 1, "1.5", "0.25", false),
            trade(4, 3 * MINUTE, "4.0", "1.00", true),
            trade(5, 4 * MINUTE + 7, "5.0", "1.00", false),
        ]
    }

    fn bars(trades: &[AggTrade], start: Option<Millis>, end: Option<Millis>, limit: usize, now: Millis) -> Vec<Kline> {
        let calendar = Calendar { interval: Interval::M1, offset: 0, first_day: 0 };
        select(trades, calendar, Selection { start, end, limit }, now)
    }

    fn opens(bars: &[Kline]) -> Vec<Millis> {
        bars.iter().map(|bar| bar.open_time / MINUTE).collect()
    }

    #[test]
    fn a_bar_sums_its_trades() {
        let bars = bars(&tape(), Some(MINUTE), None, 1, 9 * MINUTE);
        let [bar] = &bars[..] else { panic!("{bars:?}") };
        assert_eq!((bar.open_time, bar.close_time, bar.number_of_trades), (MINUTE, 2 * MINUTE - 1, 3 + 4));
        let texts = [
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
            bar.quote_asset_volume,
            bar.taker_buy_base_asset_volume,
            bar.taker_buy_quote_asset_volume,
        ];
        let texts = texts.map(|value| value.to_string());
        assert_eq!(texts, ["3.0", "3.0", "1.5", "1.5", "2.75", "7.875", "0.25", "0.375"]);
    }

    #[test]
    fn only_bars_whose_trades_are_all_recorded_exist() {
        let late = 9 * MINUTE;
        assert_eq!(opens(&bars(&tape(), Some(0), None, 9, late)), [1, 3]);
        assert_eq!(opens(&bars(&tape(), None, None, 1, late)), [3]);
        assert_eq!(opens(&bars(&tape(), None, Some(2 * MINUTE), 9, late)), [1]);
        assert_eq!(opens(&bars(&tape(), Some(2 * MINUTE), Some(3 * MINUTE - 1), 9, late)), NONE);
        assert_eq!(opens(&bars(&tape(), Some(0), None, 9, 4 * MINUTE + 7)), [1, 3, 4], "the last one is open");
        assert_eq!(opens(&bars(&[], Some(0), None, 9, late)), NONE);
    }

    #[test]
    fn poisoned_rows_make_no_bar() {
        let mut trades = tape();
        for (trade, id) in trades[1..3].iter_mut().zip([-1, 5]) {
            (trade.first_id, trade.last_id, trade.quantity) = (id, id, Decimal::ZERO);
        }
        assert_eq!(opens(&bars(&trades, Some(0), None, 9, 9 * MINUTE)), [3]);
    }

    /// Candles and trades of one symbol in one capture of the exchange's streams.
    fn captured(file: &str, symbol: &str) -> Option<(Vec<Value>, Vec<AggTrade>)> {
        let Ok(file) = std::fs::File::open(Path::new(CAPTURES).join(file)) else {
            eprintln!("skipped: there are no captures in {CAPTURES}");
            return None;
        };
        let text = std::io::read_to_string(GzDecoder::new(file)).unwrap();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.split_once(": ")?.1).ok());
        let data: Vec<Value> = events.map(|event| event["data"].clone()).filter(|data| data["s"] == symbol).collect();
        let of = |kind: &str| data.iter().filter(|data| data["e"] == kind).collect::<Vec<_>>();
        let candles = of("kline").iter().map(|data| data["k"].clone()).collect();
        let lines: Vec<String> = of("aggTrade").iter().map(ToString::to_string).collect();
        Some((candles, trades::parse(Path::new("capture"), &lines.join("\n")).unwrap()))
    }

    /// The part of a tape from one single trade to another.
    fn between(trades: &[AggTrade], first: &Value, last: &Value) -> Vec<AggTrade> {
        let ids = first.as_i64().unwrap()..=last.as_i64().unwrap();
        trades.iter().filter(|trade| ids.contains(&trade.first_id)).cloned().collect()
    }

    #[test]
    fn candles_equal_the_exchange_s_own() {
        for (file, symbol, which) in [("BINANCE.ws.1.0.gz", "LRCBTC", 0), ("BINANCE_US.ws.1.0.gz", "OMGBUSD", 4)] {
            let Some((candles, trades)) = captured(file, symbol) else { return };
            let theirs = &candles[which];
            let (open, close) = (theirs["t"].as_i64().unwrap(), theirs["T"].as_i64().unwrap());
            let ours = candle(&between(&trades, &theirs["f"], &theirs["L"]), open, close).unwrap();
            assert_eq!(ours.number_of_trades, theirs["n"].as_u64().unwrap());
            for (field, value) in [
                ("o", ours.open),
                ("h", ours.high),
                ("l", ours.low),
                ("c", ours.close),
                ("v", ours.volume),
                ("q", ours.quote_asset_volume),
                ("V", ours.taker_buy_base_asset_volume),
                ("Q", ours.taker_buy_quote_asset_volume),
            ] {
                assert_eq!(theirs[field], value.to_string(), "{symbol} {field}");
            }
        }
    }

    #[test]
    fn what_a_candle_grows_by_equals_the_trades_between() {
        let Some((candles, trades)) = captured("BINANCE_US.ws.1.0.gz", "OMGBUSD") else { return };
        let (before, after) = (&candles[0], &candles[3]);
        assert_eq!((&after["x"], &after["t"]), (&Value::Bool(true), &before["t"]));
        let mut growth = between(&trades, &before["L"], &after["L"]);
        growth.remove(0);
        assert_eq!(growth.len(), 8);
        let growth = candle(&growth, 0, 0).unwrap();
        let sum = |field: &str, growth: Decimal| {
            before[field].as_str().unwrap().parse::<Decimal>().unwrap().checked_add(growth).unwrap().to_string()
        };
        assert_eq!(after["v"], sum("v", growth.volume));
        assert_eq!(after["q"], sum("q", growth.quote_asset_volume));
        assert_eq!(after["V"], sum("V", growth.taker_buy_base_asset_volume));
        assert_eq!(after["Q"], sum("Q", growth.taker_buy_quote_asset_volume));
        assert_eq!(after["n"].as_u64().unwrap(), before["n"].as_u64().unwrap() + growth.number_of_trades);
        assert_eq!(
            (&after["c"], &after["h"]),
            (&Value::from(growth.close.to_string()), &Value::from(growth.high.to_string()))
        );
    }
}
