//! How well models predict: losses of one test, means and spreads over all tests, and what beats what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Direction, window::count};

/// Least probability that is taken at its word; below it, one surprise would outweigh everything.
const LEAST_PROBABILITY: f64 = 1e-6;

/// A measure over the tests of a walk-forward split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean over the tests.
    pub mean: f64,
    /// Sample standard deviation over the tests; 0 for a single one.
    pub spread: f64,
    /// One value a test, in their order.
    pub windows: Vec<f64>,
}

impl Score {
    /// Sums up the values of all tests.
    #[must_use]
    pub fn of(windows: Vec<f64>) -> Self {
        let tests = count(windows.len().max(1));
        let mean = windows.iter().sum::<f64>() / tests;
        let squares: f64 = windows.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, spread: (squares / (tests - 1.0).max(1.0)).sqrt(), windows }
    }
}

/// Scores by the name of a model or baseline.
///
/// # Units
/// `volatility` is the mean squared error of the logarithm and `direction` the share of right ones, between 0 and 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean squared error of the logarithm of realised volatility: less is better.
    pub volatility: BTreeMap<String, Score>,
    /// The loss of a variance that punishes guesses that are too low: less is better.
    pub volatility_qlike: BTreeMap<String, Score>,
    /// Share of directions that were right: more is better.
    pub direction: BTreeMap<String, Score>,
    /// Mean of `-ln` of the probability of what came: less is better.
    pub direction_log_loss: BTreeMap<String, Score>,
}

/// Losses of predicted volatilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolatilityLoss {
    /// Mean squared error of the logarithm.
    pub mse: f64,
    /// Mean of `exp(2 d) - 2 d - 1`, `d` being truth less prediction.
    pub qlike: f64,
}

impl VolatilityLoss {
    /// Compares pairs of truth and prediction, both logarithms.
    ///
    /// # Source
    /// A. J. Patton, Volatility forecast comparison using imperfect volatility proxies (2011)
    #[must_use]
    pub fn of(pairs: impl Iterator<Item = (f64, f64)>) -> Self {
        let (mut rows, mut mse, mut qlike) = (0, 0.0, 0.0);
        for (truth, predicted) in pairs {
            let error = truth - predicted;
            rows += 1;
            mse += error * error;
            qlike += (2.0 * error).exp() - 2.0 * error - 1.0;
        }
        Self { mse: mse / count(rows), qlike: qlike / count(rows) }
    }
}

/// A predicted direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// What is said to come.
    pub direction: Direction,
    /// Probabilities in the order of [`Direction::ALL`].
    pub probabilities: [f64; 3],
}

impl Forecast {
    /// Says that what is most probable comes.
    #[must_use]
    pub fn of(probabilities: [f64; 3]) -> Self {
        let most = |a: &Direction, b: &Direction| probabilities[a.index()].total_cmp(&probabilities[b.index()]);
        let direction = Direction::ALL.into_iter().max_by(most).unwrap_or(Direction::Sideways);
        Self { direction, probabilities }
    }
}

/// Measures of predicted directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DirectionLoss {
    /// Share of directions that were right.
    pub accuracy: f64,
    /// Mean of `-ln` of the probability of what came.
    pub log_loss: f64,
}

impl DirectionLoss {
    /// Compares pairs of truth and prediction.
    #[must_use]
    pub fn of(pairs: impl Iterator<Item = (Direction, Forecast)>) -> Self {
        let (mut rows, mut right, mut log_loss) = (0, 0, 0.0);
        for (truth, forecast) in pairs {
            rows += 1;
            right += usize::from(forecast.direction == truth);
            log_loss -= forecast.probabilities[truth.index()].max(LEAST_PROBABILITY).ln();
        }
        Self { accuracy: count(right) / count(rows), log_loss: log_loss / count(rows) }
    }
}

/// What a model is worth beside the baselines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What it predicts better than: less error in the mean and in most tests.
    pub beats: Vec<String>,
    /// What it does not predict better than.
    pub loses_to: Vec<String>,
    /// The same as a sentence.
    pub words: String,
}

impl Scores {
    /// Notes the losses of a model in one test after another.
    pub fn add_volatility(&mut self, model: &str, losses: &[VolatilityLoss]) {
        let score = |measure: fn(&VolatilityLoss) -> f64| Score::of(losses.iter().map(measure).collect());
        self.volatility.insert(model.to_owned(), score(|loss| loss.mse));
        self.volatility_qlike.insert(model.to_owned(), score(|loss| loss.qlike));
    }

    /// Notes the measures of a model in one test after another.
    pub fn add_direction(&mut self, model: &str, losses: &[DirectionLoss]) {
        let score = |measure: fn(&DirectionLoss) -> f64| Score::of(losses.iter().map(measure).collect());
        self.direction.insert(model.to_owned(), score(|loss| loss.accuracy));
        self.direction_log_loss.insert(model.to_owned(), score(|loss| loss.log_loss));
    }

