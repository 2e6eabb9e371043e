//! Reads the exchange's JSON into records, and names the field where it cannot.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use streamforge_events::{Decimal, Kline, Millis, Trade};

use crate::Error;

/// Times from here on are microseconds: as milliseconds they would lie after the year 5100.
const MICROSECONDS: i64 = 100_000_000_000_000;

const KLINE_FIELDS: [(&str, Kind); 12] = [
    ("open time", Kind::Integer),
    ("open", Kind::Text),
    ("high", Kind::Text),
    ("low", Kind::Text),
    ("close", Kind::Text),
    ("volume", Kind::Text),
    ("close time", Kind::Integer),
    ("quote asset volume", Kind::Text),
    ("number of trades", Kind::Integer),
    ("taker buy base asset volume", Kind::Text),
    ("taker buy quote asset volume", Kind::Text),
    ("unused", Kind::Any),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Integer,
    Text,
    Any,
}

/// Where an answer is not what it should be.
#[derive(Debug, PartialEq)]
pub(super) struct Flaw {
    expected: String,
    found: String,
}

/// A row of aggTrades: its id, its time, and the trade unless the row is poisoned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AggTradeRow {
    pub(super) id: i64,
    pub(super) time: Millis,
    pub(super) trade: Option<Trade>,
}

impl Flaw {
    pub(super) fn new(expected: impl Into<String>, found: &str) -> Self {
        Self { expected: expected.into(), found: format!("`{}`", found.chars().take(120).collect::<String>()) }
    }

    /// The error for the request in whose answer this was found.
    pub(super) fn on(self, request: &str) -> Error {
        Error::Malformed { request: request.to_owned(), expected: self.expected, found: self.found }
    }
}

/// The exchange's row: open time, open, high, low, close, volume, close time, quote volume, trades, taker buys, "0".
#[derive(Deserialize)]
struct RawKline<'a>(i64, &'a str, &'a str, &'a str, &'a str, &'a str, i64, &'a str, u64, &'a str, &'a str, IgnoredAny);

#[derive(Deserialize)]
struct RawAggTrade<'a> {
    a: i64,
    p: &'a str,
    q: &'a str,
    f: i64,
    #[serde(rename = "T")]
    time: i64,
    m: bool,
}

/// Reads an answer of `klines`.
pub(super) fn read_klines(body: &[u8]) -> Result<Vec<Kline>, Flaw> {
    // Checking the text once is quicker than checking each of its strings; what is no text is named by the other reader.
    let read = std::str::from_utf8(body).map_or_else(|_| serde_json::from_slice(body), serde_json::from_str);
    let rows: Vec<RawKline> = read.map_err(|error| kline_flaw(body, &error))?;
    rows.iter().enumerate().map(|(index, row)| kline(index, row)).collect()
}

/// Reads an answer of `aggTrades`; poisoned rows keep their id but have no trade.
pub(super) fn read_agg_trades(body: &[u8]) -> Result<Vec<AggTradeRow>, Flaw> {
    let rows: Vec<RawAggTrade> = read(body, "a list of aggregate trades")?;
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            let number = |name, text| decimal("aggregate trade", index, name, text);
            let (price, quantity) = (number("price `p`", row.p)?, number("quantity `q`", row.q)?);
            let poisoned = row.f < 0 || price.is_zero() || quantity.is_zero();
            let time = millis(row.time);
            let trade = Trade { trade_id: row.a, price, quantity, timestamp: time, is_buyer_maker: row.m };
            Ok(AggTradeRow { id: row.a, time, trade: (!poisoned).then_some(trade) })
        })
        .collect()
}

/// Reads any other answer.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8], expected: &str) -> Result<T, Flaw> {
    serde_json::from_slice(body).map_err(|error| Flaw::new(format!("{expected} ({error})"), &excerpt(body)))
}

/// Milliseconds, whichever unit the exchange used.
pub(super) fn millis(time: i64) -> Millis {
    if time >= MICROSECONDS { time / 1_000 } else { time }
}

