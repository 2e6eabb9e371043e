//! The computed market: trades add up to bars, bars to coarser bars, and nothing ever changes.

use serde_json::Value;
use streamforge_events::Decimal;

use crate::server::{DAY, HOUR, MIDNIGHT, MINUTE, NOW, Server, frozen, start};

/// Sums of a bar: volume, quote volume, count, taker volumes, and the four prices.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    amounts: [u128; 4],
    count: i64,
    prices: [u128; 4],
}

impl Sums {
    fn add(&mut self, amounts: [u128; 4], count: i64, [open, high, low, close]: [u128; 4]) {
        if self.prices == [0; 4] {
            self.prices = [open, high, low, close];
        }
        for (sum, amount) in self.amounts.iter_mut().zip(amounts) {
            *sum += amount;
        }
        self.count += count;
        self.prices = [self.prices[0], self.prices[1].max(high), self.prices[2].min(low), close];
    }

    fn kline(&mut self, row: &Value) {
        let amounts = [5, 7, 9, 10].map(|field| units(&row[field]));
        self.add(amounts, row[8].as_i64().unwrap(), [1, 2, 3, 4].map(|field| units(&row[field])));
    }

    fn trade(&mut self, price: &Value, quantity: &Value, count: i64, is_buyer_maker: bool) {
        let (price, quantity) = (units(price), units(quantity));
        let quote = price * quantity;
        assert_eq!(quote % 100_000_000, 0, "eight digits hold every quote quantity");
        let quote = quote / 100_000_000;
        let taken = |amount| if is_buyer_maker { 0 } else { amount };
        self.add([quantity, quote, taken(quantity), taken(quote)], count, [price; 4]);
    }
}

/// An amount in units of 1e-8.
fn units(value: &Value) -> u128 {
    let decimal: Decimal = value.as_str().unwrap().parse().unwrap();
    decimal.mantissa() * 10_u128.pow(8 - decimal.scale())
}

async fn agg_trades(server: &Server, symbol: &str, from: i64, to: i64) -> Vec<Value> {
    let query = format!("aggTrades?symbol={symbol}&startTime={from}&endTime={}&limit=1000", to - 1);
    let mut rows = server.rows(&query).await;
    while rows.len() >= 1_000 {
        let next = rows.last().unwrap()["a"].as_i64().unwrap() + 1;
        let page = server.rows(&format!("aggTrades?symbol={symbol}&fromId={next}&limit=1000")).await;
        let within: Vec<_> = page.into_iter().filter(|row| row["T"].as_i64().unwrap() < to).collect();
        if within.is_empty() {
            break;
        }
        rows.extend(within);
    }
    rows
}

#[tokio::test]
async fn trades_add_up_to_every_bar() {
    let server = start(frozen("synthetic:42")).await;
    for (symbol, interval, length) in [
        ("BTCUSDT", "1m", MINUTE),
        ("SHIBUSDT", "15m", 15 * MINUTE),
        ("XRPUSDT", "4h", 4 * HOUR),
        ("CRVUSDT", "1s", 1_000),
    ] {
        let klines =
            server.rows(&format!("klines?symbol={symbol}&interval={interval}&startTime={MIDNIGHT}&limit=5")).await;
        for kline in &klines {
            let open = kline[0].as_i64().unwrap();
            assert_eq!(kline[6], open + length - 1);
            let trades = agg_trades(&server, symbol, open, open + length).await;
            let mut expected = Sums::default();
            let mut last = None;
            for trade in &trades {
                let (first_id, last_id) = (trade["f"].as_i64().unwrap(), trade["l"].as_i64().unwrap());
                assert!(last.is_none_or(|last| first_id == last + 1));
                last = Some(last_id);
                expected.trade(&trade["p"], &trade["q"], last_id - first_id + 1, trade["m"].as_bool().unwrap());
            }
            let mut found = Sums::default();
            found.kline(kline);
            if trades.is_empty() {
                expected.prices = found.prices;
                assert!(found.prices.iter().all(|price| *price == found.prices[0]), "a bar without trades is flat");
            }
            assert_eq!(found, expected, "{symbol} {interval} {open}");
        }
    }
}

