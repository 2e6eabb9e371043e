//! Predictions against what came, in whatever order predictions and bars arrive.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::{HORIZON, HOUR, SYMBOLS, Stage, ended, predicted, report};
use serde_json::json;
use streamforge_events::Split;

/// Bars that are stored in the end; one is missing.
const BARS: i64 = 60;
const GAP: i64 = 40;

fn bars(range: std::ops::Range<i64>) -> impl Iterator<Item = i64> + Clone {
    range.filter(|bar| *bar != GAP)
}

#[tokio::test]
async fn rows_are_what_an_export_says_and_what_following_would_have_brought() {
    let stage = Stage::set().await;
    stage.load(bars(0..BARS), 1).await;
    stage.predict(20..BARS, Split::Live).await;
    stage.predict(20..BARS, Split::Test).await;
    stage.done(&predicted(20, BARS - 1)).await;
    let rows = stage.rows().await;
    assert_eq!(rows, stage.expected().await);
    let open = |symbol: &str| -> Vec<i64> {
        let rows = rows.iter().filter(|row| row.prediction.symbol.as_str() == symbol && row.outcome.is_none());
        rows.map(|row| row.prediction.open_time / HOUR).collect()
    };
    // Around the gap until the band's window is whole again, and where the horizon is not over.
    let around: Vec<i64> = (GAP - HORIZON..GAP + 17).chain([BARS - 2, BARS - 1]).collect();
    assert!(SYMBOLS.into_iter().all(|symbol| open(symbol) == around), "{:?}", open(SYMBOLS[0]));
    for row in rows.iter().filter(|row| row.outcome.is_some()) {
        let came = row.outcome.as_ref().unwrap();
        let factor = came.log_return.exp();
        let gain = match row.predicted_class.as_str() {
            "up" => factor - 1.0,
            "down" => 1.0 - factor,
            _ => 0.0,
        };
        assert!((came.gain - gain).abs() < 1e-12, "{row:?}");
    }
    assert!(["up", "down", "sideways"].iter().all(|class| rows.iter().any(|row| row.predicted_class == *class)));
}

#[tokio::test]
async fn order_and_repetition_do_not_matter() {
    let mut final_rows = None;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let stage = Stage::set().await;
        let mut history = Vec::new();
        for step in order {
            let event = match step {
                0 => {
                    stage.predict(20..BARS, Split::Live).await;
                    predicted(20, BARS - 1)
                }
                1 => {
                    stage.load(bars(0..35), 1).await;
                    ended("finished", 0)
                }
                _ => {
                    stage.load(bars(35..BARS), 1).await;
                    ended("finished", 0)
                }
            };
            history.push(event);
            for event in &history {
                stage.done(event).await;
            }
        }
        let rows = stage.rows().await;
        assert_eq!(rows, stage.expected().await, "{order:?}");
        assert_eq!(final_rows.get_or_insert_with(|| rows.clone()), &rows, "{order:?}");
        stage.set_back();
        for event in history.iter().rev() {
            stage.done(event).await;
        }
        assert_eq!(stage.rows().await, rows, "{order:?}, once more after the clock was set back");
    }
}

#[tokio::test]
async fn a_bar_that_was_predicted_from_closes_what_waited_for_it() {
    let stage = Stage::set().await;
    stage.load(0..30, 1).await;
    stage.predict(29..30, Split::Live).await;
    let told = |bar: i64| {
        let extra = json!({"model": {"name": "gnn", "version": "1"}, "predictions": 2, "open_time": bar * HOUR});
        report("predictor", "loading", &extra, &json!({}))
    };
    stage.done(&told(29)).await;
    for bar in 30..34 {
        stage.load(bar..=bar, 1).await;
        stage.predict(bar..=bar, Split::Live).await;
        stage.done(&told(bar)).await;
        let closed = stage.rows().await.iter().filter(|row| row.outcome.is_some()).count();
        assert_eq!(i64::try_from(closed).unwrap(), 2 * (bar - 29 - HORIZON + 1).max(0), "after bar {bar}");
        assert_eq!(stage.rows().await, stage.expected().await);
    }
    // Progress within a range names no model and tells nothing.
    stage.done(&report("predictor", "loading", &json!({"until": 5}), &json!({}))).await;
    stage.done(&report("predictor", "started", &json!(null), &json!({}))).await;
}

