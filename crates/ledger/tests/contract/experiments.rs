//! Experiments: what reports tell, in whatever order they come.

use serde_json::json;
use streamforge_events::Interval;
use streamforge_ledger::{Experiment, ExperimentId, ExperimentState, Told};

use crate::Place;

fn id(code: &str) -> ExperimentId {
    let queue_id = format!("wf-multi-gnn_train-20240601-{code}").parse().unwrap();
    ExperimentId { queue_id, task: "train-1".to_owned() }
}

fn told(state: ExperimentState, attempt: u32, at: i64) -> Told {
    Told::new(id("a1b2c3"), state, attempt, at)
}

fn started(attempt: u32, at: i64) -> Told {
    Told {
        model: Some("gnn".parse().unwrap()),
        parameters: Some(json!({"model": "gnn", "epochs": 3, "from": 5})),
        interval: Some(Interval::M15),
        ..told(ExperimentState::Running, attempt, at)
    }
}

fn failed(attempt: u32, at: i64) -> Told {
    Told { reason: Some("no klines; \"ä\"".to_owned()), ..told(ExperimentState::Error, attempt, at) }
}

fn finished(attempt: u32, at: i64) -> Told {
    Told {
        model: Some("gnn".parse().unwrap()),
        version: Some("20240601-a1b2c3".parse().unwrap()),
        settings: Some(json!({"lags": [0, 8]})),
        scores: Some(json!({"volatility": {"network": {"mean": 0.1 + 0.2}}})),
        graph: Some("graph-1".to_owned()),
        seed: Some(u64::MAX),
        interval: Some(Interval::M15),
        range: Some((0, 900_000)),
        ..told(ExperimentState::Finished, attempt, at)
    }
}

/// What two attempts leave behind, the first of which failed.
fn expected() -> Experiment {
    Experiment {
        id: id("a1b2c3"),
        model: Some("gnn".parse().unwrap()),
        version: Some("20240601-a1b2c3".parse().unwrap()),
        state: ExperimentState::Finished,
        reason: None,
        attempt: 2,
        started: Some(10),
        ended: Some(40),
        interval: Some(Interval::M15),
        from: Some(0),
        to: Some(900_000),
        graph: Some("graph-1".to_owned()),
        seed: Some(u64::MAX),
        parameters: Some(json!({"model": "gnn", "epochs": 3, "from": 5})),
        settings: Some(json!({"lags": [0, 8]})),
        scores: Some(json!({"volatility": {"network": {"mean": 0.1 + 0.2}}})),
    }
}

pub(crate) async fn a_training_is_read_as_it_was_told(place: &Place) {
    let ledger = place.open().await;
    ledger.tell(&started(1, 10)).await.unwrap();
    let found = ledger.experiments_of(&id("a1b2c3").queue_id).await.unwrap();
    let [running] = &found[..] else { panic!("{found:?}") };
    assert_eq!((running.state, running.started, running.ended), (ExperimentState::Running, Some(10), None));
    ledger.tell(&failed(1, 20)).await.unwrap();
    let failed = &ledger.experiments(None, 10).await.unwrap()[0];
    assert_eq!((failed.state, failed.ended), (ExperimentState::Error, Some(20)));
    assert_eq!(failed.reason.as_deref(), Some("no klines; \"ä\""));
    ledger.tell(&started(2, 30)).await.unwrap();
    ledger.tell(&finished(2, 40)).await.unwrap();
    assert_eq!(place.open().await.experiments(None, 10).await.unwrap(), [expected()]);
}

pub(crate) async fn reports_come_in_any_order(place: &Place) {
    let ledger = place.open().await;
    let seed = crate::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..24 {
        let id = id(&format!("{round:06}"));
        let once = [started(1, 10), failed(1, 20), started(2, 30), finished(2, 40)];
        let mut reports = [once.clone(), once].concat();
        random.shuffle(&mut reports);
        for report in &reports {
            ledger.tell(&Told { id: id.clone(), ..report.clone() }).await.unwrap();
        }
        let found = ledger.experiments_of(&id.queue_id).await.unwrap();
        assert_eq!(found, [Experiment { id, ..expected() }], "seed {seed}, round {round}: {reports:?}");
    }
}

pub(crate) async fn the_end_of_a_workflow_ends_its_trainings(place: &Place) {
    let ledger = place.open().await;
    let state = async |code: &str| ledger.experiments_of(&id(code).queue_id).await.unwrap()[0].clone();
    for code in ["000001", "000002", "000003"] {
        ledger.tell(&Told { id: id(code), ..started(1, 10) }).await.unwrap();
    }
    ledger.tell(&Told { id: id("000002"), ..finished(1, 20) }).await.unwrap();
    for code in ["000001", "000002"] {
        ledger.stop(&id(code).queue_id, "it was stopped", 30).await.unwrap();
        ledger.tell(&Told { id: id(code), ..started(1, 10) }).await.unwrap();
    }
    let stopped = state("000001").await;
    assert_eq!((stopped.state, stopped.ended), (ExperimentState::Stopped, Some(30)));
    assert_eq!(stopped.reason.as_deref(), Some("it was stopped"));
    assert_eq!(state("000002").await.state, ExperimentState::Finished);
    assert_eq!(state("000003").await.state, ExperimentState::Running);
}

pub(crate) async fn the_newest_are_listed_first(place: &Place) {
    let ledger = place.open().await;
    for (code, at) in [("000001", 10), ("000002", 30), ("000003", 20)] {
        ledger.tell(&Told { id: id(code), ..started(1, at) }).await.unwrap();
    }
    let other = Told { model: Some("other".parse().unwrap()), ..started(1, 40) };
    ledger.tell(&Told { id: id("000004"), ..other }).await.unwrap();
    let codes = async |model: Option<&str>, max| {
        let model = model.map(|model| model.parse().unwrap());
        let found = ledger.experiments(model.as_ref(), max).await.unwrap();
        found.iter().map(|one| one.id.queue_id.as_str()[28..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(None, 10).await, ["000004", "000002", "000003", "000001"]);
    assert_eq!(codes(None, 2).await, ["000004", "000002"]);
    assert_eq!(codes(Some("gnn"), 10).await, ["000002", "000003", "000001"]);
}
