//! One fit: epochs over the rows of the training part, early stopping on its last rows.
//!
//! On a CPU the same settings give the same weights, to the last bit, also when a fit goes on from a checkpoint: the
//! order of rows and what is hidden follow from seed and epoch alone.

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};

use crate::{
    architecture::Architecture,
    checkpoint::{Checkpoint, CheckpointError},
    network::{Network, Outputs},
    optimiser::Adam,
    samples::{Samples, UNKNOWN_CLASS},
    weights,
};

/// How a network is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Most epochs.
    pub epochs: usize,
    /// Rows of one step.
    pub batch: usize,
    /// Of how many rows one is used in an epoch, another one in each; neighbours share most of their target.
    pub stride: usize,
    /// Epochs without a better validation loss before the fit ends.
    pub patience: usize,
    /// Learning rate of the first epoch.
    pub learning_rate: f64,
    /// What the rate is multiplied by after each epoch.
    pub rate_decay: f64,
    /// Share of each weight that is taken away by a step, in learning rates.
    pub weight_decay: f64,
    /// Longest gradient.
    pub longest_gradient: f64,
    /// Weight of the direction's loss beside that of the volatility.
    pub direction_weight: f64,
    /// Where chance begins.
    pub seed: u64,
}

/// One epoch as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Mean loss of its steps.
    pub training_loss: f64,
    /// Mean squared error of the volatility on the validation rows, in variances of the training part.
    pub validation_loss: f64,
    /// Whether no epoch before was better.
    pub is_best: bool,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Continue,
    /// Leave off at once.
    Stop,
}

/// The fit was told to leave off.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fit was told to stop")]
pub struct Stopped;

/// Rows to learn from and rows to decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Rows whose targets are learned.
    pub training: Vec<i64>,
    /// Later rows that say when to end.
    pub validation: Vec<i64>,
}

impl Rows {
    /// The rows of an epoch, counted from 0, in the order in which it learns from them.
    #[must_use]
    pub fn order(&self, settings: &Settings, epoch: usize) -> Vec<i64> {
        self.shuffled(settings, epoch).0
    }

    /// The same, with the source of what else is random in the epoch.
    fn shuffled(&self, settings: &Settings, epoch: usize) -> (Vec<i64>, Rng) {
        let number = u64::try_from(epoch).unwrap_or(u64::MAX);
        let mut chance = Rng::with_seed(settings.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let stride = settings.stride.max(1);
        let mut rows: Vec<i64> = self.training.iter().skip(epoch % stride).step_by(stride).copied().collect();
        chance.shuffle(&mut rows);
        (rows, chance)
    }
}

/// What a fit tells while it runs.
pub trait Watch {
    /// Asked before each step.
    fn decide(&mut self) -> Decision;
    /// Told after each epoch, and whether it was the last one, with the state to go on from.
    fn epoch(&mut self, epoch: &Epoch, is_last: bool, checkpoint: &dyn Fn() -> Checkpoint);
}

/// A fit under way.
pub struct Fit<'a> {
    network: &'a mut Network,
    samples: &'a Samples,
    rows: &'a Rows,
    settings: &'a Settings,
    lags: Tensor,
    adam: Adam,
    best: Tensor,
    best_loss: f64,
    epochs_since_best: usize,
    next_epoch: usize,
}

impl<'a> Fit<'a> {
    /// A fit from the network's present weights.
    #[must_use]
    pub fn new(network: &'a mut Network, samples: &'a Samples, rows: &'a Rows, settings: &'a Settings) -> Self {
        let lags: Vec<i64> =
            network.architecture.lags.iter().map(|lag| i64::try_from(*lag).unwrap_or(i64::MAX)).collect();
        Self {
            lags: samples.indices(&lags),
            adam: Adam::new(&network.weights.flat),
            best: network.weights.flat.copy(),
            best_loss: f64::INFINITY,
            epochs_since_best: 0,
            next_epoch: 0,
            network,
            samples,
            rows,
            settings,
        }
    }

