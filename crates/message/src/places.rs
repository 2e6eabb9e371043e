//! A place in each partition of a topic, written `3.17.0`: what a reader remembers, and may be handed from outside.

use std::{fmt, str::FromStr};

/// More than any topic has.
const MOST: usize = 10_000;

/// An offset for each partition, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places(pub Vec<u64>);

/// A text that names no places.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("places are offsets joined by points, one for each partition, such as `3.17.0`")]
pub struct NoPlaces;

impl fmt::Display for Places {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, offset) in self.0.iter().enumerate() {
            let point = if index == 0 { "" } else { "." };
            write!(formatter, "{point}{offset}")?;
        }
        Ok(())
    }
}

impl FromStr for Places {
    type Err = NoPlaces;

    fn from_str(text: &str) -> Result<Self, NoPlaces> {
        // An offset is a signed number in every log.
        let offset = |part: &str| part.parse::<i64>().ok().and_then(|offset| u64::try_from(offset).ok());
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let offsets: Option<Vec<u64>> = text.split('.').take(MOST + 1).map(offset).collect();
        offsets.filter(|offsets| is_plain && offsets.len() <= MOST).map(Self).ok_or(NoPlaces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for text in ["0", "3.17.0", "9223372036854775807.1"] {
            assert_eq!(text.parse::<Places>().unwrap().to_string(), text);
        }
        let many = vec!["0"; MOST + 1].join(".");
        for text in ["", ".", "1.", "-1", "+1", "1,2", "x", "9223372036854775808", "1..2", &many] {
            assert_eq!(text.parse::<Places>(), Err(NoPlaces), "{text}");
        }
    }
}
