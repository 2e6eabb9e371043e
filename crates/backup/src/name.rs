//! Names of backups, safe as parts of a key.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use streamforge_events::{Millis, rfc3339};

use crate::Error;

const LONGEST: usize = 100;

/// The name of a backup.
///
/// # Units
/// 1 to 100 letters, digits, `-`, `_` and `.`, not beginning with a point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupName(String);

impl BackupName {
    /// The name of a backup that was begun at this time and was given none.
    #[must_use]
    pub fn of_time(time: Millis) -> Self {
        Self(rfc3339(time).replace(':', "-"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackupName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_safe = (1..=LONGEST).contains(&text.len())
            && !text.starts_with('.')
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
        if is_safe { Ok(Self(text.to_owned())) } else { Err(Error::Name(text.chars().take(LONGEST).collect())) }
    }
}

impl TryFrom<String> for BackupName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<BackupName> for String {
    fn from(name: BackupName) -> Self {
        name.0
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_parts_of_a_key() {
        for time in [0, 1, 1_763_735_400_123] {
            let name = BackupName::of_time(time);
            assert_eq!(name.as_str().parse::<BackupName>().unwrap(), name);
        }
        let long = "a".repeat(LONGEST + 1);
        for text in ["", ".", "..", ".a", "a/b", "a b", "ü", "a\n", &long] {
            assert!(matches!(text.parse::<BackupName>(), Err(Error::Name(_))), "{text:?}");
        }
    }
}
