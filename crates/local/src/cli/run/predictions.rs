//! What the predictions of a workflow say after the last bar of each symbol.

use std::collections::BTreeMap;

use queue_manager::document::{Stage, Status, Workflow};
use streamforge_events::{ModelName, ModelVersion, Prediction, Split, Symbol, TimeRange};
use streamforge_store::{PredictionQuery, Store};

use super::super::exit::Failure;

/// Predictions that are held in memory at once.
const PAGE: usize = 10_000;

/// Reads the last prediction of each symbol that the finished prediction of a range has made.
pub(super) async fn last(store: &dyn Store, workflow: &Workflow) -> Result<Vec<Prediction>, Failure> {
    let stage = workflow.stages.iter().find(|stage| stage.r#type == "gnn_infer" && stage.status == Status::Finished);
    let Some(query) = stage.and_then(|stage| query(workflow, stage)) else {
        return Ok(Vec::new());
    };
    let mut last: BTreeMap<Symbol, Prediction> = BTreeMap::new();
    let mut page = store.read_predictions(&query, None, PAGE).await?;
    while let Some(end) = page.last().cloned() {
        for prediction in page {
            let newest = last.entry(prediction.symbol.clone()).or_insert_with(|| prediction.clone());
            if prediction.open_time >= newest.open_time {
                *newest = prediction;
            }
        }
        page = store.read_predictions(&query, Some(&end), PAGE).await?;
    }
    Ok(last.into_values().collect())
}

fn query(workflow: &Workflow, stage: &Stage) -> Option<PredictionQuery> {
    let text = |name: &str| stage.parameters.get(name)?.as_str();
    let trained = workflow.model.as_ref().filter(|_| !stage.takes.is_empty());
    let model: ModelName = match trained {
        Some(trained) => trained.name.clone(),
        None => text("model")?.parse().ok()?,
    };
    let own: Option<ModelVersion> = text("version").and_then(|version| version.parse().ok());
    let ranges = stage.tasks.iter().map(|task| task.range);
    let range: Option<TimeRange> = ranges.into_iter().next();
    Some(PredictionQuery {
        model: Some(model),
        version: trained.map(|trained| trained.version.clone()).or(own),
        split: Some(Split::Live),
        range,
        ..PredictionQuery::default()
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, num::NonZeroU32};

    use queue_manager::{engine::Request, made::TrainedModel, plan};
    use serde_json::{Value, json};
    use streamforge_events::{Interval, Millis, WorkflowRequest};
    use streamforge_store::{PredictionStore as _, SqliteStore, Versioned};

    use super::*;

    const HOUR: Millis = 3_600_000;

    fn workflow(requests: &Value) -> Workflow {
        let body =
            json!({"symbols": ["BTCUSDT", "ETHUSDT"], "time_range": "2024-01-01:2024-01-03", "requests": requests});
        let request = WorkflowRequest::parse(&body).unwrap();
        let cause = Request { source: "/test".to_owned(), id: "1".to_owned(), body, traceparent: None };
        let now = 1_767_225_600_000;
        let mut workflow = plan::pending(&request, &cause, now);
        workflow.stages = plan::plan(&request, &BTreeMap::new(), now).unwrap();
        for stage in &mut workflow.stages {
            stage.status = Status::Finished;
        }
        workflow
    }

    fn prediction(symbol: &str, version: &str, open_time: Millis) -> Versioned<Prediction> {
        let value = Prediction {
            model: "m".parse().unwrap(),
            version: version.parse().unwrap(),
            symbol: symbol.parse().unwrap(),
            interval: Interval::H1,
            open_time,
            horizon: NonZeroU32::MIN,
            volatility: 0.5,
            probabilities: [0.25, 0.5, 0.25].into(),
            split: Split::Live,
            health: None,
        };
        Versioned { version: 1, value }
    }

    #[tokio::test]
    async fn the_last_bar_of_the_trained_version_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db")).await.unwrap();
        let end = 1_704_326_400_000;
        let rows = [
            prediction("BTCUSDT", "7", end - 2 * HOUR),
            prediction("BTCUSDT", "7", end - HOUR),
            prediction("ETHUSDT", "7", end - 3 * HOUR),
            prediction("ETHUSDT", "6", end - HOUR),
            // After the range that was asked for.
            prediction("BTCUSDT", "7", end),
        ];
        store.upsert_predictions(&rows).await.unwrap();
        let requests = json!([
            {"target": "gnn-trainer", "type": "gnn_train", "interval": "1h", "graph_collection": "g", "model_output": "m"},
            {"target": "predictor", "type": "gnn_infer"},
        ]);
        let mut trained = workflow(&requests);
        trained.model = Some(TrainedModel { name: "m".parse().unwrap(), version: "7".parse().unwrap() });
        let times = async |workflow: &Workflow| {
            let last = last(&store, workflow).await.unwrap();
            last.into_iter().map(|row| (row.symbol.to_string(), end - row.open_time)).collect::<Vec<_>>()
        };
        let (btc, eth) = ("BTCUSDT".to_owned(), "ETHUSDT".to_owned());
        assert_eq!(times(&trained).await, [(btc.clone(), HOUR), (eth.clone(), 3 * HOUR)]);
        let named =
            json!([{"target": "predictor", "type": "gnn_infer", "interval": "1h", "model": "m", "version": "6"}]);
        assert_eq!(times(&workflow(&named)).await, [(eth, HOUR)]);
        trained.stages[1].status = Status::Error;
        assert_eq!(times(&trained).await, []);
    }
}
