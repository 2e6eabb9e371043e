//! Payloads of the topic `market-data`: many records of one symbol in one event.

use serde::{Deserialize, Serialize};

use crate::{Clocks, Decimal, Interval, Kline, Millis, Symbol, Trade};

/// Up to a thousand closed klines of one symbol and interval.
///
/// # Shape
/// On the wire `rows` holds arrays in the order of [`Kline`]'s fields, so that no name is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KlineBatch {
    /// Whose klines.
    pub symbol: Symbol,
    /// Their interval.
    pub interval: Interval,
    /// Number of the batch inside its task, the same on every attempt.
    pub batch: u32,
    /// The exchange's clock when it was read; a later reading replaces an earlier one.
    pub read_at: Millis,
    /// The klines, ascending in time.
    #[serde(with = "kline_rows")]
    pub rows: Vec<Kline>,
    /// When each row came, of rows that came live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<Clocks>,
}

/// Up to a thousand trades of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TradeBatch {
    /// Whose trades.
    pub symbol: Symbol,
    /// Number of the batch inside its task, the same on every attempt.
    pub batch: u32,
    /// The exchange's clock when it was read.
    pub read_at: Millis,
    /// The trades, ascending in id.
    #[serde(with = "trade_rows")]
    pub rows: Vec<Trade>,
    /// When each row came, of rows that came live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<Clocks>,
}

mod kline_rows {
    //! Klines as arrays.

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Decimal, Kline, Millis};

    type Row = (Millis, Decimal, Decimal, Decimal, Decimal, Decimal, Millis, Decimal, u64, Decimal, Decimal);

    pub(super) fn serialize<S: Serializer>(rows: &[Kline], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rows.iter().map(|kline| -> Row {
            (
                kline.open_time,
                kline.open,
                kline.high,
                kline.low,
                kline.close,
                kline.volume,
                kline.close_time,
                kline.quote_asset_volume,
                kline.number_of_trades,
                kline.taker_buy_base_asset_volume,
                kline.taker_buy_quote_asset_volume,
            )
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Kline>, D::Error> {
        let rows = Vec::<Row>::deserialize(deserializer)?;
        Ok(rows.into_iter().map(kline).collect())
    }

    fn kline(row: Row) -> Kline {
        Kline {
            open_time: row.0,
            open: row.1,
            high: row.2,
            low: row.3,
            close: row.4,
            volume: row.5,
            close_time: row.6,
            quote_asset_volume: row.7,
            number_of_trades: row.8,
            taker_buy_base_asset_volume: row.9,
            taker_buy_quote_asset_volume: row.10,
        }
    }
}

mod trade_rows {
    //! Trades as arrays.

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Decimal, Millis, Trade};

    type Row = (i64, Decimal, Decimal, Millis, bool);

    pub(super) fn serialize<S: Serializer>(rows: &[Trade], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rows.iter().map(|trade| -> Row {
            (trade.trade_id, trade.price, trade.quantity, trade.timestamp, trade.is_buyer_maker)
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Trade>, D::Error> {
        let rows = Vec::<Row>::deserialize(deserializer)?;
        let trade = |(trade_id, price, quantity, timestamp, is_buyer_maker)| Trade {
            trade_id,
            price,
            quantity,
            timestamp,
            is_buyer_maker,
        };
        Ok(rows.into_iter().map(trade).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_arrays_and_keep_every_digit() {
        let wire = json!({"symbol": "SHIBUSDT", "interval": "1h", "batch": 3, "read_at": 1_700_000_000_000_i64, "rows": [
            [1_634_760_000_000_i64, "0.00002829", "0.00002833", "0.00002808", "0.00002823", "610009597781.00",
             1_634_763_599_999_i64, "17221034.10", 31337, "300000000000.00", "8469000.5"]]});
        let batch: KlineBatch = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(batch.rows[0].volume.to_string(), "610009597781.00");
        assert_eq!(serde_json::to_value(&batch).unwrap(), wire);

        let wire = json!({"symbol": "XRPETH", "batch": 0, "read_at": 1, "rows": [
            [13_519_807, "0.00141342", "23.00000000", 1_570_752_011_620_i64, true]]});
        let batch: TradeBatch = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&batch).unwrap(), wire);
    }

    #[test]
    fn a_row_that_is_short_or_not_exact_is_refused() {
        for row in [json!([1, "1", "1"]), json!([1, 1.5, "1", "1", "1", "1", 2, "1", 1, "1", "1"])] {
            let wire = json!({"symbol": "A", "interval": "1m", "batch": 0, "read_at": 1, "rows": [row]});
            assert!(serde_json::from_value::<KlineBatch>(wire).is_err());
        }
    }
}
