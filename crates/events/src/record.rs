//! The records of a market: klines and trades, exactly as the exchange sent them.

use serde::{Deserialize, Serialize};

use crate::{Decimal, Millis};

/// One kline (candlestick) of a symbol and an interval.
///
/// The exchange's array ends with a twelfth field that is always `"0"` and is not kept.
///
/// # Units
/// Times in UTC milliseconds, prices in the quote asset, volumes in the base asset unless named `quote`.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#klinecandlestick-data>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kline {
    /// When the bar opened; with symbol and interval its identity.
    pub open_time: Millis,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Volume of the base asset.
    pub volume: Decimal,
    /// When the bar closed; cut short if the exchange went down inside it.
    pub close_time: Millis,
    /// Volume of the quote asset.
    pub quote_asset_volume: Decimal,
    /// How many trades made it.
    pub number_of_trades: u64,
    /// Volume of the base asset bought by takers.
    pub taker_buy_base_asset_volume: Decimal,
    /// Volume of the quote asset spent by buying takers.
    pub taker_buy_quote_asset_volume: Decimal,
}

/// One aggregate trade of a symbol.
///
/// # Units
/// Time in UTC milliseconds, price in the quote asset, quantity in the base asset.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#compressedaggregate-trades-list>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// The exchange's number of the aggregate trade (`a`); with the symbol its identity.
    pub trade_id: i64,
    /// Price (`p`).
    pub price: Decimal,
    /// Quantity (`q`).
    pub quantity: Decimal,
    /// When (`T`).
    pub timestamp: Millis,
    /// Whether the buyer was the maker (`m`).
    pub is_buyer_maker: bool,
}