#[tokio::test]
async fn single_trades_add_up_to_aggregate_ones() {
    let server = start(frozen("synthetic:42")).await;
    let rows = agg_trades(&server, "ETHUSDT", MIDNIGHT, MIDNIGHT + MINUTE).await;
    let from = rows[0]["f"].as_i64().unwrap();
    let singles = server.rows(&format!("historicalTrades?symbol=ETHUSDT&fromId={from}&limit=1000")).await;
    let mut left = singles.iter();
    for row in rows {
        let count = row["l"].as_i64().unwrap() - row["f"].as_i64().unwrap() + 1;
        let (mut expected, mut found) = (Sums::default(), Sums::default());
        expected.trade(&row["p"], &row["q"], count, row["m"].as_bool().unwrap());
        for single in left.by_ref().take(usize::try_from(count).unwrap()) {
            assert_eq!(single["time"], row["T"]);
            found.trade(&single["price"], &single["qty"], 1, single["isBuyerMaker"].as_bool().unwrap());
        }
        assert_eq!(found, expected);
    }
    let recent = server.rows("trades?symbol=ETHUSDT&limit=700").await;
    let ids: Vec<i64> = recent.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (ids[0]..ids[0] + 700).collect::<Vec<_>>());
}

#[tokio::test]
async fn coarser_bars_are_the_sums_of_finer_ones() {
    let server = start(frozen("synthetic:42")).await;
    for (symbol, coarse, fine, from, to) in [
        ("SOLUSDT", "1m", "1s", MIDNIGHT, MIDNIGHT + 15 * MINUTE),
        ("BTCUSDT", "15m", "1m", MIDNIGHT, MIDNIGHT + 15 * HOUR),
        ("SHIBUSDT", "1d", "5m", MIDNIGHT - 3 * DAY, MIDNIGHT),
        ("ETHUSDT", "1w", "8h", MIDNIGHT - 26 * DAY, MIDNIGHT - 5 * DAY),
        ("DOGEUSDT", "3d", "12h", MIDNIGHT - 40 * DAY, MIDNIGHT - 10 * DAY),
        ("BNBUSDT", "1M", "1d", 1_704_067_200_000, MIDNIGHT),
    ] {
        let page = async |interval: &str| {
            let bounds = format!("startTime={from}&endTime={}&limit=1000", to - 1);
            server.rows(&format!("klines?symbol={symbol}&interval={interval}&{bounds}")).await
        };
        let (coarser, finer) = (page(coarse).await, page(fine).await);
        assert!(coarser.len() > 1);
        for bar in coarser.iter().filter(|bar| bar[6].as_i64().unwrap() < to.min(NOW)) {
            let (mut expected, mut found) = (Sums::default(), Sums::default());
            found.kline(bar);
            let is_traded = |part: &&Value| part[8] != 0;
            let is_part = |part: &&Value| (bar[0].as_i64()..=bar[6].as_i64()).contains(&part[0].as_i64());
            finer.iter().filter(is_part).filter(is_traded).for_each(|part| expected.kline(part));
            assert_eq!(found, expected, "{symbol} {coarse} {}", bar[0]);
        }
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes_for_ever() {
    let target = format!("klines?symbol=BTCUSDT&interval=15m&endTime={MIDNIGHT}&limit=1000");
    let (one, two) = (start(frozen("synthetic:42")).await, start(frozen("synthetic:42")).await);
    let other = start(frozen("synthetic:43")).await;
    let bytes = one.get(&target).await.body;
    assert_eq!(bytes, two.get(&target).await.body);
    assert_ne!(bytes, other.get(&target).await.body);
    let pinned = format!("klines?symbol=BTCUSDT&interval=15m&startTime={MIDNIGHT}&limit=1");
    assert_eq!(one.get(&pinned).await.body, PINNED);
}

/// A change of these bytes is a change of everybody's market.
const PINNED: &str = r#"[[1717200000000,"63971.11000000","64197.02000000","63887.13000000","63992.02000000","41.39306000",1717200899999,"2651261.34586340",1443,"21.04937000","1348552.53357950","0"]]"#;

#[tokio::test]
async fn returns_of_different_symbols_correlate() {
    let server = start(frozen("synthetic:42")).await;
    let returns = async |symbol: &str| -> Vec<f64> {
        let rows = server.rows(&format!("klines?symbol={symbol}&interval=15m&limit=1000")).await;
        let closes: Vec<f64> = rows.iter().map(|row| row[4].as_str().unwrap().parse::<f64>().unwrap().ln()).collect();
        closes.windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    let (bitcoin, ether) = (returns("BTCUSDT").await, returns("ETHUSDT").await);
    let product = |one: &[f64], two: &[f64]| one.iter().zip(two).map(|(one, two)| one * two).sum::<f64>();
    let correlation = product(&bitcoin, &ether) / (product(&bitcoin, &bitcoin) * product(&ether, &ether)).sqrt();
    assert!((0.5..0.95).contains(&correlation), "{correlation}");
}
