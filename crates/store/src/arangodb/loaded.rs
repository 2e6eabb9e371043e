//! Which ranges of a series were loaded whole: kept merged in the note of the series.

use streamforge_events::{Millis, SeriesId, TimeRange};

use super::{
    ArangoStore,
    cas::Decision,
    failure::Failure,
    names::{self, series_key},
    series::Note,
};

impl ArangoStore {
    pub(super) async fn mark(&self, series: &SeriesId, range: TimeRange) -> Result<(), Failure> {
        let _turn = self.marking.lock().await;
        let add = |found: Option<Note>| {
            let mut note = found.unwrap_or_else(|| Note::new(series));
            note.loaded = merged(&note.loaded, (range.from(), range.to()));
            Ok(Decision::Write(note, ()))
        };
        self.decide(names::SERIES, &series_key(series), add).await
    }

    pub(super) async fn loaded_ranges(&self, series: &SeriesId) -> Result<Vec<TimeRange>, Failure> {
        let note = self.find_marked::<Note>(names::SERIES, &series_key(series)).await?;
        let ranges = note.map(|note| note.loaded).unwrap_or_default().into_iter();
        let read = |(from, to)| {
            TimeRange::new(from, to).map_err(|_| Failure::Unfit(format!("stored range {from}:{to} is not valid")))
        };
        ranges.map(read).collect()
    }
}

/// Adds a range and merges it with all that it overlaps or touches.
fn merged(ranges: &[(Millis, Millis)], (mut from, mut to): (Millis, Millis)) -> Vec<(Millis, Millis)> {
    let (touching, mut apart): (Vec<_>, Vec<_>) =
        ranges.iter().partition(|(other_from, other_to)| *other_from <= to && from <= *other_to);
    for (other_from, other_to) in touching {
        (from, to) = (from.min(other_from), to.max(other_to));
    }
    apart.push((from, to));
    apart.sort_unstable();
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        assert_eq!(merged(&[(1, 2), (4, 5), (9, 10)], (2, 4)), [(1, 5), (9, 10)]);
        assert_eq!(merged(&[(4, 5)], (1, 3)), [(1, 3), (4, 5)]);
        assert_eq!(merged(&[(1, 9)], (2, 3)), [(1, 9)]);
    }
}
