//! Which ranges were loaded whole: merged, disjoint, ascending, and none lost.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    Backend,
    samples::{klines, range, trades},
};
use crate::Error;

/// Ranges that overlap or touch become one; others stay apart.
pub async fn ranges_are_merged(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    for (from, to, expected) in [
        (100, 200, vec![(100, 200)]),
        (300, 400, vec![(100, 200), (300, 400)]),
        (100, 200, vec![(100, 200), (300, 400)]),
        (120, 130, vec![(100, 200), (300, 400)]),
        (400, 500, vec![(100, 200), (300, 500)]),
        (90, 100, vec![(90, 200), (300, 500)]),
        (201, 202, vec![(90, 200), (201, 202), (300, 500)]),
        (150, 350, vec![(90, 500)]),
        (0, 1, vec![(0, 1), (90, 500)]),
        (0, 1000, vec![(0, 1000)]),
    ] {
        store.mark_loaded(&series, range(from, to)).await?;
        let expected: Vec<_> = expected.into_iter().map(|(from, to)| range(from, to)).collect();
        assert_eq!(store.loaded(&series).await?, expected, "after {from}:{to}");
    }
    assert!(store.loaded(&trades("BTCUSDT")).await?.is_empty());
    assert_eq!(store.series().await?, [series]);
    Ok(())
}

/// Marks of several processes at once are all kept.
pub async fn racing_marks_are_all_kept(backend: &impl Backend) -> Result<(), Error> {
    let series = klines("BTCUSDT", "1m");
    let mut marks = JoinSet::new();
    for process in 0..2 {
        let store = backend.open().await?;
        for slice in 0..40 {
            let (store, series) = (Arc::clone(&store), series.clone());
            // Even slices by one process, odd ones by the other, so that each mark touches one of the other's.
            let from = (2 * slice + process) * 10;
            marks.spawn(async move { store.mark_loaded(&series, range(from, from + 10)).await });
        }
    }
    for marked in marks.join_all().await {
        marked?;
    }
    assert_eq!(backend.open().await?.loaded(&series).await?, [range(0, 800)]);
    Ok(())
}
