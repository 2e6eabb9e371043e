//! Names of models and of their versions, safe as parts of a path.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

const LONGEST: usize = 100;

/// The name under which the versions of a model are kept, such as `gnn_model_btc_2024_06`.
///
/// # Units
/// 1 to 100 bytes of letters, digits, `-`, `_` and `.`, not beginning with a point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

/// One version of a model; by the same rule as its name, and not `latest`, which stands for the newest of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelVersion(String);

impl ModelName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ModelVersion {
    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if is_safe(text) { Ok(Self(text.to_owned())) } else { Err(Error::ModelName(shown(text))) }
    }
}

impl FromStr for ModelVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_sound = is_safe(text) && text != "latest";
        if is_sound { Ok(Self(text.to_owned())) } else { Err(Error::ModelVersion(shown(text))) }
    }
}

impl TryFrom<String> for ModelName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<String> for ModelVersion {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl From<ModelVersion> for String {
    fn from(version: ModelVersion) -> Self {
        version.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for ModelVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_safe(text: &str) -> bool {
    let is_sound = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    !text.is_empty() && text.len() <= LONGEST && !text.starts_with('.') && text.chars().all(is_sound)
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_taken_as_they_stand() {
        for text in ["gnn_model_btc_2024_06", "gnn-币安人生", "v1.2..3", "a", &"a".repeat(100)] {
            assert_eq!(text.parse::<ModelName>().unwrap().as_str(), text);
            assert_eq!(text.parse::<ModelVersion>().unwrap().to_string(), text);
        }
        assert!("latest".parse::<ModelName>().is_ok());
    }

    #[test]
    fn what_leads_out_of_the_registry_is_refused() {
        let long = "a".repeat(101);
        for text in ["", ".", "..", ".a", "../a", "a/b", "/a", "a\\b", "a b", "a\n", "a\0", "C:a", "é\u{301}", &long] {
            assert!(matches!(text.parse::<ModelName>(), Err(Error::ModelName(_))), "{text:?}");
            assert!(matches!(text.parse::<ModelVersion>(), Err(Error::ModelVersion(_))), "{text:?}");
        }
        assert!("latest".parse::<ModelVersion>().unwrap_err().to_string().contains("not `latest`"));
        assert!(serde_json::from_str::<ModelName>("\"../a\"").is_err());
    }
}
