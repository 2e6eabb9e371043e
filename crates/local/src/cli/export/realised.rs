//! What came after the bar of a prediction, as far as it is stored, by the targets that the model was trained on.

use std::collections::HashMap;

use streamforge_dataset::{Card, Definition, Direction, Panel, SymbolBars, Targets, Windows, volatility_of_logarithm};
use streamforge_events::{Interval, Millis, ModelName, ModelVersion, Prediction, SeriesId, SeriesKind, TimeRange};
use streamforge_store::{ModelRegistry, Store};

use crate::cli::exit::Failure;

/// Longest month, for intervals without a length.
const MONTH: i64 = 31 * 86_400_000;

/// What came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Realisation {
    /// Root of the mean square of the returns.
    pub(super) volatility: f64,
    /// Where the price went.
    pub(super) class: &'static str,
}

/// Computes what came, from the stored klines.
pub(super) struct Realised<'store> {
    store: &'store dyn Store,
    models: Option<ModelRegistry>,
    definitions: HashMap<(ModelName, ModelVersion), Option<Definition>>,
}

/// Whether two predictions differ in their open time alone.
pub(super) fn is_same_series(one: &Prediction, other: &Prediction) -> bool {
    (&one.model, &one.version, &one.symbol) == (&other.model, &other.version, &other.symbol)
        && (one.interval, one.horizon, one.split) == (other.interval, other.horizon, other.split)
}

impl<'store> Realised<'store> {
    pub(super) fn new(store: &'store dyn Store, models: Option<ModelRegistry>) -> Self {
        Self { store, models, definitions: HashMap::new() }
    }

    /// What came after each prediction of one series, ascending in time; none where it is not known.
    pub(super) async fn of(&mut self, run: &[Prediction]) -> Result<Vec<Option<Realisation>>, Failure> {
        let unknown = vec![None; run.len()];
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(unknown) };
        let definition = self.definition(first).await?;
        let Some(range) = needed(&definition, first.open_time, last.open_time) else { return Ok(unknown) };
        let series = SeriesId { symbol: first.symbol.clone(), kind: SeriesKind::Klines(first.interval) };
        let columns = self.store.read_columns(&series, range).await?;
        let panel = match Panel::new(first.interval, vec![SymbolBars::of(series.symbol.clone(), columns)]) {
            Ok(panel) => panel,
            Err(streamforge_dataset::Error::NoBars) => return Ok(unknown),
            Err(error) => return Err(Failure::failed(&error)),
        };
        let targets = Targets::compute(&panel, &definition);
        Ok(run.iter().map(|prediction| at(&targets, prediction.open_time)).collect())
    }

    /// The definition in the model's card; where the model is gone, the usual one.
    async fn definition(&mut self, prediction: &Prediction) -> Result<Definition, Failure> {
        let Prediction { model, version, interval, horizon, .. } = prediction;
        let key = (model.clone(), version.clone());
        if !self.definitions.contains_key(&key) {
            let card = self.card(model, version).await?;
            self.definitions.insert(key.clone(), card.map(|card| card.definition));
        }
        let of_card = self.definitions.get(&key).cloned().flatten().filter(|known| known.interval == *interval);
        let definition = of_card.unwrap_or_else(|| usual(*interval));
        Ok(Definition { horizon: usize::try_from(horizon.get()).unwrap_or(usize::MAX), ..definition })
    }

    async fn card(&self, model: &ModelName, version: &ModelVersion) -> Result<Option<Card>, Failure> {
        let Some(models) = &self.models else { return Ok(None) };
        match models.load(model, Some(version)).await {
            // A card of another maker need not be one of ours.
            Ok(model) => Ok(serde_json::from_slice(&model.files.card).ok()),
            Err(streamforge_store::Error::NoModel { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn usual(interval: Interval) -> Definition {
    let windows = Windows::of(interval);
    Definition { interval, windows, horizon: 1, band: Definition::BAND, features: Vec::new() }
}

/// The bars that the targets of these open times are computed from; none if nobody can have stored them.
fn needed(definition: &Definition, first: Millis, last: Millis) -> Option<TimeRange> {
    let length = definition.interval.millis().unwrap_or(MONTH);
    let span = |bars: usize| i64::try_from(bars).unwrap_or(i64::MAX).saturating_add(1).saturating_mul(length);
    let from = first.saturating_sub(span(definition.windows.middle)).max(0);
    let to = last.saturating_add(span(definition.horizon)).min(TimeRange::WIDEST.to());
    TimeRange::new(from, to).ok()
}

fn at(targets: &Targets, open_time: Millis) -> Option<Realisation> {
    let row = targets.times.binary_search(&open_time).ok().filter(|row| targets.present[*row])?;
    let class = match targets.direction[row] {
        Direction::Down => "down",
        Direction::Sideways => "sideways",
        Direction::Up => "up",
    };
    Some(Realisation { volatility: volatility_of_logarithm(f64::from(targets.volatility[row])), class })
}
