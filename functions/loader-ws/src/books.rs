//! The order book of one symbol: followed, published, and compared with the exchange's own now and then; pure.

use std::{collections::VecDeque, fmt::Write as _};

use streamforge_events::{
    Clocks, Decimal, DepthBatch, DepthSnapshot, DepthUpdate, FeedInterrupted, GapState, Millis, Symbol,
};
use streamforge_exchange::book::{Book, Broken, Difference, Follower, Level, Progress, Reset, Side, Snapshot};

use crate::output::{Output, Question};

/// Differences that are remembered, ten seconds of them: a snapshot may be older than the book by so many when it is
/// asked for, and can be compared.
const REMEMBERED: usize = 100;
/// The same while a snapshot is on its way, three minutes.
const MOST_REMEMBERED: usize = 1_800;
/// Levels of each side that are compared.
const COMPARED: usize = 20;
/// Levels that go into one batch: some 300 kB on the wire.
const MOST_LEVELS: usize = 6_000;
/// Levels of each side of a whole book, as many as the exchange's own snapshots have.
const MOST_WHOLE: usize = 5_000;
/// Levels of each side in a checksum.
const CHECKED: usize = 10;

/// What is known of a symbol's book.
#[derive(Debug)]
pub(crate) struct BookDesk {
    symbol: Symbol,
    follower: Follower,
    recent: VecDeque<Difference>,
    /// Differences that are not published yet.
    updates: Vec<DepthUpdate>,
    /// Levels in them and in the snapshot that goes with them.
    levels: usize,
    /// The gap that is open: its first update, why, and when it was found.
    open: Option<(u64, String, Millis)>,
    /// Whether a snapshot has been asked for.
    is_asked: bool,
    /// Goes with the next batch.
    snapshot: Option<DepthSnapshot>,
    /// Whether a snapshot to compare with was asked for.
    is_audited: bool,
    /// Waits until the book has come as far, to be compared with it.
    audit: Option<Snapshot>,
    /// The last update that was published.
    published: Option<u64>,
}

impl BookDesk {
    /// Goes on after the last update that was published, if there is one: what came since then is missing.
    pub(crate) fn new(symbol: Symbol, published: Option<u64>) -> Self {
        Self {
            symbol,
            follower: Follower::default(),
            recent: VecDeque::new(),
            updates: Vec::new(),
            levels: 0,
            open: None,
            is_asked: false,
            snapshot: None,
            is_audited: false,
            audit: None,
            published,
        }
    }

    /// The book; none while there is none that is up to date.
    pub(crate) fn book(&self) -> Option<&Book> {
        self.follower.book()
    }

    /// The update up to which all are published: before the gap that is open.
    pub(crate) fn complete(&self) -> Option<u64> {
        self.open.as_ref().map(|(from, ..)| from.saturating_sub(1)).or(self.published)
    }

    /// Takes a difference.
    pub(crate) fn take(
        &mut self,
        difference: &Difference,
        clocks: Clocks,
        why: &str,
        outputs: &mut Vec<Output>,
        questions: &mut Vec<Question>,
    ) {
        let before = self.follower.book().map(Book::last_update_id);
        if let (None, Some(published)) = (before, self.published)
            && self.open.is_none()
        {
            self.lose(published + 1, why, clocks.event_time, outputs);
        }
        self.recent.push_back(difference.clone());
        let most = if self.is_audited { MOST_REMEMBERED } else { REMEMBERED };
        while self.recent.len() > most {
            self.recent.pop_front();
        }
        match self.follower.difference(difference) {
            Progress::Applied if self.follower.book().and_then(Book::broken) == Some(Broken::Crossed) => {
                let from = before.map_or(difference.first, |last| last + 1);
                self.restart();
                self.lose(from, "the best bid is not below the best ask", clocks.event_time, outputs);
            }
            Progress::Applied => {
                self.updates.push(update(difference, clocks));
                self.levels += difference.bids.len() + difference.asks.len();
                if self.levels >= MOST_LEVELS {
                    self.flush(outputs);
                }
                if self.audit.as_ref().is_some_and(|audit| audit.last_update_id <= difference.last)
                    && let Some(audit) = self.audit.take()
                {
                    self.compare(&audit, clocks.event_time, outputs);
                }
            }
            Progress::Known => drop(self.recent.pop_back()),
            Progress::Waiting => {}
            Progress::Reset(reset) => {
                let from = before.map_or(difference.first, |last| last + 1);
                let words = match reset {
                    Reset::Gap { .. } => why,
                    Reset::Disordered { .. } => "a difference ends before it begins",
                    Reset::StaleSnapshot { .. } => "no snapshot came in time",
                };
                self.lose(from, words, clocks.event_time, outputs);
                self.recent.retain(|recent| recent.first > from);
                self.is_asked = false;
            }
        }
        if self.follower.book().is_none() && !self.is_asked {
            self.is_asked = true;
            questions.push(Question::Snapshot { symbol: self.symbol.clone() });
        }
    }

