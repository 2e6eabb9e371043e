//! A whole training: every fit, the scores beside the baselines, and the files of the model.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use streamforge_dataset::{
    Card, Dataset, Direction, DirectionLoss, Fold, Forecast, OnnxTensor, Panel, Scores, Targets, TrainingSettings,
    VolatilityLoss, baseline,
};
use streamforge_events::{Millis, Prediction, Split};
use streamforge_store::{GraphDocument, ModelFiles};
use tch::Device;

use crate::{
    accelerator,
    checkpoint::Checkpoint,
    fits::{FitPlan, Material, MaterialError, Variant, fits},
    network::Network,
    onnx::{Export, model_bytes},
    plan::Plan,
    relations::{EdgeRule, of_graph},
    training::{Decision, Epoch, Fit, Watch},
};

/// Version of the code, part of what a checkpoint belongs to.
const CODE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where a training leaves its checkpoints and tells how it goes; called from several threads.
pub trait Journal: Sync {
    /// Whether to leave off.
    fn is_stopped(&self) -> bool;
    /// The last checkpoint of a fit.
    fn load(&self, fit: &str) -> Option<Vec<u8>>;
    /// Keeps a checkpoint of a fit.
    fn save(&self, fit: &str, checkpoint: Vec<u8>);
    /// Told after every epoch.
    fn progress(&self, progress: &Progress);
}

/// One epoch of one fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Name of the fit.
    pub fit: String,
    /// Fits that are done.
    pub fits_done: usize,
    /// All fits of the training.
    pub fits: usize,
    /// The epoch.
    #[serde(flatten)]
    pub epoch: Epoch,
}

/// What a training made.
#[derive(Debug)]
pub struct Trained {
    /// The model.
    pub files: ModelFiles,
    /// Its card.
    pub card: Card,
    /// What the networks of the tests said.
    pub predictions: Vec<Prediction>,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// It was told to stop.
    #[error("the training was told to stop")]
    Stopped,
    /// The data does not suffice.
    #[error("the data does not suffice: {0}")]
    Data(String),
    /// The network learned nothing that is a number.
    #[error("fit `{fit}` came to weights that are not finite; a lower learning_rate may help")]
    Diverged {
        /// The fit.
        fit: String,
    },
    /// A defect.
    #[error("the model could not be written: {0}")]
    Export(String),
}

impl From<MaterialError> for TrainError {
    fn from(error: MaterialError) -> Self {
        Self::Data(error.to_string())
    }
}

impl From<streamforge_dataset::Error> for TrainError {
    fn from(error: streamforge_dataset::Error) -> Self {
        Self::Data(error.to_string())
    }
}

/// What a fit leaves: the published one its network, the others what they say of their test.
struct Fitted {
    said: Vec<(usize, f64, [f64; 3])>,
    network: Option<(Network, Material)>,
    epochs: usize,
}

/// Runs a training on `threads` threads, on the GPU if libtorch can use one.
///
/// `dataset` is what the plan's definition makes of the panel, from which the edges of each test are computed.
///
/// # Errors
/// [`TrainError`]; nothing was published then, and checkpoints stay for the next attempt.
pub fn train(
    plan: &Plan,
    panel: &Panel,
    dataset: &Dataset,
    graph: Option<&GraphDocument>,
    created: Millis,
    journal: &dyn Journal,
    threads: usize,
) -> Result<Trained, TrainError> {
    let folds = dataset.walk_forward(&plan.fractions, plan.definition.embargo() + plan.reach())?;
    let rows = dataset.rows();
    let all = rows.first().copied().unwrap_or_default()..rows.last().map_or(0, |row| row + 1);
    let fits = fits(plan, &folds, all);
    let usual = EdgeRule { threshold: 0.5, nearest: 3, least_observations: 30 };
    let edges = graph.map(|graph| of_graph(graph, &plan.symbols));
    let work = Work {
        plan,
        panel,
        dataset,
        rule: graph.map_or(usual, EdgeRule::of),
        edges: edges.as_deref(),
        journal,
        of: fingerprint(plan, dataset),
        count: fits.len(),
        done: AtomicUsize::new(0),
        device: accelerator::device(),
    };
    let mut fitted = work.run_all(&fits, threads)?;
    let published = fitted.pop().ok_or_else(|| TrainError::Export("no fit was planned".to_owned()))?;

    let mut scores = baseline::scores(dataset, &plan.definition, &folds)?;
    let mut predictions = Vec::new();
    for variant in [Variant::Graph, Variant::Alone] {
        let of_variant: Vec<&Fitted> =
            fits.iter().zip(&fitted).filter(|(fit, _)| fit.variant == variant).map(|(_, fitted)| fitted).collect();
        if !of_variant.is_empty() {
            add_scores(&mut scores, variant.name(), dataset, &of_variant);
        }
        if fits.last().is_some_and(|fit| fit.variant == variant) {
            predictions = of_variant.iter().flat_map(|fitted| test_predictions(plan, dataset, &fitted.said)).collect();
        }
    }
    let (files, card) = model(plan, graph, created, dataset, &folds, scores, published)?;
    Ok(Trained { files, card, predictions })
}

