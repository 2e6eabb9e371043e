//! One feature by its stable name, such as `volatility_16`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use streamforge_events::Interval;

use super::family::{FAMILIES, Family};
use crate::Error;

/// Longer windows than this are mistakes in writing.
const LARGEST_PARAMETER: usize = 1_000_000;

/// A feature; its name is what a card keeps, and nothing but its formula decides what it means.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Feature {
    family: &'static Family,
    parameters: Vec<usize>,
}

impl Feature {
    /// Bars before the current one that a value reads.
    #[must_use]
    pub fn look_back(&self, interval: Interval) -> usize {
        (self.family.look_back)(interval, &self.parameters)
    }

    pub(crate) fn family(&self) -> &'static Family {
        self.family
    }

    pub(crate) fn parameters(&self) -> &[usize] {
        &self.parameters
    }
}

impl FromStr for Feature {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = FAMILIES.iter().find_map(|family| {
            let numbers = text.strip_prefix(family.name)?;
            let parameters: Vec<usize> = numbers.split('_').skip(1).map(str::parse).collect::<Result<_, _>>().ok()?;
            let feature = Self { family, parameters };
            let is_sound = feature.parameters.len() == family.parameters
                && feature.parameters.iter().all(|parameter| (1..=LARGEST_PARAMETER).contains(parameter))
                && feature.to_string() == text;
            is_sound.then_some(feature)
        });
        found.ok_or_else(|| Error::Feature(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.family.name)?;
        self.parameters.iter().try_for_each(|parameter| write!(formatter, "_{parameter}"))
    }
}

impl fmt::Debug for Feature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Feature({self})")
    }
}

impl PartialEq for Feature {
    fn eq(&self, other: &Self) -> bool {
        self.family.name == other.family.name && self.parameters == other.parameters
    }
}

impl Eq for Feature {}

impl TryFrom<String> for Feature {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Feature> for String {
    fn from(feature: Feature) -> Self {
        feature.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_names_that_parse_to_themselves() {
        for family in &FAMILIES {
            let numbers = ["", "_3", "_3_4"][family.parameters];
            let name = format!("{}{numbers}", family.name);
            assert_eq!(name.parse::<Feature>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        for text in ["", "return", "return_", "return_0", "return_01", "return_1_2", "return_+1", "weekend_1", "x_1"] {
            assert!(text.parse::<Feature>().is_err(), "{text}");
        }
        assert!("volatility_9999999".parse::<Feature>().is_err());
    }

    #[test]
    fn look_backs_are_those_of_the_formulas() {
        for (name, interval, look_back) in [
            ("turnover_16_672", Interval::M15, 672),
            ("seasonal_volatility_16", Interval::M15, 672),
            ("seasonal_volatility_97", Interval::M15, 768),
            ("rsi_14", Interval::M15, 168),
            ("weekend", Interval::M15, 0),
        ] {
            assert_eq!(name.parse::<Feature>().unwrap().look_back(interval), look_back, "{name}");
        }
    }
}
