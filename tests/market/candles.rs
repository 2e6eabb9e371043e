//! Candles made of trades, the whole way, against sums in whole numbers.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    definition::gaps,
    recording::{lines, open_time, recordings, request},
    support::Folder,
};

const MINUTE: i64 = 60_000;
/// 2019-10-11.
const DAY: i64 = 1_570_752_000_000;

/// A bar in units of 10^-8.
#[derive(Debug, PartialEq)]
struct Sums {
    prices: [u128; 4],
    amounts: [u128; 4],
    trades: u64,
}

/// Reads eight digits behind the point as a whole number.
fn units(text: &Value) -> u128 {
    let (whole, fraction) = text.as_str().unwrap().split_once('.').unwrap_or((text.as_str().unwrap(), ""));
    format!("{whole}{fraction:0<8}").parse().unwrap()
}

/// Bars by open time, from the exchange's own objects.
fn sums(trades: &[String], length: i64) -> BTreeMap<i64, Sums> {
    let mut bars: BTreeMap<i64, Sums> = BTreeMap::new();
    for line in trades {
        let trade: Value = serde_json::from_str(line).unwrap();
        let time = trade["T"].as_i64().unwrap();
        let (price, quantity) = (units(&trade["p"]), units(&trade["q"]));
        let value = price * quantity / 100_000_000;
        let bar = bars.entry(time - time % length).or_insert(Sums { prices: [price; 4], amounts: [0; 4], trades: 0 });
        let [open, high, low, _] = bar.prices;
        bar.prices = [open, high.max(price), low.min(price), price];
        let taken = u128::from(trade["m"] == false);
        for (sum, amount) in bar.amounts.iter_mut().zip([quantity, value, taken * quantity, taken * value]) {
            *sum += amount;
        }
        bar.trades += trade["l"].as_u64().unwrap() - trade["f"].as_u64().unwrap() + 1;
    }
    bars
}

fn read(row: &str) -> (i64, Sums) {
    let row: Value = serde_json::from_str(row).unwrap();
    let of = |fields: [usize; 4]| fields.map(|field| units(&row[field]));
    let sums = Sums { prices: of([1, 2, 3, 4]), amounts: of([5, 7, 9, 10]), trades: row[8].as_u64().unwrap() };
    (row[0].as_i64().unwrap(), sums)
}

/// Loads candles of a file of trades; those that it holds from beginning to end equal its sums.
fn assert_candles(trades: &[String], interval: &str, length: i64, days: &str) {
    let folder = Folder::new();
    folder.write("replay/XRPETH-aggTrades.ndjson", trades.join("\n") + "\n");
    let exchange = format!("replay:{}", folder.path("replay").display());
    let report = folder.run(&request(&folder, &["XRPETH"], interval, days), &exchange);
    let mut expected = sums(trades, length);
    // The recording begins and ends inside of a bar.
    expected.pop_first();
    expected.pop_last();
    let exported = folder.candles("XRPETH", interval);
    let found: BTreeMap<i64, Sums> = exported.lines().map(read).collect();
    assert_eq!(found, expected);
    for row in exported.lines() {
        assert!(row.contains(&format!(",{},", open_time(row) + length - 1)), "{row}");
    }
    let open_times: Vec<i64> = expected.keys().copied().collect();
    assert_eq!(report["coverage"]["XRPETH"]["gaps"], gaps(&open_times, |open| open + length));
}

#[test]
fn candles_of_trades_are_their_sums_and_none_is_invented() {
    let times = [7, 9, 61_000, 61_000, 119_999, 240_000, 299_000, 301_000];
    let trade = |(index, time): (usize, &i64)| {
        let (price, maker) = (141_342 + 17 * index * index, index % 3 == 0);
        format!(
            r#"{{"a":{index},"p":"0.00{price}","q":"{}.50000000","f":{},"l":{},"T":{},"m":{maker},"M":true}}"#,
            10 + index,
            index * 5,
            index * 5 + 4,
            DAY + time,
        )
    };
    let trades: Vec<String> = times.iter().enumerate().map(trade).collect();
    assert_eq!(sums(&trades, MINUTE).len(), 4);
    assert_candles(&trades, "1m", MINUTE, "2019-10-11:2019-10-11");
}

#[test]
fn candles_of_recorded_trades_are_their_sums() {
    let Some(folder) = recordings("aggtrades") else { return };
    let trades = lines(&folder.join("XRPETH-aggTrades-2019-10-11_13.ndjson.gz"));
    for (interval, length) in [("1m", MINUTE), ("1h", 60 * MINUTE)] {
        assert_candles(&trades, interval, length, "2019-10-11:2019-10-13");
    }
}