/// What all fits share.
struct Work<'a> {
    plan: &'a Plan,
    panel: &'a Panel,
    dataset: &'a Dataset,
    rule: EdgeRule,
    edges: Option<&'a [f32]>,
    journal: &'a dyn Journal,
    of: String,
    count: usize,
    done: AtomicUsize,
    device: Device,
}

impl Work<'_> {
    fn run_all(&self, fits: &[FitPlan], threads: usize) -> Result<Vec<Fitted>, TrainError> {
        let next = AtomicUsize::new(0);
        let found: Mutex<BTreeMap<usize, Result<Fitted, TrainError>>> = Mutex::default();
        let take = || {
            while let Some((number, fit)) = {
                let number = next.fetch_add(1, Ordering::Relaxed);
                fits.get(number).map(|fit| (number, fit))
            } {
                let fitted = self.run(fit);
                let failed = fitted.is_err();
                found.lock().unwrap_or_else(PoisonError::into_inner).insert(number, fitted);
                if failed {
                    next.store(fits.len(), Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.max(1) {
                scope.spawn(take);
            }
            take();
        });
        found.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
    }

    fn run(&self, fit: &FitPlan) -> Result<Fitted, TrainError> {
        let mut material = Material::new(self.plan, self.panel, self.dataset, fit, (self.rule, self.edges))?;
        material.samples.to_device(self.device);
        let mut network = material.network(self.plan, fit);
        network.to_device(self.device);
        let of = format!("{}-{}", self.of, fit.name);
        let checkpoint = self.journal.load(&fit.name).and_then(|bytes| Checkpoint::from_bytes(&bytes, &of).ok());
        let mut under_way = Fit::new(&mut network, &material.samples, &material.rows, &self.plan.settings);
        if let Some(checkpoint) = checkpoint {
            // One of another fit is of no use and no harm: the fit begins anew.
            under_way.resume(&checkpoint).ok();
        }
        let mut watch = Watched { work: self, fit, of, epochs: under_way.epochs() };
        under_way.run(&mut watch).map_err(|_| TrainError::Stopped)?;
        let epochs = watch.epochs;
        if !network.weights.is_finite() {
            return Err(TrainError::Diverged { fit: fit.name.clone() });
        }
        self.done.fetch_add(1, Ordering::Relaxed);
        let said = material.predict_test(self.dataset, &network);
        Ok(Fitted { said, network: fit.is_published.then_some((network, material)), epochs })
    }
}

/// Passes on what a fit tells.
struct Watched<'a> {
    work: &'a Work<'a>,
    fit: &'a FitPlan,
    of: String,
    epochs: usize,
}

impl Watch for Watched<'_> {
    fn decide(&mut self) -> Decision {
        if self.work.journal.is_stopped() { Decision::Stop } else { Decision::Continue }
    }

    fn epoch(&mut self, epoch: &Epoch, is_last: bool, checkpoint: &dyn Fn() -> Checkpoint) {
        self.epochs = epoch.epoch;
        if (is_last || epoch.epoch.is_multiple_of(self.work.plan.checkpoint_epochs))
            && let Ok(bytes) = checkpoint().to_bytes(&self.of)
        {
            self.work.journal.save(&self.fit.name, bytes);
        }
        let progress = Progress {
            fit: self.fit.name.clone(),
            fits_done: self.work.done.load(Ordering::Relaxed),
            fits: self.work.count,
            epoch: epoch.clone(),
        };
        self.work.journal.progress(&progress);
    }
}

/// Names data and settings: a checkpoint of any others must not be gone on with.
fn fingerprint(plan: &Plan, dataset: &Dataset) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{CODE_VERSION} {plan:?}"));
    for value in dataset.features.values.iter().chain(&dataset.targets.volatility) {
        digest.update(value.to_le_bytes());
    }
    streamforge_events::hex(&digest.finalize())
}

