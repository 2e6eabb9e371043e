//! Any row comes back from a chunk as it was, to the last digit, and the same rows make the same bytes.

use std::num::NonZeroU32;

use proptest::{collection::vec, option, prelude::*};
use serde_json::json;
use streamforge_events::{GapState, Health, Interval, Split, Symbol, TimeRange};
use streamforge_store::{Edge, MAX_VERSION, Node};

use super::*;
use crate::{
    Chunk,
    packing::{Packed, Packing},
    period::Period,
};

fn decimals() -> impl Strategy<Value = Decimal> {
    (0..10_u128.pow(28), 0..=28_u32).prop_map(|(mantissa, scale)| Decimal::from_parts(mantissa, scale).unwrap())
}

/// Letters of any script, among them those of four bytes.
fn symbols() -> impl Strategy<Value = Symbol> {
    "[A-Za-z0-9._\u{5e01}\u{5b89}\u{20000}\u{fc}-]{1,12}".prop_map(|text| text.parse().unwrap())
}

fn times() -> impl Strategy<Value = Millis> {
    TimeRange::WIDEST.from()..TimeRange::WIDEST.to()
}

fn versions() -> impl Strategy<Value = u64> {
    prop_oneof![0..MAX_VERSION, Just(MAX_VERSION - 1), (0..1_u64 << 42).prop_map(|event| 1 << 50 | event)]
}

fn doubles() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("the store takes none", |double| double.is_finite())
}

prop_compose! {
    fn klines()(
        version in versions(),
        (open_time, close_time) in (times(), times()),
        prices in vec(decimals(), 8),
        number_of_trades in any::<u64>(),
    ) -> Versioned<Kline> {
        Versioned { version, value: Kline {
            open_time,
            open: prices[0],
            high: prices[1],
            low: prices[2],
            close: prices[3],
            volume: prices[4],
            close_time,
            quote_asset_volume: prices[5],
            number_of_trades,
            taker_buy_base_asset_volume: prices[6],
            taker_buy_quote_asset_volume: prices[7],
        }}
    }
}

prop_compose! {
    fn trades()(
        version in versions(),
        trade_id in any::<i64>(),
        (price, quantity) in (decimals(), decimals()),
        timestamp in times(),
        is_buyer_maker in any::<bool>(),
    ) -> Versioned<Trade> {
        Versioned { version, value: Trade { trade_id, price, quantity, timestamp, is_buyer_maker } }
    }
}

prop_compose! {
    fn predictions()(
        version in versions(),
        symbol in symbols(),
        open_time in times(),
        horizon in 1..u32::MAX,
        numbers in vec(doubles(), 4),
        is_live in any::<bool>(),
    ) -> Versioned<Prediction> {
        Versioned { version, value: Prediction {
            model: "gnn_ü".parse().unwrap(),
            version: "2024-08-01T12.30".parse().unwrap(),
            symbol,
            interval: Interval::Mo1,
            open_time,
            horizon: NonZeroU32::new(horizon).unwrap(),
            volatility: numbers[0],
            probabilities: [numbers[1], numbers[2], numbers[3]].into(),
            split: if is_live { Split::Live } else { Split::Test },
            health: is_live.then(|| Health { age: Some(open_time), ..Health::of(u64::from(horizon), 7) }),
        }}
    }
}

prop_compose! {
    fn gaps()(symbol in symbols(), numbers in any::<[u64; 2]>(), since in times(), why in "\\PC*") -> FeedInterrupted {
        let (stream, state) = ("klines_1m".to_owned(), if since % 2 == 0 { GapState::Open } else { GapState::Left });
        FeedInterrupted { symbol, stream, from: numbers[0], to: numbers[1], state, why, since }
    }
}

prop_compose! {
    fn graphs()(
        version in versions(),
        id in "\\PC{1,20}",
        from in 0..1_000_000_i64,
        names in vec(symbols(), 2),
        numbers in vec(doubles(), 4),
        observations in any::<u64>(),
        words in "\\PC*",
    ) -> GraphDocument {
        GraphDocument {
            id,
            version,
            interval: Interval::S1,
            range: TimeRange::new(from, from + 1).unwrap(),
            parameters: json!({"words": words, "number": numbers[0], "list": [null, true]}),
            nodes: vec![Node {
                symbol: names[0].clone(), observations, mean_return: numbers[0], volatility: numbers[1],
            }],
            edges: vec![Edge {
                from: names[0].clone(), to: names[1].clone(), correlation: numbers[2], weight: numbers[3], observations,
            }],
        }
    }
}

prop_compose! {
    fn workflows()(
        (created_at, next_deadline) in (times(), option::of(times())),
        words in "\\PC*",
        controls in "[\\x00-\\x1f\u{2028}]{0,8}",
        number in doubles(),
        count in any::<u64>(),
    ) -> WorkflowDocument {
        WorkflowDocument {
            id: "wf-btcusdt-api_trades-20240801-a1b2c3".parse().unwrap(),
            status: words.clone(),
            created_at,
            next_deadline,
            json: json!({words: controls, "number": number, "count": count}),
        }
    }
}

