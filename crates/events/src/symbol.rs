//! Name of a traded pair, such as `BTCUSDT` or `币安人生USDT`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// The exchange's name of a traded pair; any letters of Unicode, since such symbols are listed.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs> (symbols may be Unicode since 2025-12)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(String);

impl Symbol {
    /// The symbol as the exchange writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The symbol in lower case, as queue ids and old collection names spell it.
    #[must_use]
    pub fn to_lower(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Symbol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let sound = !text.is_empty() && text.len() <= 64 && text.chars().all(is_symbol_character);
        if sound { Ok(Self(text.to_owned())) } else { Err(Error::Symbol(text.chars().take(64).collect())) }
    }
}

impl TryFrom<String> for Symbol {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Letters and digits of any script, and the three signs that the exchange's own pattern names.
/// Combining marks are refused: they would give one look to two names.
fn is_symbol_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_all_scripts_are_accepted() {
        for text in ["BTCUSDT", "1000SATSUSDT", "币安人生USDT", "这是测试币456", "A.B-C_D"] {
            assert_eq!(text.parse::<Symbol>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_cannot_be_a_symbol_is_refused() {
        let long = "A".repeat(65);
        for text in
            ["", " ", "BTC USDT", "BTC/USDT", "BTC\u{200b}", "BTC\u{202e}", "A\n", "e\u{301}", "../x", long.as_str()]
        {
            assert!(text.parse::<Symbol>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn json_with_a_bad_symbol_does_not_parse() {
        assert!(serde_json::from_str::<Symbol>("\"BTC USDT\"").is_err());
    }
}
