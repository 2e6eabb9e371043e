//! What came after predictions, as far as it is stored, by the targets that their model was trained on.

mod error;
mod shown;

use std::collections::HashMap;

use streamforge_dataset::{Card, Definition, Realised, SymbolBars};
use streamforge_events::{ModelName, ModelVersion, Prediction, SeriesId, SeriesKind};
use streamforge_store::{ModelRegistry, Store};

pub use error::Error;
pub use shown::shown;

/// Computes what came, from the stored klines.
pub struct History<'store> {
    store: &'store dyn Store,
    models: Option<ModelRegistry>,
    definitions: HashMap<(ModelName, ModelVersion), Option<Definition>>,
}

/// Whether two predictions differ in their open time alone.
#[must_use]
pub fn is_same_series(one: &Prediction, other: &Prediction) -> bool {
    (&one.model, &one.version, &one.symbol) == (&other.model, &other.version, &other.symbol)
        && (one.interval, one.horizon, one.split) == (other.interval, other.horizon, other.split)
}

impl<'store> History<'store> {
    /// The history in a store; without models, all are taken for usual ones.
    #[must_use]
    pub fn new(store: &'store dyn Store, models: Option<ModelRegistry>) -> Self {
        Self { store, models, definitions: HashMap::new() }
    }

    /// What came after each prediction of one series, ascending in time; none where it is not known.
    ///
    /// # Errors
    /// If the store or a model cannot be read.
    pub async fn of(&mut self, run: &[Prediction]) -> Result<Vec<Option<Realised>>, Error> {
        let unknown = vec![None; run.len()];
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(unknown) };
        let definition = self.definition(first).await?;
        let Some(range) = Realised::needs(&definition, first.open_time, last.open_time) else { return Ok(unknown) };
        let series = SeriesId { symbol: first.symbol.clone(), kind: SeriesKind::Klines(first.interval) };
        let columns = self.store.read_columns(&series, range).await?;
        let times: Vec<_> = run.iter().map(|prediction| prediction.open_time).collect();
        Ok(Realised::compute(SymbolBars::of(series.symbol, columns), &definition, &times)?)
    }

    /// The definition in the model's card; where the model is gone, the usual one.
    async fn definition(&mut self, prediction: &Prediction) -> Result<Definition, Error> {
        let Prediction { model, version, interval, horizon, .. } = prediction;
        let key = (model.clone(), version.clone());
        if !self.definitions.contains_key(&key) {
            let card = self.card(model, version).await?;
            self.definitions.insert(key.clone(), card.map(|card| card.definition));
        }
        let horizon = usize::try_from(horizon.get()).unwrap_or(usize::MAX);
        let of_card = self.definitions.get(&key).cloned().flatten().filter(|known| known.interval == *interval);
        let definition = of_card.unwrap_or_else(|| Definition::usual(*interval, horizon));
        Ok(Definition { horizon, ..definition })
    }

    /// The card of a version, if it is in the registry.
    ///
    /// # Errors
    /// If the registry cannot be read.
    pub async fn card(&self, model: &ModelName, version: &ModelVersion) -> Result<Option<Card>, Error> {
        let Some(models) = &self.models else { return Ok(None) };
        match models.load(model, Some(version)).await {
            // A card of another maker need not be one of ours.
            Ok(model) => Ok(serde_json::from_slice(&model.files.card).ok()),
            Err(streamforge_store::Error::NoModel { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
