//! Name of a workflow, such as `wf-btcusdt-api_candles_5m-20240801-a1b2c3`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// The name under which users know a workflow; letters and digits of any script, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueId(String);

impl QueueId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for QueueId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let sound = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
        if !text.is_empty() && text.len() <= 200 && text.chars().all(sound) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::QueueId(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for QueueId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<QueueId> for String {
    fn from(id: QueueId) -> Self {
        id.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_only_what_is_safe_in_a_path() {
        for text in ["wf-btcusdt-api_candles_5m-20240801-a1b2c3", "wf-币安人生usdt-api_trades-20240801-000000"] {
            assert_eq!(text.parse::<QueueId>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "a/b", "a\n", "a?b"] {
            assert!(text.parse::<QueueId>().is_err(), "{text:?}");
        }
    }
}
