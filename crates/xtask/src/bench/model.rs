//! A network of the usual size that nobody trained, in a registry.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Result;
use predictor::test_util::{Size, deep_network};
use streamforge_dataset::{Card, Definition, Normalisation, Scale, Scores, TrainingSettings};
use streamforge_events::{Interval, Symbol, TimeRange};
use streamforge_store::{ModelFiles, ModelRegistry, ObjectStore};

/// What the model is called.
pub(super) const NAME: &str = "gnn";
const HIDDEN: usize = 32;

/// Puts the network for these symbols into the registry.
pub(super) async fn publish(
    objects: Arc<dyn ObjectStore>,
    interval: Interval,
    symbols: Vec<Symbol>,
    range: TimeRange,
) -> Result<()> {
    let definition = Definition::standard(interval, 16)?;
    let scale = Scale { mean: 0.0, deviation: 1.0 };
    let card = Card {
        name: NAME.parse()?,
        version: "1".parse()?,
        created: range.from(),
        code_version: String::new(),
        graph: None,
        interval,
        range,
        symbols,
        normalisation: Normalisation { columns: vec![scale; definition.features.len()] },
        definition,
        lags: vec![0, 8, 24],
        target_normalisation: scale,
        folds: Vec::new(),
        training: TrainingSettings {
            seed: 0,
            epochs: 0,
            batch: 0,
            learning_rate: 0.0,
            hidden: HIDDEN,
            sequence: 3,
            others: BTreeMap::new(),
        },
        scores: Scores::default(),
        verdicts: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
    };
    let size = Size { lags: card.lags.len(), symbols: card.symbols.len(), features: card.definition.features.len() };
    let onnx = deep_network(size, HIDDEN);
    let files = ModelFiles { onnx, weights: Vec::new(), card: serde_json::to_vec(&card)? };
    ModelRegistry::new(objects).publish(&files).await?;
    Ok(())
}
