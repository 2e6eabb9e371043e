//! The text of one exported row.

use std::io::{self, Write};

use serde_json::{Value, json};
use streamforge_events::{Kline, Symbol, Trade};
use streamforge_store::GraphDocument;

use super::Format;

/// Names of a kline's columns, in the exchange's order.
pub(super) const KLINE_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_asset_volume,\
                                       number_of_trades,taker_buy_base_asset_volume,taker_buy_quote_asset_volume,unused";

/// Names of a trade's columns.
pub(super) const TRADE_HEADER: &str = "trade_id,price,quantity,timestamp,is_buyer_maker";

/// Writes a kline as the exchange's twelve fields; the last one is "0", which the exchange itself does not use.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#klinecandlestick-data>
pub(super) fn kline(writer: &mut impl Write, kline: &Kline, format: Format) -> io::Result<()> {
    let Kline { open_time, open, high, low, close, volume, close_time, .. } = kline;
    let (quote_volume, trades) = (&kline.quote_asset_volume, kline.number_of_trades);
    let (taker_base, taker_quote) = (&kline.taker_buy_base_asset_volume, &kline.taker_buy_quote_asset_volume);
    match format {
        Format::Csv => writeln!(
            writer,
            "{open_time},{open},{high},{low},{close},{volume},{close_time},{quote_volume},{trades},{taker_base},\
             {taker_quote},0"
        ),
        Format::Ndjson => writeln!(
            writer,
            "[{open_time},\"{open}\",\"{high}\",\"{low}\",\"{close}\",\"{volume}\",{close_time},\"{quote_volume}\",\
             {trades},\"{taker_base}\",\"{taker_quote}\",\"0\"]"
        ),
    }
}

/// Writes a trade.
pub(super) fn trade(writer: &mut impl Write, trade: &Trade, symbol: &Symbol, format: Format) -> io::Result<()> {
    let Trade { trade_id, price, quantity, timestamp, is_buyer_maker } = trade;
    match format {
        Format::Csv => writeln!(writer, "{trade_id},{price},{quantity},{timestamp},{is_buyer_maker}"),
        // A symbol has letters, digits and `-_.` only, so it needs no escapes.
        Format::Ndjson => writeln!(
            writer,
            "{{\"trade_id\":{trade_id},\"price\":\"{price}\",\"quantity\":\"{quantity}\",\"timestamp\":{timestamp},\
             \"is_buyer_maker\":{is_buyer_maker},\"symbol\":\"{symbol}\"}}"
        ),
    }
}

/// Describes a graph as one object; times are UTC milliseconds.
///
/// Its version is left out: that is the moment at which it was commanded, and equal graphs shall print equal bytes.
pub(super) fn graph(graph: &GraphDocument) -> Value {
    json!({
        "id": graph.id,
        "interval": graph.interval,
        "from": graph.range.from(),
        "to": graph.range.to(),
        "parameters": graph.parameters,
        "nodes": graph.nodes,
        "edges": graph.edges,
    })
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
        let text = |format| {
            let mut text = Vec::new();
            kline(&mut text, &sample(), format).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(
            text(Format::Csv),
            "1672531200000,16541.77000000,16545.70000000,16508.39000000,16529.67000000,610009597781.00,1672534799999,\
             71760606.31600540,149854,2179.94772000,36032804.13460930,0\n"
        );
        assert_eq!(
            text(Format::Ndjson),
            "[1672531200000,\"16541.77000000\",\"16545.70000000\",\"16508.39000000\",\"16529.67000000\",\
             \"610009597781.00\",1672534799999,\"71760606.31600540\",149854,\"2179.94772000\",\"36032804.13460930\",\"0\"]\n"
        );
        assert_eq!(KLINE_HEADER.split(',').count(), 12);
    }

    #[test]
    fn a_trade_is_written_in_both_forms() {
        let sample = Trade {
            trade_id: 7,
            price: "0.00000001".parse().unwrap(),
            quantity: "3.50".parse().unwrap(),
            timestamp: 1_672_531_200_001,
            is_buyer_maker: true,
        };
        let symbol = "BTCUSDT".parse().unwrap();
        let mut text = Vec::new();
        trade(&mut text, &sample, &symbol, Format::Csv).unwrap();
        trade(&mut text, &sample, &symbol, Format::Ndjson).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "7,0.00000001,3.50,1672531200001,true\n{\"trade_id\":7,\"price\":\"0.00000001\",\"quantity\":\"3.50\",\
             \"timestamp\":1672531200001,\"is_buyer_maker\":true,\"symbol\":\"BTCUSDT\"}\n"
        );
    }
}