fn add_scores(scores: &mut Scores, name: &str, dataset: &Dataset, fitted: &[&Fitted]) {
    let targets = &dataset.targets;
    let volatility: Vec<VolatilityLoss> = fitted
        .iter()
        .map(|fitted| {
            let pairs = fitted.said.iter().map(|(cell, said, _)| (f64::from(targets.volatility[*cell]), *said));
            VolatilityLoss::of(pairs)
        })
        .collect();
    let direction: Vec<DirectionLoss> = fitted
        .iter()
        .map(|fitted| {
            let pairs = fitted.said.iter().map(|(cell, _, said)| (targets.direction[*cell], Forecast::of(*said)));
            DirectionLoss::of(pairs)
        })
        .collect();
    scores.add_volatility(name, &volatility);
    scores.add_direction(name, &direction);
}

fn test_predictions<'a>(
    plan: &'a Plan,
    dataset: &'a Dataset,
    said: &'a [(usize, f64, [f64; 3])],
) -> impl Iterator<Item = Prediction> + 'a {
    let symbols = dataset.features.symbols.len();
    let horizon = u32::try_from(plan.definition.horizon).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
    said.iter().map(move |(cell, logarithm, probabilities)| Prediction {
        model: plan.model.clone(),
        version: plan.version.clone(),
        symbol: dataset.features.symbols[cell % symbols].clone(),
        interval: plan.interval,
        open_time: dataset.features.times[cell / symbols],
        horizon,
        volatility: Targets::volatility_of(*logarithm),
        probabilities: (*probabilities).into(),
        split: Split::Test,
        health: None,
    })
}

/// Writes the published network down.
fn model(
    plan: &Plan,
    graph: Option<&GraphDocument>,
    created: Millis,
    dataset: &Dataset,
    folds: &[Fold],
    scores: Scores,
    published: Fitted,
) -> Result<(ModelFiles, Card), TrainError> {
    let (network, material) =
        published.network.ok_or_else(|| TrainError::Export("the published fit left no network".to_owned()))?;
    #[expect(clippy::cast_possible_truncation, reason = "a network computes in single precision")]
    let single = |value: f64| value as f32;
    let means: Vec<f32> = material.normalisation.columns.iter().map(|scale| single(scale.mean)).collect();
    let deviations: Vec<f32> = material.normalisation.columns.iter().map(|scale| single(scale.deviation)).collect();
    let export = Export {
        feature_means: &means,
        feature_deviations: &deviations,
        target_mean: single(material.target.mean),
        target_deviation: single(material.target.deviation),
    };
    let (lags, symbols, features) = (plan.lags.len(), plan.symbols.len(), plan.definition.features.len());
    let tensor = |name: &str, shape: &[usize]| OnnxTensor {
        name: name.to_owned(),
        shape: std::iter::once(None).chain(shape.iter().copied().map(Some)).collect(),
    };
    let settings = &plan.settings;
    let name = if plan.aggregation == crate::Aggregation::None { Variant::Alone } else { Variant::Graph }.name();
    let others = serde_json::json!({
        "aggregation": plan.aggregation, "temporal": plan.temporal, "dropout_percent": plan.dropout_percent,
        "stride": settings.stride, "patience": settings.patience, "rate_decay": settings.rate_decay,
        "weight_decay": settings.weight_decay, "longest_gradient": settings.longest_gradient,
        "direction_weight": settings.direction_weight, "most_epochs": settings.epochs,
    });
    let others = others.as_object().into_iter().flatten();
    let card = Card {
        name: plan.model.clone(),
        version: plan.version.clone(),
        created,
        code_version: CODE_VERSION.to_owned(),
        graph: graph.map(|graph| graph.id.clone()),
        interval: plan.interval,
        range: plan.range,
        symbols: plan.symbols.clone(),
        definition: plan.definition.clone(),
        lags: plan.lags.clone(),
        normalisation: material.normalisation,
        target_normalisation: material.target,
        folds: folds.iter().map(|fold| fold.on(&dataset.features.times)).collect(),
        training: TrainingSettings {
            seed: settings.seed,
            epochs: published.epochs,
            batch: settings.batch,
            learning_rate: settings.learning_rate,
            hidden: plan.hidden,
            sequence: plan.lags.len(),
            others: others.map(|(name, value)| (name.clone(), value.to_string())).collect(),
        },
        verdicts: vec![scores.verdict_on_volatility(name), scores.verdict_on_direction(name)],
        scores,
        inputs: vec![tensor("features", &[lags, symbols, features]), tensor("present", &[lags, symbols])],
        outputs: vec![tensor("volatility", &[symbols]), tensor("direction", &[symbols, Direction::ALL.len()])],
    };
    let failed = |error: &dyn std::fmt::Display| TrainError::Export(error.to_string());
    let files = ModelFiles {
        onnx: model_bytes(&network, &export),
        weights: network.weights.to_safetensors().map_err(|error| failed(&error))?,
        card: serde_json::to_vec_pretty(&card).map_err(|error| failed(&error))?,
    };
    Ok((files, card))
}