    /// Takes a snapshot; one for a book that is up to date is compared with it.
    pub(crate) fn snapshot(
        &mut self,
        snapshot: &Snapshot,
        now: Millis,
        outputs: &mut Vec<Output>,
        questions: &mut Vec<Question>,
    ) {
        self.is_asked = false;
        self.is_audited = false;
        if let Some(book) = self.follower.book() {
            if book.last_update_id() < snapshot.last_update_id {
                self.audit = Some(snapshot.clone());
            } else {
                self.compare(snapshot, now, outputs);
            }
            return;
        }
        let progress = self.follower.snapshot(snapshot);
        if let Progress::Reset(_) = progress {
            self.is_asked = true;
            questions.push(Question::Snapshot { symbol: self.symbol.clone() });
            return;
        }
        self.resume(outputs);
    }

    /// A snapshot that was asked for cannot be had now.
    pub(crate) fn no_snapshot(&mut self) {
        self.is_asked = false;
        self.is_audited = false;
    }

    /// What has to be asked so that the book can be compared with the exchange's.
    pub(crate) fn unproven(&mut self) -> Option<Question> {
        self.follower.book()?;
        self.is_audited = true;
        Some(Question::Snapshot { symbol: self.symbol.clone() })
    }

    /// The differences since the last batch.
    pub(crate) fn flush(&mut self, outputs: &mut Vec<Output>) {
        if self.updates.is_empty() && self.snapshot.is_none() {
            return;
        }
        self.levels = 0;
        let Some(book) = self.follower.book() else {
            // What was not published when the book was lost is of no use to anybody.
            self.updates.clear();
            self.snapshot = None;
            return;
        };
        self.published = Some(book.last_update_id());
        let best = book.top().map(|top| [pair(&top.bid), pair(&top.ask)]);
        let checksum = checksum(book);
        let (symbol, snapshot) = (self.symbol.clone(), self.snapshot.take());
        let updates = std::mem::take(&mut self.updates);
        outputs.push(Output::Depth(DepthBatch { symbol, snapshot, updates, best, checksum }));
    }

    /// Makes a second book of the snapshot and what came since, takes it where the two differ, and publishes the whole.
    fn compare(&mut self, snapshot: &Snapshot, now: Millis, outputs: &mut Vec<Output>) {
        let Some(ours) = self.follower.book() else { return };
        let mut other = Follower::default();
        for difference in &self.recent {
            if difference.last > snapshot.last_update_id {
                other.difference(difference);
            }
        }
        if other.snapshot(snapshot) != Progress::Applied {
            return;
        }
        let Some(theirs) = other.book() else { return };
        if theirs.last_update_id() != ours.last_update_id() {
            return;
        }
        let is_same = [(Side::Bid, snapshot.bids.len()), (Side::Ask, snapshot.asks.len())].into_iter().all(|side| {
            let (side, levels) = (side.0, side.1.min(COMPARED));
            ours.depth(side).take(levels).eq(theirs.depth(side).take(levels))
        });
        let is_beyond = matches!(ours.broken(), Some(Broken::BeyondEdge(_)));
        if !is_same {
            let from = snapshot.last_update_id;
            self.lose(from, "the book is not the exchange's: a change was swallowed", now, outputs);
        }
        if !is_same || is_beyond {
            self.follower = other;
        } else {
            // What came before the whole book is published before it.
            self.flush(outputs);
        }
        self.resume(outputs);
    }

