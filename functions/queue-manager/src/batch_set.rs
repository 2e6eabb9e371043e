//! A set of batch numbers that stays small in a document: one bit each, written as hexadecimal text.

use serde::{Deserialize, Serialize};

/// Largest batch number plus one; the busiest four hours of trades need a fraction of it.
const CAPACITY: u32 = 65_536;

/// Which batches of a task were stored or announced.
///
/// # Shape
/// In JSON the bytes of the bit set in hexadecimal, batch 0 is the lowest bit of the first byte: `{0, 1, 9}` is `"0302"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BatchSet(Vec<u8>);

impl BatchSet {
    /// Adds a batch; tells whether it is new. Numbers that no task can have are never added.
    pub fn insert(&mut self, batch: u32) -> bool {
        if batch >= CAPACITY {
            return false;
        }
        let (byte, bit) = place(batch);
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        let is_new = self.0[byte] & bit == 0;
        self.0[byte] |= bit;
        is_new
    }

    /// Whether the batch is in the set.
    #[must_use]
    pub fn contains(&self, batch: u32) -> bool {
        let (byte, bit) = place(batch);
        self.0.get(byte).is_some_and(|held| held & bit != 0)
    }

    /// Whether every batch of this set is in the other one.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().enumerate().all(|(index, held)| held & !other.0.get(index).copied().unwrap_or(0) == 0)
    }

    /// How many batches it holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The set of these batches; none if one of them is a number that no task can have.
    #[must_use]
    pub fn of(batches: &[u64]) -> Option<Self> {
        let mut set = Self::default();
        for &batch in batches {
            let batch = u32::try_from(batch).ok().filter(|&batch| batch < CAPACITY)?;
            set.insert(batch);
        }
        Some(set)
    }
}

impl From<BatchSet> for String {
    fn from(set: BatchSet) -> Self {
        streamforge_events::hex(&set.0)
    }
}

impl TryFrom<String> for BatchSet {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
        let digits = digits
            .filter(|digits| digits.len() % 2 == 0)
            .ok_or("a batch set is an even number of hexadecimal digits")?;
        Ok(Self(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
    }
}

fn place(batch: u32) -> (usize, u8) {
    (batch as usize / 8, 1 << (batch % 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_once() {
        let mut set = BatchSet::default();
        assert!(set.insert(0) && set.insert(1) && set.insert(9));
        assert!(!set.insert(9));
        assert_eq!(set.len(), 3);
        assert!(set.contains(9) && !set.contains(2) && !set.contains(4_000_000_000));
        assert!(!set.insert(CAPACITY));
    }

    #[test]
    fn json_is_compact_and_reads_back() {
        let set = BatchSet::of(&[0, 1, 9]).unwrap();
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, "\"0302\"");
        assert_eq!(serde_json::from_str::<BatchSet>(&json).unwrap(), set);
        for text in ["\"0\"", "\"zz\"", "\"0é\"", "1"] {
            assert!(serde_json::from_str::<BatchSet>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn subsets_do_not_depend_on_length() {
        let (few, many) = (BatchSet::of(&[1]).unwrap(), BatchSet::of(&[1, 200]).unwrap());
        assert!(few.is_subset(&many) && !many.is_subset(&few));
        assert!(BatchSet::default().is_subset(&BatchSet::default()));
        assert_eq!(BatchSet::of(&[70_000]), None);
    }
}