    /// Goes on from a checkpoint of the same fit.
    ///
    /// # Errors
    /// [`CheckpointError`] if it belongs to another fit; then nothing is changed.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        checkpoint.check_fits(&self.network.weights)?;
        let device = self.network.weights.flat.device();
        let tensor = |values: &[f32]| Tensor::from_slice(values).to_device(device);
        self.network.weights.flat = tensor(&checkpoint.weights);
        self.best = tensor(&checkpoint.best);
        self.adam.first = tensor(&checkpoint.first);
        self.adam.second = tensor(&checkpoint.second);
        self.adam.steps = checkpoint.steps;
        self.best_loss = checkpoint.best_loss;
        self.epochs_since_best = checkpoint.epochs_since_best;
        self.next_epoch = checkpoint.next_epoch;
        Ok(())
    }

    /// Runs to the end; the network then has the weights of the best epoch.
    ///
    /// # Errors
    /// [`Stopped`] if the watch said so.
    pub fn run(mut self, watch: &mut dyn Watch) -> Result<Vec<Epoch>, Stopped> {
        let mut epochs = Vec::new();
        let weights = self.network.weights.leaves();
        while !self.is_done() {
            let training_loss = self.train_epoch(&weights, watch)?;
            let validation_loss = self.validate();
            let is_best = validation_loss < self.best_loss;
            if is_best {
                self.best = self.network.weights.flat.detach().copy();
                self.best_loss = validation_loss;
                self.epochs_since_best = 0;
            } else {
                self.epochs_since_best += 1;
            }
            self.next_epoch += 1;
            let epoch = Epoch { epoch: self.next_epoch, training_loss, validation_loss, is_best };
            watch.epoch(&epoch, self.is_done(), &|| self.checkpoint());
            epochs.push(epoch);
        }
        self.network.weights.flat = self.best.copy();
        Ok(epochs)
    }

    /// The epochs that are done.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.next_epoch
    }

    fn is_done(&self) -> bool {
        self.next_epoch >= self.settings.epochs || self.epochs_since_best >= self.settings.patience
    }

    fn train_epoch(&mut self, weights: &[Tensor], watch: &mut dyn Watch) -> Result<f64, Stopped> {
        let settings = self.settings;
        let (rows, mut chance) = self.rows.shuffled(settings, self.next_epoch);
        let decay = settings.rate_decay.powi(i32::try_from(self.next_epoch).unwrap_or(i32::MAX));
        let rate = settings.learning_rate * decay;
        let device = self.network.weights.flat.device();
        let mut total = Tensor::zeros([], (Kind::Double, device));
        for batch in rows.chunks(settings.batch.max(1)) {
            if watch.decide() == Decision::Stop {
                return Err(Stopped);
            }
            let mut gradient = self.network.weights.flat.zeros_like();
            let known = Known::of(self.samples, batch);
            for part in batch.chunks(rows_at_once(&self.network.architecture)) {
                let loss = self.loss(weights, part, &known, &mut chance);
                let parts = Tensor::run_backward(&[&loss], weights, false, false);
                let parts: Vec<Tensor> = parts.iter().map(|part| part.reshape([-1])).collect();
                let _ = gradient.g_add_(&Tensor::cat(&parts, 0));
                #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
                let _ = total.g_add_(&(loss.detach() * batch.len() as f64));
            }
            let flat = &mut self.network.weights.flat;
            self.adam.step(flat, &gradient, rate, settings.weight_decay, settings.longest_gradient);
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 rows")]
        let count = rows.len().max(1) as f64;
        Ok(total.double_value(&[]) / count)
    }

    /// The share of some rows in the loss of their batch.
    fn loss(&self, weights: &[Tensor], rows: &[i64], batch: &Known, chance: &mut Rng) -> Tensor {
        let rows = self.samples.indices(rows);
        let (values, present) = self.samples.inputs(&rows, &self.lags);
        let Outputs { volatility, direction } =
            self.network.forward_with(weights, &values, present.as_ref(), Some(chance));
        let target = |grid: &Tensor| grid.index_select(1, &rows);
        let missed = (volatility - target(&self.samples.volatility)).square() * target(&self.samples.known);
        let squared = missed.sum(Kind::Float) / &batch.volatility;
        let class = target(&self.samples.class).view([-1]);
        let direction = direction.reshape([-1, 3]);
        let wrong = direction.cross_entropy_loss(&class, None::<&Tensor>, Reduction::Sum, UNKNOWN_CLASS, 0.0);
        squared + wrong * self.settings.direction_weight / &batch.direction
    }

    fn validate(&self) -> f64 {
        let predicted = predict(self.network, self.samples, &self.rows.validation);
        let rows = self.samples.indices(&self.rows.validation);
        let row_by_row = |grid: &Tensor| weights::values(&grid.index_select(1, &rows).transpose(0, 1));
        let (wanted, known) = (row_by_row(&self.samples.volatility), row_by_row(&self.samples.known));
        let mut total = 0.0;
        let mut count = 0.0;
        for ((predicted, wanted), known) in predicted.volatility.iter().zip(&wanted).zip(&known) {
            total += f64::from(*known) * f64::from(predicted - wanted).powi(2);
            count += f64::from(*known);
        }
        total / f64::max(count, 1.0)
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            weights: weights::values(&self.network.weights.flat),
            best: weights::values(&self.best),
            first: weights::values(&self.adam.first),
            second: weights::values(&self.adam.second),
            steps: self.adam.steps,
            best_loss: self.best_loss,
            epochs_since_best: self.epochs_since_best,
            next_epoch: self.next_epoch,
        }
    }
}

