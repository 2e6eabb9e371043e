//! `gnn_infer` through the router: a real network, a real store, a recording ingress.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[expect(dead_code, reason = "each target needs its own part")]
mod common;

use common::{
    BARS, MINUTE, START, SYMBOLS, Stage, assert_predicted, card, changed, command, expected, files, parameters, stop,
};
use serde_json::{Value, json};
use streamforge_events::{AttributesReader, Event, EventType, PredictionBatch, Split, data, extension};
use streamforge_function::axum::http::StatusCode;

#[tokio::test]
async fn every_bar_with_features_is_predicted_stored_and_told() {
    let stage = Stage::set().await;
    let last = stage.infer(&json!({})).await;
    let expected = expected(0..BARS, -6.0);
    let stored = stage.predictions().await;
    assert_predicted(&stored, &expected);
    assert!(stored.iter().all(|one| one.split == Split::Live && one.horizon.get() == 4 && one.version.as_str() == "1"));

    assert_eq!(stage.statuses(), ["started", "finished"]);
    let model = json!({"name": "gnn", "version": "1"});
    let times = || stored.iter().map(|one| one.open_time);
    let (first, newest) = (times().min(), times().max());
    let extra = json!({"model": model, "predictions": expected.len(), "first": first, "last": newest});
    assert_eq!(last["extra"], extra);
    assert_eq!((&last["task"], &last["finished"]), (&json!("infer-1"), &json!(true)));

    let told = stage.events(EventType::PredictionMade);
    let subjects: Vec<_> = told.iter().map(|event| event.subject().unwrap()).collect();
    assert_eq!(subjects, ["CCC", "AAA", "BBB"]);
    let mut rows = Vec::new();
    for event in &told {
        assert_eq!(extension(event, "partitionkey").as_deref(), event.subject());
        rows.extend(data::<PredictionBatch>(event).unwrap().predictions());
    }
    assert_predicted(&rows, &expected);
    let brokers = stage.ingress.received().into_iter().map(|received| received.broker);
    assert_eq!(brokers.filter(|broker| broker == "streamforge/market-data").count(), SYMBOLS.len());
}

#[tokio::test]
async fn a_part_of_the_range_is_predicted_as_in_the_whole() {
    let stage = Stage::set().await;
    stage.infer(&json!({"from": START + 41 * MINUTE + 1, "to": START + 57 * MINUTE + 1})).await;
    assert_predicted(&stage.predictions().await, &expected(42..58, -6.0));
}

