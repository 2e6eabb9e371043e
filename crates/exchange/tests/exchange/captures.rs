//! Books made of recorded frames, against the best bid and ask that the exchange itself sent; and trades in their turn.

use std::{collections::BTreeMap, path::Path};

use streamforge_exchange::{
    book::{Broken, Follower, Progress, Side, Top},
    capture::Capture,
    continuity::{Arrival, Continuity},
    frame::{Frame, frame},
};

/// What the books of a recording came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    updates: usize,
    /// Books given up after they had been complete once.
    resets: usize,
    /// Updates after which the best levels are known from the exchange.
    compared: usize,
    /// Of those, where the best levels are others and the book does not say that it may be so.
    wrong: usize,
    /// The same where it says so.
    beyond_edge: usize,
    crossed: usize,
    trades: usize,
    /// Trades that did not come in their turn.
    breaks: usize,
}

/// A symbol's book, and what waits for the exchange's next word on its best levels.
#[derive(Default)]
struct Watched {
    follower: Follower,
    /// Best levels by update, as the exchange sent them.
    tops: BTreeMap<u64, Top>,
    /// Update, best levels and trust, as the book had them.
    waiting: Vec<(u64, Option<Top>, Option<Broken>)>,
}

fn replay(folder: &str) -> Option<Seen> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/ws_captures")).join(folder);
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    let mut seen = Seen::default();
    let mut books: BTreeMap<String, Watched> = BTreeMap::new();
    let (mut trades, mut rows) = (BTreeMap::new(), BTreeMap::new());
    let mut only = String::new();
    for recorded in Capture::open(&folder).unwrap() {
        let recorded = recorded.unwrap();
        let limit = recorded.parameter("limit").and_then(|limit| limit.parse().ok());
        match frame(&recorded.json, limit).unwrap() {
            Frame::Depth { symbol, difference, .. } => {
                symbol.as_ref().clone_into(&mut only);
                let watched = books.entry(symbol.into_owned()).or_default();
                let progress = watched.follower.difference(&difference);
                seen.updates += usize::from(progress == Progress::Applied);
                seen.resets += usize::from(matches!(progress, Progress::Reset(_)));
                watched.note(&mut seen);
            }
            Frame::Snapshot(snapshot) => {
                let symbol = recorded.symbol().unwrap_or(&only).to_owned();
                let watched = books.entry(symbol).or_default();
                assert_eq!(watched.follower.snapshot(&snapshot), Progress::Applied);
                watched.note(&mut seen);
            }
            Frame::BookTicker { symbol, update_id, top } => {
                let watched = books.entry(symbol.into_owned()).or_default();
                watched.tops.insert(update_id, top);
                watched.compare(&mut seen);
            }
            Frame::Trade { symbol, trade } => seen.hear(&mut trades, &symbol, trade.id),
            Frame::AggTrade { symbol, trade } => seen.hear(&mut rows, &symbol, trade.id),
            Frame::Kline { .. } | Frame::SnapshotOf { .. } | Frame::Other => {}
        }
    }
    assert!(books.values().all(|watched| watched.follower.book().is_some()));
    Some(seen)
}

impl Seen {
    fn hear(&mut self, streams: &mut BTreeMap<String, Continuity>, symbol: &str, id: u64) {
        self.trades += 1;
        self.breaks += usize::from(streams.entry(symbol.to_owned()).or_default().arrive(id) != Arrival::Next);
    }
}

impl Watched {
    fn note(&mut self, seen: &mut Seen) {
        let Some(book) = self.follower.book() else { return };
        seen.crossed += usize::from(book.broken() == Some(Broken::Crossed));
        self.waiting.push((book.last_update_id(), book.top(), book.broken()));
        self.compare(seen);
    }

    /// Compares what the exchange has spoken of: it sends the best levels whenever they change, so that those of an
    /// update are known once a later one was told.
    fn compare(&mut self, seen: &mut Seen) {
        let Some(told) = self.tops.keys().next_back().copied() else { return };
        for (update, top, broken) in self.waiting.extract_if(.., |(update, _, _)| *update < told) {
            let Some((_, expected)) = self.tops.range(..=update).next_back() else { continue };
            seen.compared += 1;
            if top != Some(*expected) {
                let is_told = matches!(broken, Some(Broken::BeyondEdge(Side::Bid | Side::Ask)));
                *(if is_told { &mut seen.beyond_edge } else { &mut seen.wrong }) += 1;
            }
        }
    }
}

#[test]
fn recorded_books_have_the_best_levels_of_the_exchange_and_no_trade_is_missing() {
    // The snapshot held 1,000 levels a side; when the price left them, two levels were missing.
    if let Some(seen) = replay("hftbacktest_spot") {
        let expected = Seen { updates: 6_492, compared: 6_492, beyond_edge: 2, trades: 19_904, ..Seen::default() };
        assert_eq!(seen, expected);
    }
    if let Some(seen) = replay("cryptofeed") {
        assert_eq!((seen.wrong, seen.resets, seen.crossed, seen.beyond_edge, seen.breaks), (0, 0, 0, 0, 0), "{seen:?}");
        assert!(seen.compared > 100 && seen.trades > 10, "{seen:?}");
    }
}
