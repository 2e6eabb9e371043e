//! Trainings as their reports tell of them, and a ledger that is away.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[expect(dead_code, reason = "each target needs its own part")]
mod common;

use common::{QUEUE_ID, Stage, ended, report};
use serde_json::{Value, json};
use streamforge_events::Event;
use streamforge_ledger::{Experiment, ExperimentState, Ledger, PostgresAccess};
use streamforge_servers::{Lifetime, Postgres, Server as _};
use streamforge_store::WorkflowDocument;

fn card() -> Value {
    json!({
        "name": "gnn", "version": "1", "created": 1, "code_version": "0.1.0", "graph": "graph-1", "interval": "15m",
        "range": {"from": 900_000, "to": 1_800_000}, "symbols": ["BTCUSDT"], "lags": [0, 8],
        "definition": {
            "interval": "15m", "windows": {"short": 4, "middle": 16, "long": 96, "longest": 672}, "horizon": 16,
            "band": 0.5, "features": ["return_1"],
        },
        "normalisation": {"columns": []}, "target_normalisation": {"mean": 0.0, "deviation": 1.0}, "folds": [],
        "training": {"seed": u64::MAX, "epochs": 3, "batch": 1, "learning_rate": 0.1, "hidden": 1, "sequence": 1},
        "scores": {"volatility": {}, "volatility_qlike": {}, "direction": {}, "direction_log_loss": {}},
        "verdicts": [], "inputs": [], "outputs": [],
    })
}

fn started(attempt: u32) -> Event {
    let parameters = json!({"model": "gnn", "interval": "15m", "from": 0, "to": 900_000, "epochs": 3, "seed": 7});
    report("gnn-trainer", "started", &json!({"parameters": parameters}), &json!({"attempt": attempt}))
}

fn failed(attempt: u32) -> Event {
    let more = json!({"attempt": attempt, "error_message": "no klines are stored", "timestamp": 1_717_200_001.0});
    report("gnn-trainer", "error", &Value::Null, &more)
}

fn finished(attempt: u32) -> Event {
    let extra = json!({"model": {"name": "gnn", "version": "1"}, "scores": scores(), "verdicts": ["better"]});
    report("gnn-trainer", "finished", &extra, &json!({"attempt": attempt, "timestamp": 1_717_200_002.25}))
}

fn scores() -> Value {
    json!({"volatility": {"network": {"mean": 0.1 + 0.2, "spread": 0.01, "windows": [0.3]}}})
}

async fn only(stage: &Stage) -> Experiment {
    let found = stage.ledger.experiments_of(&QUEUE_ID.parse().unwrap()).await.unwrap();
    let [one] = &found[..] else { panic!("{found:?}") };
    one.clone()
}

#[tokio::test]
async fn a_training_is_noted_with_parameters_settings_and_scores() {
    let stage = Stage::set().await;
    stage.publish(&card()).await;
    stage.done(&started(1)).await;
    let running = only(&stage).await;
    assert_eq!((running.state, running.started), (ExperimentState::Running, Some(1_717_200_000_500)));
    assert_eq!((running.seed, running.from, running.to), (Some(7), Some(0), Some(900_000)));
    stage.done(&report("gnn-trainer", "loading", &json!({"epoch": 1}), &json!({}))).await;
    stage.done(&failed(1)).await;
    let one = only(&stage).await;
    assert_eq!((one.state, one.reason.as_deref()), (ExperimentState::Error, Some("no klines are stored")));
    stage.done(&started(2)).await;
    assert_eq!((only(&stage).await.state, only(&stage).await.reason), (ExperimentState::Running, None));
    stage.done(&finished(2)).await;
    let one = only(&stage).await;
    assert_eq!((one.state, one.attempt, one.ended), (ExperimentState::Finished, 2, Some(1_717_200_002_250)));
    assert_eq!(one.scores, Some(scores()));
    assert_eq!(one.parameters.as_ref().unwrap()["epochs"], 3);
    assert_eq!(one.settings.as_ref().unwrap()["training"]["epochs"], 3);
    // How it was trained beats what was asked for.
    assert_eq!((one.seed, one.from, one.graph.as_deref()), (Some(u64::MAX), Some(900_000), Some("graph-1")));
    for event in [finished(2), started(1), failed(1), ended("finished", 0), ended("stopped", 0)] {
        stage.done(&event).await;
    }
    assert_eq!(only(&stage).await, one);
}

#[tokio::test]
async fn a_training_of_a_stopped_workflow_is_stopped_and_one_without_a_card_is_noted_all_the_same() {
    let stage = Stage::set().await;
    stage.done(&started(1)).await;
    stage.done(&ended("stopped", 0)).await;
    assert_eq!(only(&stage).await.state, ExperimentState::Stopped);
    stage.done(&finished(1)).await;
    let one = only(&stage).await;
    assert_eq!((one.state, one.settings.is_none()), (ExperimentState::Finished, true));
    assert_eq!(one.scores, Some(scores()));
}

#[tokio::test]
async fn a_training_that_is_told_of_after_the_end_of_its_workflow_is_stopped() {
    let stage = Stage::set().await;
    let document = |status: &str| WorkflowDocument {
        id: QUEUE_ID.parse().unwrap(),
        status: status.to_owned(),
        created_at: 0,
        next_deadline: None,
        json: json!({"error_message": "somebody stopped it"}),
    };
    stage.done(&ended("stopped", 0)).await;
    stage.store.create(&document("stopped")).await.unwrap();
    stage.done(&started(1)).await;
    let one = only(&stage).await;
    assert_eq!(one.state, ExperimentState::Stopped);
    assert_eq!(one.reason.as_deref(), Some("the workflow ended as `stopped`: somebody stopped it"));
    stage.done(&started(1)).await;
    assert_eq!(only(&stage).await.state, ExperimentState::Stopped);
}

#[tokio::test]
async fn what_says_too_little_is_refused_and_others_are_passed_over() {
    let stage = Stage::set().await;
    let nameless = report("gnn-trainer", "finished", &json!({}), &json!({}));
    assert_eq!(stage.post(&nameless).await.status, 400);
    let taskless = report("gnn-trainer", "started", &json!({}), &json!({"task": null}));
    assert_eq!(stage.post(&taskless).await.status, 400);
    stage.done(&report("arango-connector", "loading", &json!({}), &json!({}))).await;
    assert!(stage.ledger.experiments(None, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_away_is_waited_for() {
    let mut server = Postgres::start(Lifetime::WithStarter, false).unwrap();
    let access = PostgresAccess { password: Some(server.password_file()), ..PostgresAccess::default() };
    let ledger = Ledger::open_with(&server.url(), &access).await.unwrap();
    let stage = Stage::with(ledger, tempfile::tempdir().unwrap()).await;
    stage.done(&started(1)).await;
    server.kill();
    let answer = stage.post(&finished(1)).await;
    assert_eq!((answer.status, answer.reason.as_str()), (503, "UNAVAILABLE"), "{answer:?}");
    server.restart().unwrap();
    stage.done(&finished(1)).await;
    assert_eq!(only(&stage).await.state, ExperimentState::Finished);
}
