//! Klines and trades as rows.

use std::io::{self, Write};

use streamforge_events::{Decimal, Kline, Symbol, Trade};

use super::{
    parquet::{Column, Values, always, column},
    rows::Row,
};

/// A kline of a symbol.
///
/// Its text is the exchange's twelve fields; the last one is "0", which the exchange itself does not use.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#klinecandlestick-data>
pub(super) struct Bar<'a> {
    pub(super) symbol: &'a Symbol,
    pub(super) kline: Kline,
}

/// A trade of a symbol.
pub(super) struct Deal<'a> {
    pub(super) symbol: &'a Symbol,
    pub(super) trade: Trade,
}

impl Row for Bar<'_> {
    const HEADER: &'static str = "open_time,open,high,low,close,volume,close_time,quote_asset_volume,\
                                  number_of_trades,taker_buy_base_asset_volume,taker_buy_quote_asset_volume,unused";

    fn csv(&self, writer: &mut impl Write) -> io::Result<()> {
        let Kline { open_time, open, high, low, close, volume, close_time, .. } = &self.kline;
        let (quote_volume, trades) = (&self.kline.quote_asset_volume, self.kline.number_of_trades);
        let taker_base = &self.kline.taker_buy_base_asset_volume;
        let taker_quote = &self.kline.taker_buy_quote_asset_volume;
        writeln!(
            writer,
            "{open_time},{open},{high},{low},{close},{volume},{close_time},{quote_volume},{trades},{taker_base},\
             {taker_quote},0"
        )
    }

    fn ndjson(&self, writer: &mut impl Write) -> io::Result<()> {
        let Kline { open_time, open, high, low, close, volume, close_time, .. } = &self.kline;
        let (quote_volume, trades) = (&self.kline.quote_asset_volume, self.kline.number_of_trades);
        let taker_base = &self.kline.taker_buy_base_asset_volume;
        let taker_quote = &self.kline.taker_buy_quote_asset_volume;
        writeln!(
            writer,
            "[{open_time},\"{open}\",\"{high}\",\"{low}\",\"{close}\",\"{volume}\",{close_time},\"{quote_volume}\",\
             {trades},\"{taker_base}\",\"{taker_quote}\",\"0\"]"
        )
    }

    fn columns() -> Vec<Column<'static, Self>> {
        let decimal = |get: fn(&Kline) -> Decimal| Values::Decimal(always(move |bar: &Self| get(&bar.kline)));
        vec![
            column("symbol", Values::Text(always(|bar: &Self| bar.symbol.to_string()))),
            column("open_time", Values::Instant(always(|bar: &Self| bar.kline.open_time))),
            column("open", decimal(|kline| kline.open)),
            column("high", decimal(|kline| kline.high)),
            column("low", decimal(|kline| kline.low)),
            column("close", decimal(|kline| kline.close)),
            column("volume", decimal(|kline| kline.volume)),
            column("close_time", Values::Instant(always(|bar: &Self| bar.kline.close_time))),
            column("quote_asset_volume", decimal(|kline| kline.quote_asset_volume)),
            column("number_of_trades", Values::Count(always(|bar: &Self| bar.kline.number_of_trades))),
            column("taker_buy_base_asset_volume", decimal(|kline| kline.taker_buy_base_asset_volume)),
            column("taker_buy_quote_asset_volume", decimal(|kline| kline.taker_buy_quote_asset_volume)),
        ]
    }
}

impl Row for Deal<'_> {
    const HEADER: &'static str = "trade_id,price,quantity,timestamp,is_buyer_maker";

    fn csv(&self, writer: &mut impl Write) -> io::Result<()> {
        let Trade { trade_id, price, quantity, timestamp, is_buyer_maker } = &self.trade;
        writeln!(writer, "{trade_id},{price},{quantity},{timestamp},{is_buyer_maker}")
    }

    fn ndjson(&self, writer: &mut impl Write) -> io::Result<()> {
        let Self { symbol, trade: Trade { trade_id, price, quantity, timestamp, is_buyer_maker } } = self;
        // A symbol has letters, digits and `-_.` only, so it needs no escapes.
        writeln!(
            writer,
            "{{\"trade_id\":{trade_id},\"price\":\"{price}\",\"quantity\":\"{quantity}\",\"timestamp\":{timestamp},\
             \"is_buyer_maker\":{is_buyer_maker},\"symbol\":\"{symbol}\"}}"
        )
    }

    fn columns() -> Vec<Column<'static, Self>> {
        vec![
            column("symbol", Values::Text(always(|deal: &Self| deal.symbol.to_string()))),
            column("trade_id", Values::Integer(always(|deal: &Self| deal.trade.trade_id))),
            column("price", Values::Decimal(always(|deal: &Self| deal.trade.price))),
            column("quantity", Values::Decimal(always(|deal: &Self| deal.trade.quantity))),
            column("timestamp", Values::Instant(always(|deal: &Self| deal.trade.timestamp))),
            column("is_buyer_maker", Values::Flag(always(|deal: &Self| deal.trade.is_buyer_maker))),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Kline {
        let decimal = |text: &str| text.parse().unwrap();
        Kline {
            open_time: 1_672_531_200_000,
            open: decimal("16541.77000000"),
            high: decimal("16545.70000000"),
            low: decimal("16508.39000000"),
            close: decimal("16529.67000000"),
            volume: decimal("610009597781.00"),
            close_time: 1_672_534_799_999,
            quote_asset_volume: decimal("71760606.31600540"),
            number_of_trades: 149_854,
            taker_buy_base_asset_volume: decimal("2179.94772000"),
            taker_buy_quote_asset_volume: decimal("36032804.13460930"),
        }
    }

    #[test]
    fn a_kline_has_the_exchange_s_twelve_fields() {
        let symbol = "BTCUSDT".parse().unwrap();
        let bar = Bar { symbol: &symbol, kline: sample() };
        let mut text = Vec::new();
        bar.csv(&mut text).unwrap();
        bar.ndjson(&mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "1672531200000,16541.77000000,16545.70000000,16508.39000000,16529.67000000,610009597781.00,1672534799999,\
             71760606.31600540,149854,2179.94772000,36032804.13460930,0\n\
             [1672531200000,\"16541.77000000\",\"16545.70000000\",\"16508.39000000\",\"16529.67000000\",\
             \"610009597781.00\",1672534799999,\"71760606.31600540\",149854,\"2179.94772000\",\"36032804.13460930\",\"0\"]\n"
        );
        assert_eq!(Bar::HEADER.split(',').count(), 12);
    }

    #[test]
    fn a_trade_is_written_in_both_forms() {
        let trade = Trade {
            trade_id: 7,
            price: "0.00000001".parse().unwrap(),
            quantity: "3.50".parse().unwrap(),
            timestamp: 1_672_531_200_001,
            is_buyer_maker: true,
        };
        let symbol = "BTCUSDT".parse().unwrap();
        let mut text = Vec::new();
        let deal = Deal { symbol: &symbol, trade };
        deal.csv(&mut text).unwrap();
        deal.ndjson(&mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "7,0.00000001,3.50,1672531200001,true\n{\"trade_id\":7,\"price\":\"0.00000001\",\"quantity\":\"3.50\",\
             \"timestamp\":1672531200001,\"is_buyer_maker\":true,\"symbol\":\"BTCUSDT\"}\n"
        );
    }
}
