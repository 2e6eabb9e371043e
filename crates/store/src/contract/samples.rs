//! Records that the suite stores.

use std::num::NonZeroU32;

use streamforge_events::{
    Decimal, Error as EventError, Interval, Kline, Millis, Prediction, QueueId, SeriesId, SeriesKind, Split, Symbol,
    TimeRange, Trade,
};

use crate::{Edge, GraphDocument, Node, Versioned, WorkflowDocument};

pub(super) const MINUTE: Millis = 60_000;
pub(super) const START: Millis = 1_722_470_400_000;

pub(super) fn symbol(text: &str) -> Symbol {
    sound(text.parse())
}

pub(super) fn decimal(text: &str) -> Decimal {
    sound(text.parse())
}

pub(super) fn queue_id(text: &str) -> QueueId {
    sound(text.parse())
}

pub(super) fn range(from: Millis, to: Millis) -> TimeRange {
    sound(TimeRange::new(from, to))
}

pub(super) fn klines(name: &str, interval: &str) -> SeriesId {
    let interval: Interval = sound(interval.parse());
    SeriesId { symbol: symbol(name), kind: SeriesKind::Klines(interval) }
}

pub(super) fn trades(name: &str) -> SeriesId {
    SeriesId { symbol: symbol(name), kind: SeriesKind::Trades }
}

/// A kline of some minute with decimals of all sizes; `close` tells one content from another.
pub(super) fn kline(open_time: Millis, close: &str) -> Kline {
    Kline {
        open_time,
        open: decimal("0.00002829"),
        high: decimal("93738.19000000"),
        low: decimal("0.00000001"),
        close: decimal(close),
        volume: decimal("610009597781.00"),
        close_time: open_time + MINUTE - 1,
        quote_asset_volume: decimal("32067355081399.00000000"),
        number_of_trades: 456,
        taker_buy_base_asset_volume: decimal("60.12"),
        taker_buy_quote_asset_volume: decimal("0"),
    }
}

pub(super) fn versioned(version: u64, open_time: Millis, close: &str) -> Versioned<Kline> {
    Versioned { version, value: kline(open_time, close) }
}

/// Klines one after the other, by the interval's calendar.
pub(super) fn row_of_klines(opens: impl IntoIterator<Item = Millis>) -> Vec<Versioned<Kline>> {
    opens.into_iter().map(|open| versioned(1, open, "1.5")).collect()
}

pub(super) fn trade(trade_id: i64, timestamp: Millis) -> Versioned<Trade> {
    let value = Trade {
        trade_id,
        price: decimal("0.00002829"),
        quantity: decimal("610009597781.00"),
        timestamp,
        is_buyer_maker: trade_id % 2 == 0,
    };
    Versioned { version: 1, value }
}

pub(super) fn workflow(id: &str, status: &str, created_at: Millis) -> WorkflowDocument {
    WorkflowDocument {
        id: queue_id(id),
        status: status.to_owned(),
        created_at,
        next_deadline: None,
        json: serde_json::json!({"id": id, "count": 0, "text": "ä \u{1f600} \"quoted\""}),
    }
}

/// A graph of the given pairs over the symbols `A` to `F`.
pub(super) fn graph(id: &str, version: u64, pairs: &[(&str, &str)]) -> GraphDocument {
    let node =
        |name: &str| Node { symbol: symbol(name), observations: 1439, mean_return: -1.25e-7, volatility: 0.1 + 0.2 };
    let edge = |&(from, to): &(&str, &str)| Edge {
        from: symbol(from),
        to: symbol(to),
        correlation: -0.75,
        weight: 0.75,
        observations: 1400,
    };
    GraphDocument {
        id: id.to_owned(),
        version,
        interval: Interval::M1,
        range: range(START, START + 1440 * MINUTE),
        parameters: serde_json::json!({"threshold": 0.5}),
        nodes: ["F", "E", "D", "C", "B", "A"].into_iter().map(node).collect(),
        edges: pairs.iter().map(edge).collect(),
    }
}

/// A prediction with numbers that no decimal has.
pub(super) fn prediction(name: &str, open_time: Millis) -> Prediction {
    Prediction {
        model: sound("gnn_ü".parse()),
        version: sound("1".parse()),
        symbol: symbol(name),
        interval: Interval::M15,
        open_time,
        horizon: NonZeroU32::MIN.saturating_add(15),
        volatility: 0.1 + 0.2,
        probabilities: [1.0 / 3.0, 0.5, 1.0 / 6.0].into(),
        split: Split::Live,
        health: None,
    }
}

fn sound<T>(parsed: Result<T, EventError>) -> T {
    parsed.expect("the samples are valid")
}