fn kline(index: usize, row: &RawKline) -> Result<Kline, Flaw> {
    let number = |field: usize, text| decimal("kline", index, KLINE_FIELDS[field].0, text);
    if row.0 < 0 {
        return Err(Flaw::new(format!("kline {index} with a positive open time"), &row.0.to_string()));
    }
    Ok(Kline {
        open_time: millis(row.0),
        open: number(1, row.1)?,
        high: number(2, row.2)?,
        low: number(3, row.3)?,
        close: number(4, row.4)?,
        volume: number(5, row.5)?,
        close_time: millis(row.6),
        quote_asset_volume: number(7, row.7)?,
        number_of_trades: row.8,
        taker_buy_base_asset_volume: number(9, row.9)?,
        taker_buy_quote_asset_volume: number(10, row.10)?,
    })
}

fn decimal(record: &str, index: usize, field: &str, text: &str) -> Result<Decimal, Flaw> {
    text.parse().map_err(|_| Flaw::new(format!("{record} {index} with a decimal number as {field}"), text))
}

/// Finds the first field that is wrong: slow, so only for an answer that did not parse.
fn kline_flaw(body: &[u8], error: &serde_json::Error) -> Flaw {
    let Ok(rows) = serde_json::from_slice::<Vec<Value>>(body) else {
        return Flaw::new(format!("a list of klines ({error})"), &excerpt(body));
    };
    for (index, row) in rows.iter().enumerate() {
        let fields = row.as_array().map_or(&[][..], Vec::as_slice);
        if fields.len() != KLINE_FIELDS.len() {
            return Flaw::new(format!("kline {index} with 12 fields"), &row.to_string());
        }
        for (value, (name, kind)) in fields.iter().zip(KLINE_FIELDS) {
            let fits = match kind {
                Kind::Integer => value.is_u64(),
                Kind::Text => value.is_string(),
                Kind::Any => true,
            };
            if !fits {
                let kind = if kind == Kind::Integer { "an integer" } else { "a string" };
                return Flaw::new(format!("kline {index} with {kind} as {name}"), &value.to_string());
            }
        }
    }
    Flaw::new(format!("a list of klines ({error})"), &excerpt(body))
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the exchange's documentation.
    const KLINE: &str = r#"[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,"2434.19055334",308,"1756.87402397","28.46694368","0"]"#;

    #[test]
    fn a_kline_keeps_every_digit() {
        let rows = read_klines(format!("[{KLINE}]").as_bytes()).unwrap();
        assert_eq!(rows[0].open_time, 1_499_040_000_000);
        assert_eq!(rows[0].volume.to_string(), "148976.11427815");
        assert_eq!(rows[0].taker_buy_quote_asset_volume.to_string(), "28.46694368");
        assert_eq!(rows[0].number_of_trades, 308);
    }

    #[test]
    fn microseconds_become_milliseconds() {
        let text = KLINE.replace("1499040000000", "1499040000000000").replace("1499644799999", "1499644799999999");
        let rows = read_klines(format!("[{text}]").as_bytes()).unwrap();
        assert_eq!((rows[0].open_time, rows[0].close_time), (1_499_040_000_000, 1_499_644_799_999));
    }

    #[test]
    fn the_wrong_field_is_named() {
        for (from, to, words) in [
            ("\"0.80000000\"", "0.8", "kline 1 with a string as high"),
            ("308", "\"308\"", "kline 1 with an integer as number of trades"),
            ("308", "-1", "kline 1 with an integer as number of trades"),
            ("148976.11427815", "a lot", "kline 1 with a decimal number as volume"),
            (",\"0\"]", "]", "kline 1 with 12 fields"),
            ("1499040000000,", "-5,", "open time"),
        ] {
            let body = format!("[{KLINE},{}]", KLINE.replace(from, to));
            let flaw = read_klines(body.as_bytes()).unwrap_err();
            assert!(flaw.expected.contains(words), "{flaw:?}");
        }
        assert!(read_klines(b"{}").unwrap_err().expected.contains("a list of klines"));
    }

    #[test]
    fn poisoned_trades_are_kept_apart() {
        let body = br#"[
            {"a":1,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true,"M":true},
            {"a":2,"p":"0","q":"0","f":-1,"l":-1,"T":1498793709154,"m":true,"M":true}]"#;
        let rows = read_agg_trades(body).unwrap();
        assert_eq!(rows[0].trade.as_ref().unwrap().price.to_string(), "0.01633102");
        assert_eq!((rows[1].id, &rows[1].trade), (2, &None));
    }
}
