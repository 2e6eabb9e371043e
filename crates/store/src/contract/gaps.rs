//! What was told of gaps: kept once, whatever comes again, and read in pages.

use streamforge_events::{FeedInterrupted, GapState, Millis};

use super::{
    Backend,
    samples::{START, symbol},
};
use crate::{Applied, Error, GapQuery, Reject, Store};

fn gap(name: &str, stream: &str, (from, to): (u64, u64), state: GapState) -> FeedInterrupted {
    let why = "the connection broke: \u{1f600} \"1006\"".to_owned();
    FeedInterrupted { symbol: symbol(name), stream: stream.to_owned(), from, to, state, why, since: START }
}

async fn all(store: &dyn Store) -> Result<Vec<FeedInterrupted>, Error> {
    store.read_gaps(&GapQuery::default(), None, usize::MAX).await
}

/// What tells two words on a gap apart keeps both; the same one again changes nothing, words of the reason included.
pub async fn what_was_told_is_kept_once(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let first = gap("BTCUSDT", "trades", (3, 5), GapState::Open);
    let apart = [
        first.clone(),
        FeedInterrupted { state: GapState::Filled, ..first.clone() },
        FeedInterrupted { state: GapState::Left, ..first.clone() },
        FeedInterrupted { since: START + 1, ..first.clone() },
        FeedInterrupted { to: 6, ..first.clone() },
        FeedInterrupted { from: 4, ..first.clone() },
        FeedInterrupted { stream: "klines_1m".to_owned(), ..first.clone() },
        FeedInterrupted { symbol: symbol("币安人生USDT"), ..first.clone() },
    ];
    assert_eq!(store.keep_gaps(&apart).await?.items, vec![Ok(Applied::Inserted); 8]);
    let read = all(&*backend.open().await?).await?;
    assert_eq!(read.len(), apart.len());
    assert!(apart.iter().all(|gap| read.contains(gap)), "{read:?}");
    let again = [FeedInterrupted { why: "in other words".to_owned(), ..first }, apart[1].clone()];
    assert_eq!(store.keep_gaps(&again).await?.items, vec![Ok(Applied::Unchanged); 2]);
    assert_eq!(all(&*store).await?, read);
    assert!(store.keep_gaps(&[]).await?.items.is_empty());
    Ok(())
}

/// Pages join without a hole or a repeat, in the order of symbol, stream, numbers, time and state.
pub async fn gap_pages_join(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let mut expected = Vec::new();
    for name in ["BTCUSDT", "BTCUSDTX", "btcusdt"] {
        for stream in ["klines_1m", "trades"] {
            for numbers in [(1, 2), (1, 300), (2, 2), (300, 400)] {
                for state in [GapState::Filled, GapState::Open] {
                    expected.push(gap(name, stream, numbers, state));
                }
            }
        }
    }
    let shuffled: Vec<_> = expected.iter().rev().cloned().collect();
    store.keep_gaps(&shuffled).await?;
    for max in [1, 7, 16, expected.len(), expected.len() + 1] {
        let mut found: Vec<FeedInterrupted> = Vec::new();
        loop {
            let page = store.read_gaps(&GapQuery::default(), found.last(), max).await?;
            assert!(page.len() <= max);
            let is_last = page.len() < max;
            found.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(found, expected, "pages of {max}");
    }
    Ok(())
}

/// Symbol, stream and numbers select, alone and together, and go on after a gap.
pub async fn query_selects_gaps(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let mut kept = Vec::new();
    for name in ["BTCUSDT", "BTCUSDTX", "ETHUSDT"] {
        for stream in ["klines_1m", "trades"] {
            kept.extend([(10, 20), (21, 21), (30, 40)].map(|numbers| gap(name, stream, numbers, GapState::Open)));
        }
    }
    store.keep_gaps(&kept).await?;
    let stream = || Some("trades".to_owned());
    for name in [None, Some(symbol("BTCUSDT")), Some(symbol("XRPUSDT"))] {
        for stream in [None, stream(), Some("depth".to_owned())] {
            for numbers in [None, Some((20, 21)), Some((41, 99)), Some((0, u64::MAX)), Some((21, 29))] {
                let query = GapQuery { symbol: name.clone(), stream: stream.clone(), numbers };
                let is_meant = |gap: &&FeedInterrupted| {
                    name.as_ref().is_none_or(|name| gap.symbol == *name)
                        && stream.as_ref().is_none_or(|stream| gap.stream == *stream)
                        && numbers.is_none_or(|(first, last)| gap.to >= first && gap.from <= last)
                };
                let meant: Vec<_> = kept.iter().filter(is_meant).cloned().collect();
                assert_eq!(store.read_gaps(&query, None, 99).await?, meant, "{query:?}");
                if let Some(first) = meant.first() {
                    assert_eq!(store.read_gaps(&query, Some(first), 99).await?, meant[1..], "{query:?}");
                }
            }
        }
    }
    Ok(())
}

/// What no gap can be is rejected in its place, the rest is kept.
pub async fn impossible_gap_is_rejected(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let sound = gap("BTCUSDT", "trades", (3, 3), GapState::Open);
    let largest = u64::try_from(i64::MAX).expect("a positive number");
    let told = [
        FeedInterrupted { from: 4, ..sound.clone() },
        sound.clone(),
        FeedInterrupted { to: u64::MAX, ..sound.clone() },
        FeedInterrupted { since: Millis::MIN, ..sound.clone() },
        FeedInterrupted { to: largest, ..sound.clone() },
    ];
    let items = store.keep_gaps(&told).await?.items;
    assert_eq!(items[0], Err(Reject::Range { field: "to", value: 3 }));
    assert_eq!(items[2], Err(Reject::TooLarge { field: "to", value: u64::MAX }));
    assert_eq!(items[3], Err(Reject::Range { field: "since", value: Millis::MIN }));
    assert_eq!((&items[1], &items[4]), (&Ok(Applied::Inserted), &Ok(Applied::Inserted)));
    assert_eq!(all(&*store).await?, [told[1].clone(), told[4].clone()]);
    Ok(())
}