#[tokio::test]
async fn predictions_after_some_bars_alone_are_closed_by_the_next_ones() {
    let stage = Stage::set().await;
    stage.load(0..30, 1).await;
    let mut predicted = Vec::new();
    for bar in 30..50 {
        stage.load(bar..=bar, 1).await;
        if bar % 5 > 0 {
            continue;
        }
        predicted.push(bar);
        stage.predict(bar..=bar, Split::Live).await;
        let extra = json!({"model": {"name": "gnn", "version": "1"}, "predictions": 2, "open_time": bar * HOUR});
        stage.done(&report("predictor", "loading", &extra, &json!({}))).await;
        let rows = stage.rows().await;
        let open: Vec<i64> =
            rows.iter().filter(|row| row.outcome.is_none()).map(|row| row.prediction.open_time).collect();
        assert_eq!(open, [bar * HOUR; SYMBOLS.len()], "of {predicted:?} all but the last are known");
        assert_eq!(rows, stage.expected().await);
    }
    assert_eq!(stage.rows().await.len(), SYMBOLS.len() * predicted.len());
}

#[tokio::test]
async fn restated_bars_are_reckoned_with_anew() {
    let stage = Stage::set().await;
    stage.load(0..BARS, 1).await;
    stage.predict(20..50, Split::Live).await;
    stage.done(&predicted(20, 49)).await;
    let before = stage.rows().await;
    stage.load(30..33, 2).await;
    stage.done(&ended("finished", 0)).await;
    assert_eq!(stage.rows().await, before, "rows that are closed are left alone");
    stage.done(&ended("finished", 6)).await;
    let after = stage.rows().await;
    assert_eq!(after, stage.expected().await);
    assert_ne!(after, before);
}

#[tokio::test]
async fn the_band_is_that_of_the_model() {
    let stage = Stage::set().await;
    stage.load(0..BARS, 1).await;
    stage.predict(20..50, Split::Live).await;
    stage.done(&predicted(20, 49)).await;
    let classes =
        async || -> Vec<String> { stage.rows().await.into_iter().filter_map(|row| Some(row.outcome?.class)).collect() };
    assert!(classes().await.iter().any(|class| class != "sideways"));
    let wide = Stage::set().await;
    wide.publish(&common_card(1_000.0)).await;
    wide.load(0..BARS, 1).await;
    wide.predict(20..50, Split::Live).await;
    wide.done(&predicted(20, 49)).await;
    assert!(wide.rows().await.iter().all(|row| row.outcome.as_ref().unwrap().class == "sideways"));
}

/// A card with a band of this width.
fn common_card(band: f64) -> serde_json::Value {
    json!({
        "name": "gnn", "version": "1", "created": 1, "code_version": "0.1.0", "graph": null, "interval": "1h",
        "range": {"from": 0, "to": 1}, "symbols": SYMBOLS, "lags": [0],
        "definition": {
            "interval": "1h", "windows": {"short": 4, "middle": 16, "long": 24, "longest": 168}, "horizon": 2,
            "band": band, "features": ["return_1"],
        },
        "normalisation": {"columns": []}, "target_normalisation": {"mean": 0.0, "deviation": 1.0}, "folds": [],
        "training": {"seed": 1, "epochs": 1, "batch": 1, "learning_rate": 0.1, "hidden": 1, "sequence": 1},
        "scores": {"volatility": {}, "volatility_qlike": {}, "direction": {}, "direction_log_loss": {}},
        "verdicts": [], "inputs": [], "outputs": [],
    })
}