/// Packs rows into one chunk, or as many as it takes.
fn pack<R: Row>(contents: &Contents, rows: &[R]) -> Vec<Packed> {
    let mut packing = Packing::new(contents.clone(), Period::Whole);
    let mut chunks: Vec<Packed> = rows.iter().filter_map(|row| packing.add(row).unwrap()).collect();
    chunks.extend(packing.cut().unwrap());
    chunks
}

/// Packs rows and answers what is unpacked, after checking what is noted of them.
fn again<R: Row>(contents: &Contents, rows: &[R]) -> Rows {
    let chunks = pack(contents, rows);
    assert_eq!(chunks, pack(contents, rows), "the same rows make other bytes");
    let [(chunk, bytes)] = &chunks[..] else { panic!("{} chunks", chunks.len()) };
    let Chunk { rows: count, first, last, newest, .. } = chunk;
    assert_eq!(*count, rows.len() as u64);
    assert_eq!(Some(*first), rows.iter().map(Row::time).min());
    assert_eq!(Some(*last), rows.iter().map(Row::time).max());
    assert_eq!(Some(*newest), rows.iter().map(Row::version).max());
    let unpacked = Rows::unpack(bytes, chunk.unpacked).unwrap();
    assert_eq!(unpacked.contents(), *contents);
    for length in [chunk.unpacked - 1, chunk.unpacked + 1, 0, u64::MAX] {
        Rows::unpack(bytes, length).unwrap_err();
    }
    unpacked
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn klines_come_back(symbol in symbols(), rows in vec(klines(), 1..20)) {
        let series = SeriesId { symbol, kind: SeriesKind::Klines(Interval::M1) };
        let unpacked = again(&Contents::Series(series.clone()), &rows);
        // Decimals are equal whatever their scale; their texts are not.
        prop_assert_eq!(format!("{:?}", unpacked), format!("{:?}", Rows::Klines(series, rows)));
    }

    #[test]
    fn trades_come_back(symbol in symbols(), rows in vec(trades(), 1..20)) {
        let series = SeriesId { symbol, kind: SeriesKind::Trades };
        let unpacked = again(&Contents::Series(series.clone()), &rows);
        prop_assert_eq!(format!("{:?}", unpacked), format!("{:?}", Rows::Trades(series, rows)));
    }

    #[test]
    fn predictions_come_back(rows in vec(predictions(), 1..20)) {
        prop_assert_eq!(again(&Contents::Predictions, &rows), Rows::Predictions(rows));
    }

    #[test]
    fn gaps_come_back(rows in vec(gaps(), 1..20)) {
        prop_assert_eq!(again(&Contents::Gaps, &rows), Rows::Gaps(rows));
    }

    #[test]
    fn graphs_come_back(rows in vec(graphs(), 1..4)) {
        prop_assert_eq!(again(&Contents::Graphs, &rows), Rows::Graphs(rows));
    }

    #[test]
    fn workflows_come_back(rows in vec(workflows(), 1..4)) {
        prop_assert_eq!(again(&Contents::Workflows, &rows), Rows::Workflows(rows));
    }

    #[test]
    fn any_lines_are_read_or_refused(text in "\\PC{0,99}\n?\\PC{0,99}\n?") {
        let _ = Rows::read(text.as_bytes());
    }
}

#[test]
fn a_chunk_ends_with_its_month_and_when_it_is_full() {
    let month = 31 * 86_400_000;
    let row = |timestamp| Versioned {
        version: 1,
        value: Trade {
            trade_id: timestamp,
            price: Decimal::ZERO,
            quantity: Decimal::ZERO,
            timestamp,
            is_buyer_maker: false,
        },
    };
    let series = SeriesId { symbol: "BTCUSDT".parse().unwrap(), kind: SeriesKind::Trades };
    let mut packing = Packing::new(Contents::Series(series), Period::Month);
    let times = (0..120_000).map(|time| time * 10).chain([month - 1, month, month + 1, 3 * month]);
    let mut counts: Vec<u64> = Vec::new();
    for time in times {
        counts.extend(packing.add(&row(time)).unwrap().map(|(chunk, _)| chunk.rows));
    }
    counts.extend(packing.cut().unwrap().map(|(chunk, _)| chunk.rows));
    assert_eq!(counts, [50_000, 50_000, 20_001, 2, 1]);
}

#[test]
fn what_no_chunk_holds_is_refused_in_words() {
    let header = r#"{"format":1,"holds":"workflows"}"#;
    for (text, words) in [
        (String::new(), "does not end with a line"),
        (header.to_owned(), "does not end with a line"),
        ("{}\n".to_owned(), "does not say what it holds"),
        (header.replace('1', "2") + "\n", "has format 2, not 1"),
        (header.replace("workflows", "secrets") + "\n", "does not say what it holds"),
        (format!("{header}\n\n"), "cannot be read in row 1"),
        (format!("{header}\n[]\n"), "cannot be read in row 1"),
    ] {
        let reason = Rows::read(text.as_bytes()).unwrap_err();
        assert!(reason.contains(words), "{text:?}: {reason}");
    }
    assert_eq!(Rows::read(format!("{header}\n").as_bytes()), Ok(Rows::Workflows(Vec::new())));
}
