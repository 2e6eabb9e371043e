//! What a training is to make, checked: the parameters of its command.

use serde::Deserialize;
use serde_json::Value;
use streamforge_dataset::{Definition, FRACTIONS};
use streamforge_events::{ControlCommand, Interval, Millis, ModelName, ModelVersion, Symbol, TimeRange, short_code};

use crate::{
    architecture::{Aggregation, Architecture, Temporal},
    training::Settings,
};

/// Fewest and most symbols of a graph to learn from.
const SYMBOLS: std::ops::RangeInclusive<usize> = 2..=500;

/// One training.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Name of the model.
    pub model: ModelName,
    /// Its version, which follows from the task, so that two trainers of one task make the same version.
    pub version: ModelVersion,
    /// The symbols, ascending.
    pub symbols: Vec<Symbol>,
    /// Length of a bar.
    pub interval: Interval,
    /// The bars to learn from and to be judged on.
    pub range: TimeRange,
    /// The graph whose edges are used; without it, edges are computed from the returns.
    pub graph: Option<String>,
    /// What is read and predicted.
    pub definition: Definition,
    /// Width of a node's state.
    pub hidden: usize,
    /// How a node hears of its neighbours.
    pub aggregation: Aggregation,
    /// How several bars become one.
    pub temporal: Temporal,
    /// Which bars are read.
    pub lags: Vec<usize>,
    /// Hundredths of a state that are hidden in training.
    pub dropout_percent: u8,
    /// How it is fitted.
    pub settings: Settings,
    /// Where the rows are cut into tests.
    pub fractions: Vec<f64>,
    /// Epochs between two checkpoints.
    pub checkpoint_epochs: usize,
}

/// The parameters as they stand in the command; what else it carries is not the trainer's.
#[derive(Deserialize)]
struct Raw {
    symbols: Vec<Symbol>,
    interval: Interval,
    from: Millis,
    to: Millis,
    model: ModelName,
    graph: Option<String>,
    horizon: Option<usize>,
    band: Option<f64>,
    hidden: Option<usize>,
    aggregation: Option<RawAggregation>,
    heads: Option<usize>,
    temporal: Option<Temporal>,
    lags: Option<Vec<usize>>,
    dropout_percent: Option<u8>,
    epochs: Option<usize>,
    batch: Option<usize>,
    stride: Option<usize>,
    patience: Option<usize>,
    learning_rate: Option<f64>,
    seed: Option<u64>,
    checkpoint_epochs: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawAggregation {
    Attention,
    Mean,
    None,
}

impl Plan {
    /// Reads a command.
    ///
    /// # Errors
    /// What is wrong with it, in words for a report.
    pub fn parse(command: &ControlCommand) -> Result<Self, String> {
        let parameters = Value::Object(command.parameters.clone());
        let raw = Raw::deserialize(parameters).map_err(|error| format!("parameters are not valid: {error}"))?;
        let range = TimeRange::new(raw.from, raw.to).map_err(|error| error.to_string())?;
        let mut symbols = raw.symbols;
        symbols.sort_unstable();
        symbols.dedup();
        if !SYMBOLS.contains(&symbols.len()) {
            let (least, most) = (SYMBOLS.start(), SYMBOLS.end());
            return Err(format!("{} symbols cannot be trained on: {least} to {most} are needed", symbols.len()));
        }
        let horizon = in_range("horizon", raw.horizon, 16, 1, 10_000)?;
        let standard = Definition::standard(raw.interval, horizon).map_err(|error| error.to_string())?;
        let band = raw.band.unwrap_or(standard.band);
        let definition = Definition { band, ..standard }.with_baselines().map_err(|error| error.to_string())?;
        let temporal = raw.temporal.unwrap_or(Temporal::Mean);
        let usual_lags = if temporal == Temporal::Last { vec![0] } else { vec![0, 8, 24] };
        let plan = Self {
            version: version(command, range)?,
            model: raw.model,
            symbols,
            interval: raw.interval,
            range,
            graph: raw.graph,
            hidden: in_range("hidden", raw.hidden, 32, 1, 1_024)?,
            aggregation: match raw.aggregation.unwrap_or(RawAggregation::Mean) {
                RawAggregation::Attention => Aggregation::Attention { heads: in_range("heads", raw.heads, 2, 1, 64)? },
                RawAggregation::Mean => Aggregation::Mean,
                RawAggregation::None => Aggregation::None,
            },
            temporal,
            lags: raw.lags.unwrap_or(usual_lags),
            dropout_percent: raw.dropout_percent.unwrap_or(20),
            settings: Settings {
                epochs: in_range("epochs", raw.epochs, 12, 1, 10_000)?,
                batch: in_range("batch", raw.batch, 128, 1, 65_536)?,
                stride: in_range("stride", raw.stride, (horizon / 4).max(1), 1, 10_000)?,
                patience: in_range("patience", raw.patience, 4, 1, 10_000)?,
                learning_rate: raw.learning_rate.unwrap_or(4e-3),
                rate_decay: 0.85,
                weight_decay: 1e-2,
                longest_gradient: 1.0,
                direction_weight: 0.2,
                seed: raw.seed.unwrap_or(1),
            },
            fractions: FRACTIONS.to_vec(),
            checkpoint_epochs: in_range("checkpoint_epochs", raw.checkpoint_epochs, 2, 1, 10_000)?,
            definition,
        };
        let rate = plan.settings.learning_rate;
        if !(rate.is_finite() && rate > 0.0 && rate <= 1.0) {
            return Err(format!("learning_rate {rate} does not lie above 0 and up to 1"));
        }
        if plan.lags.len() > 64 || plan.reach() > 10_000 {
            return Err("lags must be at most 64 and reach back 10,000 bars at most".to_owned());
        }
        plan.architecture().fault().map_or(Ok(()), Err)?;
        Ok(plan)
    }

    /// The network that is trained.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        Architecture {
            symbols: self.symbols.len(),
            features: self.definition.features.len(),
            hidden: self.hidden,
            aggregation: self.aggregation,
            temporal: self.temporal,
            lags: self.lags.clone(),
            dropout_percent: self.dropout_percent,
        }
    }

    /// How many bars back the oldest one lies that the network reads.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.lags.last().copied().unwrap_or_default()
    }
}

/// Such as `20260501-a1b2c3`: the day after the last bar, and a code of workflow and task.
fn version(command: &ControlCommand, range: TimeRange) -> Result<ModelVersion, String> {
    let day: String = streamforge_events::rfc3339(range.to()).chars().filter(char::is_ascii_digit).take(8).collect();
    let task = command.task.as_deref().unwrap_or_default();
    let code = short_code(&[&command.queue_id.to_string(), task]);
    format!("{day}-{code}").parse().map_err(|error: streamforge_events::Error| error.to_string())
}

fn in_range(name: &str, value: Option<usize>, usual: usize, least: usize, most: usize) -> Result<usize, String> {
    let value = value.unwrap_or(usual);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!("{name} {value} does not lie between {least} and {most}"))
}
