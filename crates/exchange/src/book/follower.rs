//! Snapshots and differences in their order: the exchange's procedure for a book of one's own.

use std::collections::VecDeque;

use super::levels::{Book, Level};

/// Differences that are kept while there is no book: at ten a second, half a minute of them. Older ones are let go, since
/// a snapshot that may not be asked for sooner comes after them.
const MOST_WAITING: usize = 300;

/// What has become of a difference or a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The book has gone through it.
    Applied,
    /// The book had gone through it before.
    Known,
    /// There is no book yet: the difference is kept, and a snapshot is needed.
    Waiting,
    /// There is no book any more, and a new snapshot is needed.
    Reset(Reset),
}

/// Why a book was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Updates are missing between the last one of the book and the first one of a difference.
    Gap {
        /// The first missing update.
        from: u64,
        /// The last missing update.
        to: u64,
    },
    /// The snapshot is older than the first difference that was kept.
    StaleSnapshot {
        /// The snapshot's last update.
        snapshot: u64,
        /// The first update of the first difference.
        first: u64,
    },
    /// A difference ends before it begins.
    Disordered {
        /// Its first update.
        first: u64,
        /// Its last update.
        last: u64,
    },
}

/// A difference as the stream `depth` sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its first update, `U`.
    pub first: u64,
    /// Its last update, `u`.
    pub last: u64,
    /// Bids with their new quantities.
    pub bids: Vec<Level>,
    /// Asks with their new quantities.
    pub asks: Vec<Level>,
}

/// A snapshot as `GET /api/v3/depth` answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last update in it.
    pub last_update_id: u64,
    /// Bids.
    pub bids: Vec<Level>,
    /// Asks.
    pub asks: Vec<Level>,
    /// How many levels a side were asked for: a side with as many was cut off.
    pub limit: usize,
}

/// A book that is brought up to date; a gap in the updates gives it up until there is a new snapshot.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly>
/// A snapshot may also end right before the first difference that is kept, as it does in recordings.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    book: Book,
    state: State,
    waiting: VecDeque<Difference>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    NoBook,
    Synced,
}

impl Follower {
    /// The book; none as long as there is none that is up to date.
    #[must_use]
    pub fn book(&self) -> Option<&Book> {
        (self.state == State::Synced).then_some(&self.book)
    }

    /// Takes the next difference of the stream.
    pub fn difference(&mut self, difference: &Difference) -> Progress {
        if difference.last < difference.first {
            return self.reset(Reset::Disordered { first: difference.first, last: difference.last });
        }
        match self.state {
            State::Synced => self.apply(difference),
            State::NoBook => {
                if self.waiting.len() == MOST_WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(difference.clone());
                Progress::Waiting
            }
        }
    }

    /// Takes a snapshot that was asked for after the first difference had come.
    pub fn snapshot(&mut self, snapshot: &Snapshot) -> Progress {
        if let Some(first) = self.waiting.front().map(|difference| difference.first)
            && snapshot.last_update_id + 1 < first
        {
            // What waits may be continued by a later one.
            return Progress::Reset(Reset::StaleSnapshot { snapshot: snapshot.last_update_id, first });
        }
        self.book.become_snapshot(snapshot.last_update_id, &snapshot.bids, &snapshot.asks, snapshot.limit);
        self.state = State::Synced;
        while let Some(difference) = self.waiting.pop_front() {
            if let reset @ Progress::Reset(_) = self.apply(&difference) {
                return reset;
            }
        }
        Progress::Applied
    }

    fn apply(&mut self, difference: &Difference) -> Progress {
        let last = self.book.last_update_id();
        if difference.last <= last {
            return Progress::Known;
        }
        if difference.first > last + 1 {
            let waiting = std::mem::take(&mut self.waiting);
            let reset = self.reset(Reset::Gap { from: last + 1, to: difference.first - 1 });
            // The next snapshot is followed by this one.
            self.waiting.push_back(difference.clone());
            self.waiting.extend(waiting);
            return reset;
        }
        self.book.apply(difference.last, &difference.bids, &difference.asks);
        Progress::Applied
    }