    /// Takes over all scores of others, such as those of the baselines.
    pub fn extend(&mut self, other: Self) {
        self.volatility.extend(other.volatility);
        self.volatility_qlike.extend(other.volatility_qlike);
        self.direction.extend(other.direction);
        self.direction_log_loss.extend(other.direction_log_loss);
    }

    /// Compares a model's volatilities with all others.
    #[must_use]
    pub fn verdict_on_volatility(&self, model: &str) -> Verdict {
        verdict(&self.volatility, model, "the volatility", |own, other| own < other)
    }

    /// Compares a model's directions with all others.
    #[must_use]
    pub fn verdict_on_direction(&self, model: &str) -> Verdict {
        verdict(&self.direction, model, "the direction", |own, other| own > other)
    }
}

fn verdict(scores: &BTreeMap<String, Score>, model: &str, what: &str, is_better: fn(f64, f64) -> bool) -> Verdict {
    let Some(own) = scores.get(model) else {
        return Verdict { words: format!("`{model}` was not measured on {what}"), ..Verdict::default() };
    };
    let beaten = |other: &Score| {
        let tests = own.windows.iter().zip(&other.windows);
        let won = tests.filter(|(own, other)| is_better(**own, **other)).count();
        is_better(own.mean, other.mean) && 2 * won > own.windows.len()
    };
    let others = scores.iter().filter(|(name, _)| *name != model);
    let (beats, loses_to): (Vec<_>, Vec<_>) = others.partition(|(_, other)| beaten(other));
    let names = |scores: Vec<(&String, &Score)>| scores.into_iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (beats, loses_to) = (names(beats), names(loses_to));
    let words = match (beats.as_slice(), loses_to.as_slice()) {
        (beats, []) => format!("`{model}` predicts {what} better than {}", beats.join(", ")),
        ([], others) => format!("`{model}` predicts {what} no better than {}", others.join(", ")),
        (beats, others) => format!(
            "`{model}` predicts {what} better than {}, but no better than {}",
            beats.join(", "),
            others.join(", ")
        ),
    };
    Verdict { beats, loses_to, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_those_of_the_definitions() {
        let perfect = VolatilityLoss::of([(1.0, 1.0), (2.0, 2.0)].into_iter());
        assert_eq!(perfect, VolatilityLoss { mse: 0.0, qlike: 0.0 });
        let loss = VolatilityLoss::of([(1.0, 0.0), (0.0, 1.0)].into_iter());
        assert!((loss.mse - 1.0).abs() < 1e-15);
        assert!((loss.qlike - f64::midpoint(2_f64.exp() - 3.0, (-2_f64).exp() + 1.0)).abs() < 1e-12);
        let forecasts = [(Direction::Up, [0.2, 0.2, 0.6]), (Direction::Down, [0.25, 0.5, 0.25])];
        let loss = DirectionLoss::of(forecasts.into_iter().map(|(truth, odds)| (truth, Forecast::of(odds))));
        assert!((loss.accuracy - 0.5).abs() < 1e-15);
        assert!((loss.log_loss + f64::midpoint(0.6_f64.ln(), 0.25_f64.ln())).abs() < 1e-12);
        let sure = DirectionLoss::of([(Direction::Up, Forecast::of([1.0, 0.0, 0.0]))].into_iter());
        assert!(sure.log_loss.is_finite());
    }

    #[test]
    fn spreads_are_of_samples_and_scores_survive_the_wire() {
        let score = Score::of(vec![1.0, 2.0, 3.0]);
        assert_eq!((score.mean, score.spread), (2.0, 1.0));
        assert!(Score::of(vec![1.0]).spread.abs() < f64::EPSILON && Score::of(vec![]).mean.abs() < f64::EPSILON);
        let mut scores = Scores::default();
        scores.add_volatility("network", &[VolatilityLoss { mse: 0.5, qlike: 1.5 }]);
        let text = serde_json::to_string(&scores).unwrap();
        assert!(text.starts_with(r#"{"volatility":{"network":{"mean":0.5,"spread":0.0,"windows":[0.5]}}"#), "{text}");
        assert_eq!(serde_json::from_str::<Scores>(&text).unwrap(), scores);
    }

    #[test]
    fn a_verdict_says_what_was_not_beaten() {
        let mut scores = Scores::default();
        for (model, errors) in
            [("network", [0.2, 0.2, 0.2]), ("HAR", [0.3, 0.3, 0.1]), ("clock", [0.9, 0.1, 0.1]), ("EWMA", [0.4; 3])]
        {
            scores.add_volatility(model, &errors.map(|mse| VolatilityLoss { mse, qlike: 0.0 }));
        }
        let verdict = scores.verdict_on_volatility("network");
        assert_eq!((verdict.beats, verdict.loses_to), (vec!["EWMA".into(), "HAR".into()], vec!["clock".into()]));
        assert_eq!(verdict.words, "`network` predicts the volatility better than EWMA, HAR, but no better than clock");
        assert!(scores.verdict_on_direction("network").words.contains("not measured"));
        let worst = scores.verdict_on_volatility("EWMA");
        assert_eq!(worst.words, "`EWMA` predicts the volatility no better than HAR, clock, network");
    }
}
