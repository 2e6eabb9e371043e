//! All fits of a training: one for each test, with and without the graph, and the one that is published.

use std::ops::Range;

use streamforge_dataset::{Dataset, Fold, Normalisation, Panel, Scale};

use crate::{
    architecture::{Aggregation, Architecture},
    network::Network,
    plan::Plan,
    relations::{EdgeRule, of_rows},
    samples::{Samples, SamplesError},
    training::{Predicted, Rows, predict},
};

/// Share of a training part that says when to end.
const VALIDATION: f64 = 0.12;

/// Which network is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// With the graph.
    Graph,
    /// The same without the graph.
    Alone,
}

impl Variant {
    /// The name in scores.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Graph => "network",
            Self::Alone => "network without graph",
        }
    }
}

/// One fit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FitPlan {
    /// Names it among the fits of the training: its checkpoint and its reports.
    pub(crate) name: String,
    /// Which network.
    pub(crate) variant: Variant,
    /// What it learns from, and its test if it has one.
    pub(crate) fold: Fold,
    /// Whether it is the one that is published.
    pub(crate) is_published: bool,
}

/// The fits of a training, those of the same rows beside each other, the published one last.
#[must_use]
pub(crate) fn fits(plan: &Plan, folds: &[Fold], all: Range<usize>) -> Vec<FitPlan> {
    let has_graph = plan.aggregation != Aggregation::None;
    let mut fits = Vec::new();
    for (number, fold) in folds.iter().enumerate() {
        if has_graph {
            let name = format!("window-{}-graph", number + 1);
            fits.push(FitPlan { name, variant: Variant::Graph, fold: fold.clone(), is_published: false });
        }
        let name = format!("window-{}-alone", number + 1);
        fits.push(FitPlan { name, variant: Variant::Alone, fold: fold.clone(), is_published: false });
    }
    let variant = if has_graph { Variant::Graph } else { Variant::Alone };
    let fold = Fold { training: all.clone(), test: all.end..all.end };
    fits.push(FitPlan { name: "published".to_owned(), variant, fold, is_published: true });
    fits
}

/// What a fit works on: samples from the first row that it reads, and their scales.
pub(crate) struct Material {
    /// Features and targets, normalised by the training part.
    pub(crate) samples: Samples,
    /// Rows of the samples to learn from and to end by.
    pub(crate) rows: Rows,
    /// Rows of the samples that are the test.
    pub(crate) test: Vec<i64>,
    /// Edges, symbols × symbols.
    pub(crate) graph: Vec<f32>,
    /// Scales of the features.
    pub(crate) normalisation: Normalisation,
    /// Scale of the volatility.
    pub(crate) target: Scale,
    /// Row of the panel that the first row of the samples is.
    pub(crate) first: usize,
}

/// Why there is nothing to fit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MaterialError {
    /// The data is too short, or lacks what is needed.
    #[error(transparent)]
    Dataset(#[from] streamforge_dataset::Error),
    /// The arrays do not fit; a defect.
    #[error(transparent)]
    Samples(#[from] SamplesError),
}

impl Material {
    /// Prepares a fit. `graph` are the edges of the published network; a test computes its own.
    ///
    /// # Errors
    /// [`MaterialError`] if too little is left to learn from.
    pub(crate) fn new(
        plan: &Plan,
        panel: &Panel,
        dataset: &Dataset,
        fit: &FitPlan,
        (rule, graph): (EdgeRule, Option<&[f32]>),
    ) -> Result<Self, MaterialError> {
        let symbols = dataset.features.symbols.len();
        let features = dataset.features.features.len();
        let held = fit.fold.hold_out(VALIDATION, plan.definition.horizon)?;
        let normalisation = Normalisation::fit(dataset, &fit.fold)?;
        let target = Scale::of_volatility(dataset, &fit.fold)?;
        // Bars without any symbol before the first complete row would only make every layer mind absent symbols.
        let first = fit.fold.training.start;
        let end = fit.fold.training.end.max(fit.fold.test.end);
        let cells = first * symbols..end * symbols;
        let mut values = dataset.features.values[first * symbols * features..end * symbols * features].to_vec();
        for row in values.chunks_exact_mut(features.max(1)) {
            normalisation.apply_row(row);
        }
        let known = |cell: usize| dataset.features.present[cell] && dataset.targets.present[cell];
        let volatility: Vec<Option<f32>> =
            cells.clone().map(|cell| known(cell).then(|| target.apply(dataset.targets.volatility[cell]))).collect();
        let direction: Vec<_> =
            cells.clone().map(|cell| known(cell).then(|| dataset.targets.direction[cell].into())).collect();
        let samples = Samples::new(
            [end - first, symbols, features],
            &values,
            &dataset.features.present[cells],
            &volatility,
            &direction,
        )?;
        let reach = plan.reach();
        let rows = |range: Range<usize>| -> Vec<i64> {
            let mut rows: Vec<i64> = dataset
                .cells(range)
                .filter(|cell| cell.row >= first + reach)
                .map(|cell| i64::try_from(cell.row - first).unwrap_or(i64::MAX))
                .collect();
            rows.dedup();
            rows
        };
        let graph = match (fit.variant, graph) {
            (Variant::Alone, _) => vec![0.0; symbols * symbols],
            (Variant::Graph, Some(graph)) if fit.is_published => graph.to_vec(),
            (Variant::Graph, _) => of_rows(panel, fit.fold.training.clone(), rule),
        };
        let own = Rows { training: rows(held.training), validation: rows(held.test) };
        if own.training.is_empty() || own.validation.is_empty() {
            return Err(streamforge_dataset::Error::NoRows(fit.name.clone()).into());
        }
        Ok(Self { samples, rows: own, test: rows(fit.fold.test.clone()), graph, normalisation, target, first })
    }

    /// The network of a fit with its start values.
    #[must_use]
    pub(crate) fn network(&self, plan: &Plan, fit: &FitPlan) -> Network {
        let aggregation = match fit.variant {
            Variant::Graph => plan.aggregation,
            Variant::Alone => Aggregation::None,
        };
        let architecture = Architecture { aggregation, ..plan.architecture() };
        Network::start(architecture, &self.graph, plan.settings.seed)
    }

    /// What a fitted network says of the test: cells of the panel with the logarithm of the volatility and the
    /// probabilities of the directions.
    #[must_use]
    pub(crate) fn predict_test(&self, dataset: &Dataset, network: &Network) -> Vec<(usize, f64, [f64; 3])> {
        let symbols = dataset.features.symbols.len();
        let Predicted { volatility, direction } = predict(network, &self.samples, &self.test);
        let mut said = Vec::new();
        for (place, row) in self.test.iter().enumerate() {
            let row = self.first + usize::try_from(*row).unwrap_or_default();
            for symbol in 0..symbols {
                let cell = row * symbols + symbol;
                if dataset.features.present[cell] && dataset.targets.present[cell] {
                    let place = place * symbols + symbol;
                    let logarithm = f64::from(self.target.invert(volatility[place]));
                    said.push((cell, logarithm, direction[place].map(f64::from)));
                }
            }
        }
        said
    }
}

impl From<streamforge_dataset::Direction> for crate::samples::Direction {
    fn from(direction: streamforge_dataset::Direction) -> Self {
        match direction {
            streamforge_dataset::Direction::Down => Self::Down,
            streamforge_dataset::Direction::Sideways => Self::Sideways,
            streamforge_dataset::Direction::Up => Self::Up,
        }
    }
}