    fn reset(&mut self, reset: Reset) -> Progress {
        self.state = State::NoBook;
        self.waiting.clear();
        Progress::Reset(reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Side;

    fn level(price: u64, quantity: u64) -> Level {
        Level { price: price.to_string().parse().unwrap(), quantity: quantity.to_string().parse().unwrap() }
    }

    /// A difference that puts its own last update's number at the price 100.
    fn difference(first: u64, last: u64) -> Difference {
        Difference { first, last, bids: vec![level(100, last)], asks: Vec::new() }
    }

    fn snapshot(last_update_id: u64) -> Snapshot {
        Snapshot { last_update_id, bids: vec![level(100, 1)], asks: vec![level(101, 1)], limit: 5 }
    }

    fn best(follower: &Follower) -> String {
        follower.book().unwrap().best(Side::Bid).unwrap().quantity.to_string()
    }

    #[test]
    fn differences_wait_for_the_snapshot_and_go_on_from_it() {
        // Before the snapshot, straddling it, right behind it.
        for kept in [&[(1, 5), (6, 9), (10, 12)][..], &[(8, 12)], &[(10, 12)], &[(11, 12)]] {
            let mut follower = Follower::default();
            for (first, last) in kept {
                assert_eq!(follower.difference(&difference(*first, *last)), Progress::Waiting);
                assert!(follower.book().is_none());
            }
            assert_eq!(follower.snapshot(&snapshot(10)), Progress::Applied, "{kept:?}");
            assert_eq!((follower.book().unwrap().last_update_id(), best(&follower)), (12, "12".to_owned()));
        }
    }

    #[test]
    fn a_snapshot_before_the_first_difference_is_of_no_use_and_another_is() {
        let mut follower = Follower::default();
        follower.difference(&difference(12, 14));
        let stale = Reset::StaleSnapshot { snapshot: 10, first: 12 };
        assert_eq!(follower.snapshot(&snapshot(10)), Progress::Reset(stale));
        assert!(follower.book().is_none());
        assert_eq!(follower.snapshot(&snapshot(11)), Progress::Applied);
        assert_eq!(best(&follower), "14");
    }

    #[test]
    fn what_comes_again_is_known_and_what_overlaps_is_applied() {
        let mut follower = Follower::default();
        follower.snapshot(&snapshot(10));
        assert_eq!(follower.difference(&difference(9, 10)), Progress::Known);
        assert_eq!(follower.difference(&difference(9, 11)), Progress::Applied);
        assert_eq!(follower.difference(&difference(9, 11)), Progress::Known);
        assert_eq!(best(&follower), "11");
    }

    #[test]
    fn a_gap_gives_the_book_up_until_the_next_snapshot() {
        let mut follower = Follower::default();
        follower.snapshot(&snapshot(10));
        assert_eq!(follower.difference(&difference(13, 14)), Progress::Reset(Reset::Gap { from: 11, to: 12 }));
        assert!(follower.book().is_none(), "never a book that lacks an update");
        assert_eq!(follower.difference(&difference(15, 16)), Progress::Waiting);
        assert_eq!(follower.snapshot(&snapshot(15)), Progress::Applied);
        assert_eq!(best(&follower), "16");
    }

    #[test]
    fn a_gap_among_what_waits_is_found() {
        let mut follower = Follower::default();
        for (first, last) in [(10, 11), (14, 15), (16, 17)] {
            follower.difference(&difference(first, last));
        }
        assert_eq!(follower.snapshot(&snapshot(10)), Progress::Reset(Reset::Gap { from: 12, to: 13 }));
        assert_eq!(follower.snapshot(&snapshot(13)), Progress::Applied, "what came after the gap was kept");
        assert_eq!(best(&follower), "17");
    }

    #[test]
    fn nonsense_and_endless_waiting_harm_nothing() {
        let mut follower = Follower::default();
        follower.snapshot(&snapshot(10));
        let disordered = Reset::Disordered { first: 12, last: 11 };
        assert_eq!(follower.difference(&difference(12, 11)), Progress::Reset(disordered));
        for number in 0..u64::try_from(MOST_WAITING).unwrap() {
            assert_eq!(follower.difference(&difference(20 + number, 20 + number)), Progress::Waiting);
        }
        let last = 20 + u64::try_from(MOST_WAITING).unwrap();
        assert_eq!(follower.difference(&difference(last, last)), Progress::Waiting);
        let stale = Reset::StaleSnapshot { snapshot: 19, first: 21 };
        assert_eq!(follower.snapshot(&snapshot(19)), Progress::Reset(stale), "the oldest one was let go");
        assert_eq!(follower.snapshot(&snapshot(30)), Progress::Applied);
        assert_eq!(best(&follower), last.to_string());
    }
}