    /// Publishes the whole book as it is now, from which whoever comes later can go on too, and closes the gap.
    fn resume(&mut self, outputs: &mut Vec<Output>) {
        let Some(book) = self.follower.book() else { return };
        let levels = |side: Side| book.depth(side).take(MOST_WHOLE).map(|level| pair(&level)).collect();
        let last_update_id = book.last_update_id();
        let snapshot = DepthSnapshot { last_update_id, bids: levels(Side::Bid), asks: levels(Side::Ask) };
        self.levels = snapshot.bids.len() + snapshot.asks.len();
        self.updates.clear();
        self.snapshot = Some(snapshot);
        if let Some((from, _, since)) = self.open.take() {
            let why = "the changes in between are unknown; the book goes on from a snapshot";
            outputs.push(self.told(from, last_update_id, GapState::Left, why, since));
        }
        if self.levels >= MOST_LEVELS {
            self.flush(outputs);
        }
    }

    fn lose(&mut self, from: u64, why: &str, now: Millis, outputs: &mut Vec<Output>) {
        self.flush(outputs);
        let from = self.published.map_or(from, |published| from.min(published + 1));
        if self.open.is_none() {
            outputs.push(self.told(from, from, GapState::Open, why, now));
            self.open = Some((from, why.to_owned(), now));
        }
    }

    fn restart(&mut self) {
        self.follower = Follower::default();
        self.audit = None;
        self.recent.clear();
        self.is_asked = false;
    }

    fn told(&self, from: u64, to: u64, state: GapState, why: &str, since: Millis) -> Output {
        let (symbol, stream) = (self.symbol.clone(), "depth".to_owned());
        Output::Gap(FeedInterrupted { symbol, stream, from, to, state, why: why.to_owned(), since })
    }
}

/// Checksum of the best levels: CRC-32 of `price:quantity` of bid and ask in turns, digits as the exchange writes them.
#[must_use]
pub fn checksum(book: &Book) -> u32 {
    let mut text = String::new();
    let (mut bids, mut asks) = (book.depth(Side::Bid), book.depth(Side::Ask));
    for _ in 0..CHECKED {
        for level in [bids.next(), asks.next()].into_iter().flatten() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}:{};", level.price.decimal(), level.quantity);
        }
    }
    crc32fast::hash(text.as_bytes())
}

fn update(difference: &Difference, clocks: Clocks) -> DepthUpdate {
    let levels = |levels: &[Level]| levels.iter().map(pair).collect();
    DepthUpdate {
        first: difference.first,
        last: difference.last,
        bids: levels(&difference.bids),
        asks: levels(&difference.asks),
        clocks,
    }
}

