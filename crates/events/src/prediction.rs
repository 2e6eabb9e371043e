//! What a model says about the next bars of one symbol.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::{Error, Health, Interval, Millis, ModelName, ModelVersion, Symbol};

/// What one version of a model says, after one bar of a symbol, about the bars that follow it.
///
/// Model, version, symbol, interval, open time, horizon and split are its identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The model.
    pub model: ModelName,
    /// Its version.
    pub version: ModelVersion,
    /// Whose bars.
    pub symbol: Symbol,
    /// Their interval.
    pub interval: Interval,
    /// When the last bar that the model saw opened.
    pub open_time: Millis,
    /// How many bars after that one it is about.
    pub horizon: NonZeroU32,
    /// Realised volatility of those bars.
    ///
    /// # Units
    /// The root of the mean square of their log returns, per bar: neither its logarithm nor a figure per year.
    pub volatility: f64,
    /// How likely their log return ends in each class.
    pub probabilities: Probabilities,
    /// What it was made for.
    pub split: Split,
    /// How sound the bars are that it was made from; none if nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// How likely each direction is; together 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probabilities {
    /// The price falls out of its usual band.
    pub down: f64,
    /// The price stays in its usual band.
    pub sideways: f64,
    /// The price rises out of its usual band.
    pub up: f64,
}

/// What a prediction was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To judge the model, on bars that its training left out.
    Test,
    /// For use, with the published model.
    Live,
}

impl Split {
    /// The split as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

impl Prediction {
    /// Checks that the numbers are ones that a model can mean.
    ///
    /// # Errors
    /// [`Error::Prediction`] for a volatility that is no number from 0 up, and for probabilities that are none or do not
    /// add up to 1.
    pub fn check(&self) -> Result<(), Error> {
        let Self { symbol, open_time, volatility, probabilities, .. } = self;
        let fail = |reason: String| Error::Prediction { symbol: symbol.to_string(), open_time: *open_time, reason };
        let is_volatility = volatility.is_finite() && *volatility >= 0.0;
        if !is_volatility {
            return Err(fail(format!("its volatility {volatility} is no number from 0 up")));
        }
        probabilities.fault().map_or(Ok(()), |reason| Err(fail(reason)))
    }
}

impl Probabilities {
    /// They come from numbers of 32 bits, so that their sum is only nearly 1.
    const TOLERANCE: f64 = 1e-4;

    /// The classes in their order: down, sideways, up.
    #[must_use]
    pub fn array(self) -> [f64; 3] {
        [self.down, self.sideways, self.up]
    }

    fn fault(self) -> Option<String> {
        let bad = self.array().into_iter().find(|value| !(0.0..=1.0).contains(value));
        let sum: f64 = self.array().into_iter().sum();
        let is_whole = (sum - 1.0).abs() <= Self::TOLERANCE;
        bad.map(|value| format!("its probability {value} lies outside 0 to 1"))
            .or_else(|| (!is_whole).then(|| format!("its probabilities add up to {sum}")))
    }
}

/// In the order down, sideways, up.
impl From<[f64; 3]> for Probabilities {
    fn from([down, sideways, up]: [f64; 3]) -> Self {
        Self { down, sideways, up }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prediction(volatility: f64, probabilities: [f64; 3]) -> Prediction {
        Prediction {
            model: "gnn".parse().unwrap(),
            version: "1".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            interval: Interval::M15,
            open_time: 1_722_470_400_000,
            horizon: NonZeroU32::new(16).unwrap(),
            volatility,
            probabilities: probabilities.into(),
            split: Split::Live,
            health: None,
        }
    }

    #[test]
    fn numbers_that_no_model_means_are_refused() {
        for (volatility, probabilities) in [(0.002, [0.25, 0.5, 0.25]), (0.0, [0.333_33, 0.333_33, 0.333_33])] {
            prediction(volatility, probabilities).check().unwrap();
        }
        for (volatility, probabilities, words) in [
            (-6.2, [0.25, 0.5, 0.25], "volatility -6.2 "),
            (f64::NAN, [0.25, 0.5, 0.25], "volatility NaN"),
            (f64::INFINITY, [0.25, 0.5, 0.25], "volatility inf"),
            (0.002, [0.25, 0.5, 0.5], "add up to 1.25"),
            (0.002, [-0.5, 1.0, 0.5], "-0.5 lies outside"),
            (0.002, [0.5, f64::NAN, 0.5], "NaN lies outside"),
        ] {
            let error = prediction(volatility, probabilities).check().unwrap_err().to_string();
            assert!(error.contains("`BTCUSDT` at 1722470400000") && error.contains(words), "{error}");
        }
    }

    #[test]
    fn names_on_the_wire_are_the_types() {
        let wire = json!({"model": "gnn", "version": "1", "symbol": "BTCUSDT", "interval": "15m",
            "open_time": 1_722_470_400_000_i64, "horizon": 16, "volatility": 0.002,
            "probabilities": {"down": 0.25, "sideways": 0.5, "up": 0.25}, "split": "live"});
        let without = prediction(0.002, [0.25, 0.5, 0.25]);
        assert_eq!(serde_json::to_value(&without).unwrap(), wire);
        assert_eq!(serde_json::from_value::<Prediction>(wire).unwrap(), without);
        let with = Prediction { health: Some(Health::of(9, 8)), ..without };
        assert_eq!(serde_json::from_value::<Prediction>(serde_json::to_value(&with).unwrap()).unwrap(), with);
        assert_eq!(serde_json::to_value(Split::Test).unwrap(), Split::Test.as_str());
        assert_eq!(serde_json::to_value(Split::Live).unwrap(), Split::Live.as_str());
    }
}
