//! What is true of missing records by all that was told of them; pure.

use std::collections::BTreeMap;

use streamforge_events::{FeedInterrupted, Millis, SeriesId, SeriesKind, TimeRange};

use crate::{Error, GapQuery, Store};

/// Words on gaps that are read at once.
const PAGE: usize = 10_000;

/// Gaps of one series that do not overlap, ascending, by what was told of them in any order and however often.
///
/// Of two that speak of the same record the one that was found later is right, of two found at once the one that tells
/// its end. So a gap may be closed in parts, and one that nobody could close is closed by whoever asks for its records
/// again.
#[must_use]
pub fn declared(kind: SeriesKind, mut told: Vec<FeedInterrupted>) -> Vec<FeedInterrupted> {
    told.sort_by_key(|gap| (gap.since, gap.state));
    let mut gaps: BTreeMap<u64, FeedInterrupted> = BTreeMap::new();
    for gap in told {
        let under = gaps.range(..=gap.to).rev().take_while(|(_, other)| other.to >= gap.from);
        for first in under.map(|(first, _)| *first).collect::<Vec<_>>() {
            let Some(other) = gaps.remove(&first) else { continue };
            if other.from < gap.from {
                let before = FeedInterrupted { to: gap.from - 1, ..other.clone() };
                gaps.insert(before.from, before);
            }
            if other.to > gap.to {
                let after = FeedInterrupted { from: gap.to + 1, ..other };
                gaps.insert(after.from, after);
            }
        }
        gaps.insert(gap.from, gap);
    }
    gaps.into_values().filter_map(|gap| whole(kind, gap)).collect()
}

/// How many records a gap is about.
#[must_use]
pub fn records_of(kind: SeriesKind, gap: &FeedInterrupted) -> u64 {
    match kind {
        SeriesKind::Klines(interval) => {
            let range = TimeRange::new(millis(gap.from), millis(gap.to).saturating_add(1));
            range.map_or(0, |range| interval.opens_in(range))
        }
        SeriesKind::Trades => (gap.to - gap.from).saturating_add(1),
    }
}

/// Reads the gaps of a series that touch some numbers: ids of trades, or open times of bars.
///
/// # Errors
/// A failure of the store.
pub async fn read_declared(
    store: &dyn Store,
    series: &SeriesId,
    numbers: Option<(u64, u64)>,
) -> Result<Vec<FeedInterrupted>, Error> {
    let query = GapQuery { symbol: Some(series.symbol.clone()), stream: Some(series.kind.stream()), numbers };
    Ok(declared(series.kind, read_all(store, &query).await?))
}

/// Reads all that was told.
pub(crate) async fn read_all(store: &dyn Store, query: &GapQuery) -> Result<Vec<FeedInterrupted>, Error> {
    let mut told: Vec<FeedInterrupted> = Vec::new();
    loop {
        let page = store.read_gaps(query, told.last(), PAGE).await?;
        let is_last = page.len() < PAGE;
        told.extend(page);
        if is_last {
            return Ok(told);
        }
    }
}

/// A part of a gap between bars has none in it; other ends are those of bars.
fn whole(kind: SeriesKind, gap: FeedInterrupted) -> Option<FeedInterrupted> {
    let SeriesKind::Klines(interval) = kind else { return Some(gap) };
    let from = u64::try_from(interval.align_up(millis(gap.from))).ok()?;
    let to = u64::try_from(interval.align_down(millis(gap.to))).ok()?;
    (from <= to).then_some(FeedInterrupted { from, to, ..gap })
}

fn millis(number: u64) -> Millis {
    Millis::try_from(number).unwrap_or(TimeRange::WIDEST.to()).min(TimeRange::WIDEST.to())
}

#[cfg(test)]
mod tests {
    use streamforge_events::{GapState, Interval};

    use super::*;

    use GapState::{Filled, Left, Open};

    fn told(from: u64, to: u64, state: GapState, since: Millis) -> FeedInterrupted {
        let symbol = "BTCUSDT".parse().unwrap();
        FeedInterrupted { symbol, stream: "trades".to_owned(), from, to, state, why: "w".to_owned(), since }
    }

    /// What is declared, whatever the order in which it was told, and however often.
    fn found(kind: SeriesKind, told: &[FeedInterrupted]) -> Vec<(u64, u64, GapState)> {
        let short = |gaps: Vec<FeedInterrupted>| gaps.into_iter().map(|gap| (gap.from, gap.to, gap.state)).collect();
        let forward: Vec<_> = short(declared(kind, told.to_vec()));
        let twice = told.iter().rev().chain(told).cloned().collect();
        assert_eq!(short(declared(kind, twice)), forward);
        forward
    }

    #[test]
    fn what_was_told_later_is_true_in_whatever_order_it_came() {
        for (words, told, expected) in [
            ("an open gap", vec![told(11, 13, Open, 1)], vec![(11, 13, Open)]),
            ("its end", vec![told(11, 13, Open, 1), told(11, 13, Filled, 1)], vec![(11, 13, Filled)]),
            (
                "closed in parts",
                vec![told(11, 20, Open, 1), told(11, 14, Left, 1), told(15, 16, Filled, 1)],
                vec![(11, 14, Left), (15, 16, Filled), (17, 20, Open)],
            ),
            (
                "asked for again by who came after a process that died",
                vec![told(11, 13, Open, 1), told(11, 30, Open, 2), told(11, 30, Filled, 2)],
                vec![(11, 30, Filled)],
            ),
            (
                "not believed any more",
                vec![told(11, 13, Open, 1), told(11, 13, Filled, 1), told(12, 12, Open, 2)],
                vec![(11, 11, Filled), (12, 12, Open), (13, 13, Filled)],
            ),
            ("apart", vec![told(5, 5, Open, 3), told(7, 9, Left, 1)], vec![(5, 5, Open), (7, 9, Left)]),
            ("of no records", vec![], vec![]),
            ("as large as can be", vec![told(0, u64::MAX, Open, 1)], vec![(0, u64::MAX, Open)]),
        ] {
            assert_eq!(found(SeriesKind::Trades, &told), expected, "{words}");
        }
    }

    #[test]
    fn gaps_of_bars_begin_and_end_with_bars() {
        let (kind, minute) = (SeriesKind::Klines(Interval::M1), 60_000);
        let told = [told(minute, 4 * minute, Open, 1), told(minute, 2 * minute, Filled, 1)];
        assert_eq!(found(kind, &told), [(minute, 2 * minute, Filled), (3 * minute, 4 * minute, Open)]);
        let gaps = declared(kind, told.to_vec());
        assert_eq!(gaps.iter().map(|gap| records_of(kind, gap)).collect::<Vec<_>>(), [2, 2]);
        let closed = [told[0].clone(), super::tests::told(minute, 4 * minute, Left, 1)];
        assert_eq!(found(kind, &closed), [(minute, 4 * minute, Left)]);
        assert_eq!(records_of(SeriesKind::Trades, &told[0]), 180_001);
    }

    #[test]
    fn numbers_that_are_no_times_are_no_bars() {
        let kind = SeriesKind::Klines(Interval::M1);
        for (from, to) in [(0, u64::MAX), (u64::MAX, u64::MAX), (61_000, 62_000)] {
            let _ = declared(kind, vec![told(from, to, Open, 1)]).iter().map(|gap| records_of(kind, gap)).sum::<u64>();
        }
        assert_eq!(declared(kind, vec![told(61_000, 62_000, Open, 1)]), []);
    }
}