fn pair(level: &Level) -> (Decimal, Decimal) {
    (level.price.decimal(), level.quantity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS: Clocks = Clocks { event_time: 1, received: 2, received_steady: 3 };

    fn level(price: u64, quantity: u64) -> Level {
        Level { price: price.to_string().parse().unwrap(), quantity: quantity.to_string().parse().unwrap() }
    }

    fn difference(first: u64, last: u64, bid: u64) -> Difference {
        Difference { first, last, bids: vec![level(bid, last)], asks: Vec::new() }
    }

    fn snapshot(last_update_id: u64, bids: &[(u64, u64)]) -> Snapshot {
        let bids = bids.iter().map(|(price, quantity)| level(*price, *quantity)).collect();
        Snapshot { last_update_id, bids, asks: vec![level(200, 1)], limit: 5_000 }
    }

    struct Try {
        desk: BookDesk,
        outputs: Vec<Output>,
        questions: Vec<Question>,
    }

    impl Try {
        fn new() -> Self {
            let desk = BookDesk::new("BTCUSDT".parse().unwrap(), None);
            Self { desk, outputs: Vec::new(), questions: Vec::new() }
        }

        fn take(&mut self, difference: &Difference) {
            self.desk.take(difference, CLOCKS, "broken", &mut self.outputs, &mut self.questions);
        }

        fn snapshot(&mut self, snapshot: &Snapshot) {
            self.desk.snapshot(snapshot, 1, &mut self.outputs, &mut self.questions);
        }

        fn states(&self) -> Vec<GapState> {
            let state = |output: &Output| if let Output::Gap(gap) = output { Some(gap.state) } else { None };
            self.outputs.iter().filter_map(state).collect()
        }
    }

    #[test]
    fn a_book_begins_with_a_snapshot_and_a_gap_begins_it_anew() {
        let mut one = Try::new();
        one.take(&difference(11, 12, 100));
        assert_eq!(one.questions.len(), 1);
        one.snapshot(&snapshot(10, &[(99, 1)]));
        one.take(&difference(13, 14, 101));
        one.desk.flush(&mut one.outputs);
        let Some(Output::Depth(batch)) = one.outputs.pop() else { panic!("{:?}", one.outputs) };
        assert_eq!((batch.snapshot.unwrap().last_update_id, batch.updates.len()), (12, 1));
        assert_eq!(batch.best.unwrap()[0].0.to_string(), "101.00000000");
        one.take(&difference(17, 18, 102));
        assert!(one.desk.book().is_none());
        assert_eq!((one.states(), one.questions.len()), (vec![GapState::Open], 2));
        one.snapshot(&snapshot(17, &[(99, 1)]));
        assert_eq!(one.states(), [GapState::Open, GapState::Left]);
        assert_eq!(one.desk.book().unwrap().last_update_id(), 18);
    }

    #[test]
    fn a_crossed_book_is_given_up_and_not_published() {
        let mut one = Try::new();
        one.take(&difference(11, 12, 100));
        one.snapshot(&snapshot(10, &[(99, 1)]));
        one.desk.flush(&mut one.outputs);
        one.outputs.clear();
        one.take(&difference(13, 14, 101));
        one.take(&difference(15, 16, 300));
        assert!(one.desk.book().is_none());
        one.desk.flush(&mut one.outputs);
        let [Output::Gap(gap)] = &one.outputs[..] else { panic!("{:?}", one.outputs) };
        assert_eq!((gap.state, gap.from, one.questions.len()), (GapState::Open, 13, 2));
    }

    #[test]
    fn what_was_not_published_when_the_book_was_lost_is_missing() {
        let mut one = Try::new();
        one.take(&difference(11, 12, 100));
        one.snapshot(&snapshot(10, &[(99, 1)]));
        one.desk.flush(&mut one.outputs);
        one.outputs.clear();
        one.take(&difference(13, 14, 101));
        one.take(&difference(17, 18, 102));
        let [Output::Gap(gap)] = &one.outputs[..] else { panic!("{:?}", one.outputs) };
        assert_eq!((gap.from, one.desk.complete()), (13, Some(12)));
    }

    #[test]
    fn a_batch_has_no_more_levels_than_the_log_takes() {
        let mut one = Try::new();
        one.take(&difference(11, 12, 100));
        one.snapshot(&snapshot(10, &[(99, 1)]));
        for last in (0..2 * MOST_LEVELS as u64).map(|number| number + 13) {
            one.take(&difference(last, last, 100));
        }
        one.desk.flush(&mut one.outputs);
        let batches = one.outputs.iter().map(|output| match output {
            Output::Depth(batch) => batch.updates.len(),
            _ => panic!("{output:?}"),
        });
        assert_eq!(batches.collect::<Vec<_>>(), [MOST_LEVELS - 3, MOST_LEVELS, 3]);
    }

    #[test]
    fn a_change_that_was_swallowed_is_found_by_a_snapshot() {
        let mut one = Try::new();
        one.take(&difference(11, 12, 100));
        one.snapshot(&snapshot(10, &[(99, 1)]));
        one.take(&difference(13, 14, 101));
        one.snapshot(&snapshot(13, &[(99, 1), (100, 12)]));
        assert_eq!(one.states(), [], "the same after what came since");
        one.desk.flush(&mut one.outputs);
        let wholes = one.outputs.iter().map(|output| match output {
            Output::Depth(DepthBatch { snapshot, updates, .. }) => {
                (snapshot.as_ref().map(|whole| whole.last_update_id), updates.len())
            }
            _ => panic!("{output:?}"),
        });
        assert_eq!(
            wholes.collect::<Vec<_>>(),
            [(Some(12), 1), (Some(14), 0)],
            "the whole book, for those who come later"
        );
        one.take(&difference(15, 17, 98));
        one.snapshot(&snapshot(17, &[(101, 14), (100, 12), (99, 7), (98, 17)]));
        assert_eq!(one.states(), [GapState::Open, GapState::Left]);
        assert_eq!(one.desk.book().unwrap().depth(Side::Bid).nth(2).unwrap().quantity.to_string(), "7");
    }

    #[test]
    fn the_checksum_is_that_of_the_levels() {
        let mut one = Try::new();
        one.take(&difference(11, 12, 100));
        one.snapshot(&snapshot(10, &[(99, 1)]));
        assert_eq!(
            checksum(one.desk.book().unwrap()),
            crc32fast::hash(b"100.00000000:12;200.00000000:1;99.00000000:1;")
        );
    }
}
