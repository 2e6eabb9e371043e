//! `realtime_gnn_infer` through the router: subscriptions, new bars, the end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[expect(dead_code, reason = "each target needs its own part")]
mod common;

use std::time::Duration;

use common::{
    MINUTE, PATIENCE, START, SYMBOLS, Stage, assert_predicted, card, changed, command, control, expected, files,
    new_bar, parameters, stop,
};
use serde_json::{Value, json};
use streamforge_events::{Event, EventType, FeedInterrupted, Grade, PredictionBatch, data};
use streamforge_store::ModelFiles;

/// A stage on which bars 0 to 39 are stored and a workflow wants predictions of the later ones.
async fn subscribed(change: &Value) -> Stage {
    let stage = Stage::without_bars().await;
    stage.bars(0..40).await;
    assert_eq!(stage.post(&subscribe(change)).await.status, 204);
    assert_eq!(stage.statuses(), ["started"]);
    stage
}

fn subscribe(change: &Value) -> Event {
    command("realtime_gnn_infer", &changed(change))
}

async fn close(stage: &Stage, bar: i64) {
    stage.bars(bar..bar + 1).await;
    for symbol in 0..SYMBOLS.len() {
        let answer = stage.post(&new_bar(symbol, bar)).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

#[tokio::test]
async fn each_new_bar_is_predicted_once() {
    let mut stage = subscribed(&json!({})).await;
    close(&stage, 40).await;
    assert_predicted(&stage.predictions().await, &expected(40..41, -6.0));
    stage.restart();
    close(&stage, 41).await;
    assert_predicted(&stage.predictions().await, &expected(40..42, -6.0));
    assert_eq!(stage.statuses(), ["started", "loading", "loading"]);
    assert_eq!(stage.events(EventType::PredictionMade).len(), 2 * SYMBOLS.len());
    let last = stage.reports().pop().unwrap();
    let bar = START + 41 * MINUTE;
    assert_eq!(last["extra"], json!({"model": {"name": "gnn", "version": "1"}, "open_time": bar, "predictions": 3}));
    assert_eq!((&last["task"], &last["finished"], &last["batch"]), (&json!("infer-1"), &json!(false), &Value::Null));
}

#[tokio::test]
async fn a_prediction_says_how_sound_its_bars_are() {
    let stage = subscribed(&json!({})).await;
    let gap = |state: &str, first: i64, last: i64| -> FeedInterrupted {
        let (from, to) = (START + first * MINUTE, START + last * MINUTE);
        let gap = json!({"symbol": "AAA", "stream": "klines_1m", "from": from, "to": to, "state": state, "why": "w",
            "since": START});
        serde_json::from_value(gap).unwrap()
    };
    let told = [gap("filled", 35, 36), gap("filled", 1, 2), gap("open", 39, 39)];
    stage.store.keep_gaps(&told).await.unwrap();
    // The bar closed a second and a half ago.
    stage.set_back(Duration::from_mins(20));
    stage.pass(Duration::from_millis(1_500));
    close(&stage, 40).await;
    let found = stage.predictions().await;
    let health = |name: &str| found.iter().find(|one| one.symbol.as_str() == name).unwrap().health.unwrap();
    let [a, b] = ["AAA", "BBB"].map(health);
    // Fourteen bars from 27 on; BBB lacks the one of 30.
    assert_eq!((a.needed, a.present, a.filled, a.open_gaps, a.lacking, a.age), (14, 14, 2, 1, 1, Some(1_500)));
    assert_eq!((b.needed, b.present, b.filled, b.open_gaps, b.lacking), (14, 13, 0, 0, 0));
    assert_eq!([a.grade, b.grade], [Grade::Degraded; 2]);
    let batch: PredictionBatch = data(&stage.events(EventType::PredictionMade)[1]).unwrap();
    assert_eq!((batch.symbol.as_str(), batch.health), ("AAA", vec![a]));
}

#[tokio::test]
async fn symbols_that_tell_of_a_bar_at_once_cause_it_to_be_predicted_once() {
    let stage = subscribed(&json!({})).await;
    stage.bars(40..41).await;
    let events: Vec<Event> = (0..SYMBOLS.len()).map(|symbol| new_bar(symbol, 40)).collect();
    let answers = futures::future::join_all(events.iter().map(|event| stage.post(event))).await;
    assert!(answers.iter().all(|answer| answer.status == 204), "{answers:?}");
    assert_eq!(stage.events(EventType::PredictionMade).len(), SYMBOLS.len());
    assert_eq!(stage.statuses(), ["started", "loading"]);
}

#[tokio::test]
async fn a_damaged_subscription_keeps_nobody_else_waiting() {
    let stage = subscribed(&json!({})).await;
    stage.objects.put("subscriptions/predictor/live/a/b", b"{".to_vec()).await.unwrap();
    close(&stage, 40).await;
    assert_eq!(stage.predictions().await.len(), 3);
}

#[tokio::test]
async fn a_bar_is_predicted_when_the_last_symbol_has_it() {
    let stage = subscribed(&json!({})).await;
    assert_eq!(stage.post(&new_bar(0, 40)).await.status, 503);
    stage.bars_of(0, 40..41).await;
    stage.bars_of(1, 40..41).await;
    let answer = stage.post(&new_bar(1, 40)).await;
    assert_eq!((answer.status, answer.reason.as_str()), (503, "UNAVAILABLE"));
    assert!(answer.body.contains("not stored yet for CCC"), "{answer:?}");
    assert!(stage.predictions().await.is_empty());
    stage.bars_of(2, 40..41).await;
    assert_eq!(stage.post(&new_bar(0, 40)).await.status, 204);
    assert_predicted(&stage.predictions().await, &expected(40..41, -6.0));
}

#[tokio::test]
async fn a_symbol_that_stays_away_is_waited_for_and_then_left_out() {
    let mut stage = subscribed(&json!({})).await;
    stage.bars_of(0, 40..41).await;
    stage.bars_of(1, 40..41).await;
    assert_eq!(stage.post(&new_bar(0, 40)).await.status, 503);
    stage.pass(PATIENCE.checked_sub(Duration::from_secs(1)).unwrap());
    stage.restart();
    assert_eq!(stage.post(&new_bar(0, 40)).await.status, 503);
    stage.pass(Duration::from_secs(1));
    assert_eq!(stage.post(&new_bar(0, 40)).await.status, 204);
    let symbols: Vec<_> = stage.predictions().await.into_iter().map(|one| one.symbol.to_string()).collect();
    assert_eq!(symbols, ["AAA", "BBB"]);
    // The bar is done; who comes after it has to be asked for.
    close(&stage, 40).await;
    assert_eq!(stage.predictions().await.len(), 2);
}

#[tokio::test]
async fn a_bar_that_no_symbol_has_is_waited_for_as_long_as_it_is_told_of() {
    let stage = subscribed(&json!({})).await;
    for _ in 0..3 {
        assert_eq!(stage.post(&new_bar(0, 40)).await.status, 503);
        stage.pass(PATIENCE);
    }
    close(&stage, 40).await;
    assert_predicted(&stage.predictions().await, &expected(40..41, -6.0));
}

#[tokio::test]
async fn a_clock_that_was_set_back_waits_anew() {
    let stage = subscribed(&json!({})).await;
    stage.bars_of(0, 40..41).await;
    stage.pass(Duration::from_hours(1));
    assert_eq!(stage.post(&new_bar(0, 40)).await.status, 503);
    stage.set_back(Duration::from_hours(1));
    assert_eq!(stage.post(&new_bar(0, 40)).await.status, 503);
    stage.pass(PATIENCE);
    assert_eq!(stage.post(&new_bar(0, 40)).await.status, 204);
}

#[tokio::test]
async fn bars_of_others_and_bars_between_are_left_alone() {
    let stage = subscribed(&json!({"inference_interval": "5m"})).await;
    for bar in 40..46 {
        close(&stage, bar).await;
    }
    // The bars that end at a multiple of five minutes.
    let bars: Vec<i64> = stage.predictions().await.iter().map(|one| (one.open_time - START) / MINUTE).collect();
    assert_eq!(bars, [44, 44, 44]);
    let mut other = serde_json::to_value(new_bar(0, 49)).unwrap();
    other["data"]["symbol"] = json!("DDD");
    assert_eq!(stage.post(&serde_json::from_value(other.clone()).unwrap()).await.status, 204);
    other["data"]["symbol"] = json!("AAA");
    other["data"]["interval"] = json!("5m");
    assert_eq!(stage.post(&serde_json::from_value(other.clone()).unwrap()).await.status, 204);
    (other["data"]["symbol"], other["data"]["interval"]) = (json!("AAA"), json!("1m"));
    for open_time in [i64::MIN, -1, i64::MAX] {
        other["data"]["rows"][0][0] = json!(open_time);
        assert_eq!(stage.post(&serde_json::from_value(other.clone()).unwrap()).await.status, 204);
    }
    assert_eq!(stage.statuses(), ["started", "loading"]);
    other["data"]["rows"] = json!([]);
    assert_eq!(stage.post(&serde_json::from_value(other.clone()).unwrap()).await.status, 204);
    other["data"]["rows"] = json!(["no row"]);
    assert_eq!(stage.post(&serde_json::from_value(other).unwrap()).await.status, 400);
}

#[tokio::test]
async fn a_stop_ends_the_subscription_for_good() {
    let mut stage = subscribed(&json!({})).await;
    close(&stage, 40).await;
    assert_eq!(stage.post(&stop()).await.status, 204);
    assert_eq!(stage.statuses(), ["started", "loading", "interrupted"]);
    stage.restart();
    close(&stage, 41).await;
    assert_eq!(stage.predictions().await.len(), 3);
    // The command that comes again does not begin anew what was called off.
    assert_eq!(stage.post(&subscribe(&json!({}))).await.status, 204);
    assert_eq!(stage.statuses()[3..], ["started", "interrupted"]);
    close(&stage, 42).await;
    assert_eq!(stage.predictions().await.len(), 3);
    assert_eq!(stage.objects.list("subscriptions/predictor/live/").await.unwrap().len(), 0);
}

#[tokio::test]
async fn marks_of_ended_workflows_are_forgotten_after_some_weeks() {
    let stage = subscribed(&json!({})).await;
    assert_eq!(stage.post(&stop()).await.status, 204);
    stage.pass(Duration::from_hours(24 * 15));
    let mut other = serde_json::to_value(stop()).unwrap();
    other["data"]["queue_id"] = json!("wf-multi-gnn_infer-20240601-000000");
    assert_eq!(stage.post(&serde_json::from_value(other).unwrap()).await.status, 204);
    assert_eq!(stage.objects.list("subscriptions/predictor/ended/").await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused_at_once() {
    for (change, words) in [
        (json!({"model": "other"}), "not in the registry"),
        (json!({"symbols": ["AAA"]}), "beside those asked for, BBB, CCC"),
        (json!({"interval": "5m"}), "bars of 5m were asked for"),
        (json!({"inference_interval": 0}), "parameters are not valid"),
    ] {
        let stage = Stage::set().await;
        assert_eq!(stage.post(&subscribe(&change)).await.status, 204);
        let last = stage.reports().pop().unwrap();
        assert_eq!((&last["status"], &last["finished"]), (&json!("error"), &json!(true)), "{last}");
        assert!(last["error_message"].as_str().unwrap().contains(words), "{last}");
        assert_eq!(stage.objects.list("subscriptions/").await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn another_version_in_use_serves_the_next_bar() {
    let stage = subscribed(&json!({})).await;
    close(&stage, 40).await;
    stage.publish(&files(&card("2"), -5.0)).await;
    close(&stage, 41).await;
    let versions: Vec<_> = stage.predictions().await.into_iter().map(|one| one.version.to_string()).collect();
    assert_eq!(versions, ["1", "1", "1", "2", "2", "2"]);
    assert_predicted(&stage.predictions().await[3..], &expected(41..42, -5.0));
}

#[tokio::test]
async fn a_later_version_that_cannot_be_used_leaves_the_last_good_one_at_work() {
    let stranger = || {
        let mut card = card("2");
        card.symbols.pop();
        files(&card, -5.0)
    };
    let unfit: ModelFiles = ModelFiles { onnx: b"no network".to_vec(), ..files(&card("2"), -5.0) };
    for (number, later) in [files(&card("2"), -5.0), unfit, stranger()].into_iter().enumerate() {
        let mut stage = subscribed(&json!({})).await;
        close(&stage, 40).await;
        stage.publish(&later).await;
        if number == 0 {
            std::fs::write(stage.file("2", "model.onnx"), "edited").unwrap();
        }
        // The process that had the version open may be gone.
        stage.restart();
        close(&stage, 41).await;
        assert_predicted(&stage.predictions().await, &expected(40..42, -6.0));
        assert_eq!(stage.statuses(), ["started", "loading", "loading"]);
    }
}

#[tokio::test]
async fn a_subscription_that_no_version_can_serve_ends_with_the_reason() {
    let mut stage = subscribed(&json!({})).await;
    std::fs::remove_file(stage.file("1", "model.onnx")).unwrap();
    stage.restart();
    close(&stage, 40).await;
    let last = stage.reports().pop().unwrap();
    assert_eq!((&last["status"], &last["finished"]), (&json!("error"), &json!(true)));
    assert!(last["error_message"].as_str().unwrap().contains("model.onnx is missing"), "{last}");
    close(&stage, 41).await;
    assert_eq!(stage.statuses(), ["started", "error"]);
}

#[tokio::test]
async fn a_later_attempt_takes_the_place_of_an_earlier_one() {
    let stage = subscribed(&json!({})).await;
    let mut later = serde_json::to_value(subscribe(&json!({}))).unwrap();
    later["id"] = json!("later");
    later["data"]["attempt"] = json!(2);
    assert_eq!(stage.post(&serde_json::from_value(later).unwrap()).await.status, 204);
    assert_eq!(stage.post(&subscribe(&json!({}))).await.status, 204);
    close(&stage, 40).await;
    let loading: Vec<Value> = stage.reports().into_iter().filter(|report| report["status"] == "loading").collect();
    assert_eq!(loading.len(), 1);
    assert_eq!(loading[0]["attempt"], 2);
}

#[tokio::test]
async fn two_workflows_are_served_apart() {
    let stage = subscribed(&json!({})).await;
    let mut other = serde_json::to_value(control("start", "realtime_gnn_infer", &parameters(), 1.0)).unwrap();
    other["id"] = json!("other");
    other["data"]["queue_id"] = json!("wf-multi-gnn_infer-20240601-000000");
    assert_eq!(stage.post(&serde_json::from_value(other).unwrap()).await.status, 204);
    close(&stage, 40).await;
    let loading = stage.events(EventType::QueueReported);
    let ids: std::collections::BTreeSet<_> =
        loading.iter().map(|event| streamforge_events::AttributesReader::id(event).to_owned()).collect();
    assert_eq!((stage.statuses().len(), ids.len()), (4, 4));
    assert_eq!(stage.post(&stop()).await.status, 204);
    close(&stage, 41).await;
    assert_eq!(stage.statuses()[4..], ["interrupted", "loading"]);
}
