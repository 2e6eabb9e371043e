//! What has to be known to use and to judge a model, kept beside it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use streamforge_events::{Interval, Millis, ModelName, ModelVersion, Symbol, TimeRange};

use crate::{Definition, Error, Normalisation, Scale, Scores, Verdict};

/// The card of a model: what it was made of, what it reads and writes, and how well it predicts.
///
/// # Units
/// Times in UTC milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Name of the model.
    pub name: ModelName,
    /// Version of the model.
    pub version: ModelVersion,
    /// When it was trained.
    pub created: Millis,
    /// Version of the code that trained it.
    pub code_version: String,
    /// Id of the graph whose edges it uses.
    pub graph: Option<String>,
    /// Length of a bar.
    pub interval: Interval,
    /// The bars that it was made of.
    pub range: TimeRange,
    /// The symbols, in the order of the network's nodes.
    pub symbols: Vec<Symbol>,
    /// What its features and targets are.
    pub definition: Definition,
    /// Bars whose features the network reads, ascending from 0, the newest.
    ///
    /// # Units
    /// Bars back from the newest.
    pub lags: Vec<usize>,
    /// Scales of the features, of the last training.
    pub normalisation: Normalisation,
    /// Scale of the volatility target, of the last training.
    pub target_normalisation: Scale,
    /// The tests that the scores are of.
    pub folds: Vec<CardFold>,
    /// How it was trained.
    pub training: TrainingSettings,
    /// How well it and the baselines predict.
    pub scores: Scores,
    /// What it predicts better than, volatility first, direction second.
    pub verdicts: Vec<Verdict>,
    /// What the network in ONNX reads.
    pub inputs: Vec<OnnxTensor>,
    /// What the network in ONNX writes.
    pub outputs: Vec<OnnxTensor>,
}

impl Card {
    /// Refuses what contradicts itself; a card that was read has to be checked once.
    ///
    /// # Errors
    /// [`Error::Card`] if symbols or features are missing or come twice, the lags do not ascend from 0, or the bars of
    /// the definition are not those of the card; [`Error::Definition`] as of [`Definition::check`].
    pub fn check(&self) -> Result<(), Error> {
        self.definition.check()?;
        let fail = |reason: &str| Err(Error::Card(reason.to_owned()));
        if self.symbols.is_empty() || has_twice(&self.symbols) {
            return fail("it needs symbols, each once");
        }
        let features: Vec<String> = self.definition.features.iter().map(ToString::to_string).collect();
        if features.is_empty() || has_twice(&features) {
            return fail("it needs features, each once");
        }
        if self.lags.first() != Some(&0) || self.lags.windows(2).any(|pair| pair[0] >= pair[1]) {
            return fail("its lags must ascend from 0");
        }
        if self.definition.interval != self.interval {
            return fail("its definition is of another interval");
        }
        Ok(())
    }

    /// Bars before the newest that the network depends on.
    #[must_use]
    pub fn look_back(&self) -> usize {
        self.definition.look_back() + self.lags.last().copied().unwrap_or(0)
    }
}

fn has_twice<T: Ord>(values: &[T]) -> bool {
    values.iter().collect::<BTreeSet<_>>().len() < values.len()
}

/// Open times of the first and last bars of a training and of its test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say all")]
pub struct CardFold {
    pub training_from: Millis,
    pub training_last: Millis,
    pub test_from: Millis,
    pub test_last: Millis,
}

/// How a network was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingSettings {
    /// Seed of all that is drawn.
    pub seed: u64,
    /// Epochs of the last training.
    pub epochs: usize,
    /// Rows in a batch.
    pub batch: usize,
    /// Step of the optimiser.
    pub learning_rate: f64,
    /// Width of the hidden layers.
    pub hidden: usize,
    /// Bars in a sequence.
    pub sequence: usize,
    /// Anything else that a repetition needs.
    #[serde(default)]
    pub others: BTreeMap<String, String>,
}

/// A tensor of a network in ONNX.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnnxTensor {
    /// Its name.
    pub name: String,
    /// Its axes; none where the length is free.
    pub shape: Vec<Option<usize>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_comes_back_from_json() {
        let card = card();
        let text = serde_json::to_string(&card).unwrap();
        assert_eq!(serde_json::from_str::<Card>(&text).unwrap(), card);
        assert_eq!((card.check(), card.look_back()), (Ok(()), 672 + 24));
    }

    #[test]
    fn a_card_that_contradicts_itself_is_refused() {
        let features = card().definition.features;
        let twice = vec![features[0].clone(), features[0].clone()];
        for (bad, word) in [
            (Card { symbols: vec![], ..card() }, "symbols"),
            (Card { symbols: vec!["A".parse().unwrap(), "A".parse().unwrap()], ..card() }, "symbols"),
            (Card { definition: Definition { features: vec![], ..card().definition }, ..card() }, "features"),
            (Card { definition: Definition { features: twice, ..card().definition }, ..card() }, "features"),
            (Card { definition: Definition { horizon: 0, ..card().definition }, ..card() }, "horizon"),
            (Card { lags: vec![], ..card() }, "lags"),
            (Card { lags: vec![1, 8], ..card() }, "lags"),
            (Card { lags: vec![0, 8, 8], ..card() }, "lags"),
            (Card { interval: Interval::H1, ..card() }, "interval"),
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    fn card() -> Card {
        Card {
            name: "gnn".parse().unwrap(),
            version: "1".parse().unwrap(),
            created: 1_700_000_000_000,
            code_version: "0.1.0".to_owned(),
            graph: None,
            interval: Interval::M15,
            range: TimeRange::new(0, 900_000).unwrap(),
            symbols: vec!["BTCUSDT".parse().unwrap()],
            definition: Definition::standard(Interval::M15, 16).unwrap(),
            lags: vec![0, 8, 24],
            normalisation: Normalisation { columns: vec![Scale { mean: 0.1, deviation: 1.0 / 3.0 }] },
            target_normalisation: Scale { mean: -6.0, deviation: 0.5 },
            folds: vec![CardFold { training_from: 0, training_last: 1, test_from: 2, test_last: 3 }],
            training: TrainingSettings {
                seed: 7,
                epochs: 1,
                batch: 2,
                learning_rate: 1e-3,
                hidden: 32,
                sequence: 16,
                others: [("dropout".to_owned(), "0.1".to_owned())].into(),
            },
            scores: Scores::default(),
            verdicts: vec![Verdict::default()],
            inputs: vec![OnnxTensor { name: "x".to_owned(), shape: vec![None, Some(16)] }],
            outputs: vec![],
        }
    }
}