#[tokio::test]
async fn a_named_version_is_used_and_the_latest_without_a_name() {
    let stage = Stage::set().await;
    assert_eq!(stage.infer(&json!({})).await["extra"]["model"]["version"], "1");
    stage.publish(&files(&card("2"), -5.0)).await;
    let to = json!({"to": START + 50 * MINUTE});
    assert_eq!(stage.infer(&to).await["extra"]["model"]["version"], "2");
    let second: Vec<_> = stage.predictions().await.into_iter().filter(|one| one.version.as_str() == "2").collect();
    assert_predicted(&second, &expected(0..50, -5.0));
    assert_eq!(stage.infer(&json!({"version": "1"})).await["extra"]["model"]["version"], "1");
    stage.registry.promote(&"gnn".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
    assert_eq!(stage.infer(&json!({})).await["extra"]["model"]["version"], "1");
}

#[tokio::test]
async fn what_cannot_be_predicted_ends_the_task_with_words() {
    let stage = Stage::set().await;
    for (change, words) in [
        (json!({"model": "../gnn"}), "../gnn"),
        (json!({"model": "other"}), "model `other` is not in the registry"),
        (json!({"version": "7"}), "model `gnn` version `7` is not in the registry"),
        (json!({"symbols": ["AAA", "BBB"]}), "needs, beside those asked for, CCC"),
        (json!({"symbols": ["AAA", "BBB", "CCC", "DDD"]}), "does not know DDD"),
        (json!({"interval": "15m"}), "for bars of 1m, bars of 15m were asked for"),
        (json!({"from": START - 20 * MINUTE, "to": START}), "no 1m klines of the model's symbols are stored in"),
        (json!({"to": START + 8 * MINUTE}), "need 8 1m klines before it"),
        (json!({"from": null}), "`from` and `to` are needed"),
        (json!({"to": START}), "time range"),
    ] {
        let last = stage.infer(&change).await;
        assert_eq!((&last["status"], &last["finished"]), (&json!("error"), &json!(true)), "{change}: {last}");
        let said = last["error_message"].as_str().unwrap();
        assert!(said.contains(words), "{change}: {said}");
    }
    assert_eq!(stage.post(&command("gnn_train", &parameters())).await.status, 204);
    assert!(stage.reports().pop().unwrap()["error_message"].as_str().unwrap().contains("not `gnn_train`"));
    assert!(stage.predictions().await.is_empty() && stage.events(EventType::PredictionMade).is_empty());
}

#[tokio::test]
async fn a_shorter_history_than_features_need_is_enough_for_the_bars_behind_it() {
    let stage = Stage::set().await;
    stage.infer(&json!({"to": START + 9 * MINUTE})).await;
    let bars: Vec<i64> = stage.predictions().await.iter().map(|one| (one.open_time - START) / MINUTE).collect();
    assert_eq!(bars, [8, 8]);
}

#[tokio::test]
async fn a_stopped_workflow_gets_no_predictions() {
    let stage = Stage::set().await;
    assert_eq!(stage.post(&stop()).await.status, 204);
    assert_eq!(stage.infer(&json!({})).await["status"], "interrupted");
    assert!(stage.predictions().await.is_empty());
}

#[tokio::test]
async fn a_later_command_replaces_what_an_earlier_one_said_and_not_the_other_way_round() {
    let stage = Stage::set().await;
    stage.infer(&json!({})).await;
    let first = stage.predictions().await;
    // What the exchange states anew changes what a later command says.
    let mut restated = common::kline(0, 40);
    restated.close = "1111.00".parse().unwrap();
    let row = streamforge_store::Versioned { version: 2, value: restated };
    let series = streamforge_events::SeriesId {
        symbol: "AAA".parse().unwrap(),
        kind: streamforge_events::SeriesKind::Klines("1m".parse().unwrap()),
    };
    stage.store.upsert_klines(&series, &[row]).await.unwrap();
    let earlier = common::control("start", "gnn_infer", &parameters(), 1_717_200_000.0);
    assert_eq!(stage.post(&earlier).await.status, 204);
    assert_eq!(stage.predictions().await, first);
    let later = common::control("start", "gnn_infer", &parameters(), 1_717_400_000.0);
    assert_eq!(stage.post(&later).await.status, 204);
    let second = stage.predictions().await;
    assert_eq!(second.len(), first.len());
    assert_ne!(second, first);
}

#[tokio::test]
async fn bad_events_are_refused() {
    let stage = Stage::set().await;
    let mut event = command("gnn_infer", &json!({}));
    event.set_data("application/json", json!({"command": "start"}));
    assert_eq!(stage.post(&event).await.status, 400);
    let mut unknown = serde_json::to_value(&event).unwrap();
    unknown["type"] = json!("io.streamforge.trades.loaded.v1");
    let unknown: Event = serde_json::from_value(unknown).unwrap();
    assert_eq!(stage.post(&unknown).await.status, 422);
    let oversized = command("gnn_infer", &changed(&json!({"padding": "x".repeat(2 << 20)})));
    assert_eq!(stage.post(&oversized).await.status, 413);
    assert!(stage.reports().is_empty());
}

#[tokio::test]
async fn without_the_broker_the_command_comes_again() {
    let stage = Stage::set().await;
    stage.ingress.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stage.post(&command("gnn_infer", &parameters())).await.status, 503);
    stage.ingress.answer_with(StatusCode::ACCEPTED);
    let last: Value = stage.infer(&json!({})).await;
    assert_eq!((&last["status"], stage.statuses().len()), (&json!("finished"), 2));
}
