//! What a group has missed, as a text that Kafka keeps beside the group's offset.

use std::{fmt, ops::Range};

/// The longest text that a broker takes.
///
/// # Source
/// The default of `offset.metadata.max.bytes`:
/// <https://kafka.apache.org/documentation/#brokerconfigs_offset.metadata.max.bytes>
const MAX_BYTES: usize = 4096;

/// Ranges of offsets, ascending and apart, and how many were in ranges that are no longer known one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    forgotten: u64,
    ranges: Vec<Range<u64>>,
}

impl Losses {
    /// Reads what was written beside an offset; foreign words say nothing about losses.
    pub(super) fn parse(text: &str) -> Self {
        Self::try_parse(text).unwrap_or_default()
    }

    fn try_parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("lost ")?.split(' ');
        let forgotten = parts.next()?.parse().ok()?;
        let range = |part: &str| {
            let (from, to) = part.split_once('-')?;
            Some(from.parse().ok()?..to.parse().ok()?)
        };
        Some(Self { forgotten, ranges: parts.map(range).collect::<Option<_>>()? })
    }

    /// Adds a range; what is known already counts once.
    pub(super) fn add(&mut self, lost: Range<u64>) {
        let touches = |range: &Range<u64>| range.start <= lost.end && range.end >= lost.start;
        let start =
            self.ranges.iter().filter(|range| touches(range)).map(|range| range.start).fold(lost.start, u64::min);
        let end = self.ranges.iter().filter(|range| touches(range)).map(|range| range.end).fold(lost.end, u64::max);
        self.ranges.retain(|range| !touches(range));
        self.ranges.push(start..end);
        self.ranges.sort_by_key(|range| range.start);
        while self.to_string().len() > MAX_BYTES {
            let oldest = self.ranges.remove(0);
            self.forgotten += oldest.end - oldest.start;
        }
    }

    /// How many records were missed.
    pub(super) fn count(&self) -> u64 {
        self.forgotten + self.ranges.iter().map(|range| range.end - range.start).sum::<u64>()
    }
}

/// Prints nothing where nothing was lost.
impl fmt::Display for Losses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count() == 0 {
            return Ok(());
        }
        write!(formatter, "lost {}", self.forgotten)?;
        self.ranges.iter().try_for_each(|range| write!(formatter, " {}-{}", range.start, range.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_losses_count_once_and_survive_as_text() {
        let mut losses = Losses::default();
        assert_eq!(losses.to_string(), "");
        for range in [10..20, 10..20, 40..50, 15..30, 50..51] {
            losses.add(range);
        }
        assert_eq!((losses.count(), losses.to_string().as_str()), (31, "lost 0 10-30 40-51"));
        assert_eq!(Losses::parse(&losses.to_string()), losses);
        for foreign in ["", "lost", "lost x", "lost 1 2", "something else"] {
            assert_eq!(Losses::parse(foreign), Losses::default(), "{foreign}");
        }
    }

    #[test]
    fn the_text_stays_short_enough_for_a_broker_and_the_count_right() {
        let mut losses = Losses::default();
        for number in 0..2000 {
            losses.add(number * 10..number * 10 + 3);
        }
        assert_eq!(losses.count(), 6000);
        assert!(losses.to_string().len() <= MAX_BYTES);
        assert_eq!(Losses::parse(&losses.to_string()).count(), 6000);
    }
}
