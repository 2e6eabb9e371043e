//! What a dataset is made of: features, windows, horizon and band, as a model's card keeps them.

use serde::{Deserialize, Serialize};
use streamforge_events::Interval;

use crate::{Error, Feature, window::count};

const HOUR: i64 = 3_600_000;

/// Four lengths of windows: an hour, four hours, a day and a week, but at least 4, 16, 24 and 168 bars.
///
/// Bars of fifteen minutes have 4, 16, 96 and 672, bars of an hour 4, 16, 24 and 168, and so have all longer ones.
///
/// # Units
/// Bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Windows {
    pub short: usize,
    pub middle: usize,
    pub long: usize,
    pub longest: usize,
}

impl Windows {
    /// The windows of an interval.
    #[must_use]
    pub fn of(interval: Interval) -> Self {
        let bars = |hours: i64, least: usize| {
            let bars = interval.millis().map_or(0, |length| hours * HOUR / length);
            usize::try_from(bars).unwrap_or(0).max(least)
        };
        Self { short: bars(1, 4), middle: bars(4, 16), long: bars(24, 24), longest: bars(168, 168) }
    }
}

/// What a dataset is made of.
///
/// # Units
/// `horizon` in bars, `band` in standard deviations of the return over the horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Length of a bar.
    pub interval: Interval,
    /// Windows that targets and baselines take their lengths from.
    pub windows: Windows,
    /// Bars ahead that are predicted.
    pub horizon: usize,
    /// Half the width of what counts as sideways.
    pub band: f64,
    /// The columns, in their order.
    pub features: Vec<Feature>,
}

impl Definition {
    /// Half the width of what counts as sideways where nothing else is asked for.
    pub const BAND: f64 = 0.5;

    /// All features of the standard list for bars of this length.
    ///
    /// # Errors
    /// [`Error::Definition`] if the horizon is nought.
    pub fn standard(interval: Interval, horizon: usize) -> Result<Self, Error> {
        let windows = Windows::of(interval);
        let Windows { short, middle, long, longest } = windows;
        let mut names: Vec<String> = [1, 4, 12, 24].iter().map(|bars| format!("return_{bars}")).collect();
        names.push("absolute_return".to_owned());
        names.extend([short, middle, long, longest].iter().map(|bars| format!("volatility_{bars}")));
        names.extend(["ewma_volatility".to_owned(), format!("seasonal_volatility_{horizon}"), "rsi_14".to_owned()]);
        names.extend([format!("turnover_{middle}_{longest}"), format!("turnover_1_{long}")]);
        names.extend([format!("turnover_{short}_{longest}"), format!("taker_share_{middle}")]);
        names.extend([short, middle, long, longest].iter().map(|bars| format!("parkinson_{bars}")));
        names.extend(["ewma_range_6", "ewma_range_2"].map(str::to_owned));
        names.extend([format!("seasonal_range_{horizon}"), format!("past_range_{horizon}_1")]);
        names.push(format!("past_range_{horizon}_7"));
        names.extend([short, middle, long].iter().map(|bars| format!("market_volatility_{bars}")));
        names.push(format!("volatility_mean_{middle}"));
        names.extend([short, middle, long].iter().map(|bars| format!("parkinson_mean_{bars}")));
        names.extend([format!("seasonal_range_mean_{horizon}"), format!("turnover_mean_{middle}_{longest}")]);
        for turns in 1..=3 {
            let hands = ["day_sin", "day_cos", "week_sin", "week_cos"];
            names.extend(hands.iter().map(|hand| format!("{hand}_{turns}")));
        }
        names.push("weekend".to_owned());
        Self { interval, windows, horizon, band: Self::BAND, features: Vec::new() }.with(&names)
    }

    /// The same with further features, each once.
    ///
    /// # Errors
    /// [`Error::Feature`] for a name that is not known, [`Error::Definition`] for what contradicts itself.
    pub fn with(mut self, names: &[String]) -> Result<Self, Error> {
        for name in names {
            let feature: Feature = name.parse()?;
            if !self.features.contains(&feature) {
                self.features.push(feature);
            }
        }
        self.check()?;
        Ok(self)
    }

    /// Refuses what contradicts itself; a definition that was read has to be checked once.
    ///
    /// # Errors
    /// [`Error::Definition`] if the horizon is nought or the band is not a number from 0 up.
    pub fn check(&self) -> Result<(), Error> {
        if self.horizon == 0 {
            return Err(Error::Definition("the horizon must be at least one bar".to_owned()));
        }
        if !(self.band.is_finite() && self.band >= 0.0) {
            return Err(Error::Definition("the band must be a number from 0 up".to_owned()));
        }
        Ok(())
    }

    /// Bars before the current one that a row of features reads at most.
    #[must_use]
    pub fn look_back(&self) -> usize {
        self.features.iter().map(|feature| feature.look_back(self.interval)).max().unwrap_or(0)
    }

    /// Least number of bars between training and test: what a target sees ahead and features see back.
    #[must_use]
    pub fn embargo(&self) -> usize {
        self.horizon + self.look_back()
    }

    /// Volatility of a bar that makes a move of this size over the horizon leave the band.
    pub(crate) fn band_of(&self, volatility: f64) -> f64 {
        self.band * volatility * count(self.horizon).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_spans_of_time_down_to_a_number_of_bars() {
        let windows = |interval| {
            let Windows { short, middle, long, longest } = Windows::of(interval);
            [short, middle, long, longest]
        };
        assert_eq!(windows(Interval::M15), [4, 16, 96, 672]);
        assert_eq!(windows(Interval::M5), [12, 48, 288, 2016]);
        for interval in [Interval::H1, Interval::H4, Interval::D1, Interval::Mo1] {
            assert_eq!(windows(interval), [4, 16, 24, 168], "{interval}");
        }
    }

    #[test]
    fn the_longest_feature_is_the_look_back() {
        for (interval, look_back) in [(Interval::M15, 672), (Interval::H1, 168), (Interval::D1, 168)] {
            let definition = Definition::standard(interval, 16).unwrap();
            assert_eq!((definition.look_back(), definition.embargo()), (look_back, look_back + 16), "{interval}");
        }
    }

    #[test]
    fn a_definition_comes_back_from_json_and_bad_ones_are_refused() {
        let definition = Definition::standard(Interval::M15, 16).unwrap();
        let text = serde_json::to_string(&definition).unwrap();
        assert!(text.contains(r#""turnover_16_672""#), "{text}");
        assert_eq!(serde_json::from_str::<Definition>(&text).unwrap(), definition);
        assert!(serde_json::from_str::<Definition>(&text.replace("rsi_14", "rsi_x")).is_err());
        assert!(Definition::standard(Interval::M15, 0).is_err());
        assert!(Definition { band: f64::NAN, ..definition.clone() }.check().is_err());
        let features = definition.features.len();
        assert_eq!(definition.with(&["rsi_14".to_owned()]).unwrap().features.len(), features);
    }
}