/// How many targets of a batch are known, at least 1.
struct Known {
    volatility: Tensor,
    direction: Tensor,
}

impl Known {
    fn of(samples: &Samples, rows: &[i64]) -> Self {
        let rows = samples.indices(rows);
        let count = |known: Tensor| known.sum(Kind::Float).clamp_min(1.0);
        Self {
            volatility: count(samples.known.index_select(1, &rows)),
            direction: count(samples.class.index_select(1, &rows).ge(0)),
        }
    }
}

/// Rows whose states fit into the caches of a core: more at once would go through memory again and again.
fn rows_at_once(architecture: &Architecture) -> usize {
    const NUMBERS: usize = 1 << 17;
    (NUMBERS / (architecture.symbols * architecture.lags.len() * architecture.hidden).max(1)).max(1)
}

/// What a network says of some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predicted {
    /// rows × symbols, as the targets are: in standard deviations of the training part.
    pub volatility: Vec<f32>,
    /// rows × symbols, the probabilities of down, sideways and up.
    pub direction: Vec<[f32; 3]>,
}

/// Runs a network over rows, nothing hidden.
#[must_use]
pub fn predict(network: &Network, samples: &Samples, rows: &[i64]) -> Predicted {
    let lags: Vec<i64> = network.architecture.lags.iter().map(|lag| i64::try_from(*lag).unwrap_or(i64::MAX)).collect();
    let lags = samples.indices(&lags);
    let mut predicted = Predicted::default();
    tch::no_grad(|| {
        for batch in rows.chunks(rows_at_once(&network.architecture)) {
            let (values, present) = samples.inputs(&samples.indices(batch), &lags);
            let outputs = network.forward(&values, present.as_ref());
            predicted.volatility.extend(weights::values(&outputs.volatility.transpose(0, 1)));
            let probabilities = weights::values(&outputs.direction.transpose(0, 1).softmax(-1, Kind::Float));
            predicted.direction.extend(probabilities.as_chunks::<3>().0);
        }
    });
    predicted
}
