//! The levels of a book, and what can be asked of them.

use streamforge_events::Decimal;

use super::{half::Half, price::Price};

/// Levels a side that a book keeps besides those near the best one; the exchange's largest snapshot has half of them.
const MOST_LEVELS: usize = 10_000;

/// Buyers or sellers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who buys; the highest price is the best.
    Bid,
    /// Who sells; the lowest price is the best.
    Ask,
}

/// What is offered at a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// How much of the base asset; nought takes the level away.
    pub quantity: Decimal,
}

/// The best level of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// The highest bid.
    pub bid: Level,
    /// The lowest ask.
    pub ask: Level,
}

/// What is wrong with a book that went through all its updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The best bid is not below the best ask, which the exchange would have matched.
    Crossed,
    /// The price has left the snapshot's window on this side: better levels than the best known one may be there.
    BeyondEdge(Side),
}

/// The book of one symbol.
///
/// # Units
/// Prices in the quote asset, quantities in the base asset.
#[derive(Clone, Debug)]
pub struct Book {
    last_update_id: u64,
    bids: Half,
    asks: Half,
}

impl Default for Book {
    fn default() -> Self {
        Self { last_update_id: 0, bids: Half::new(MOST_LEVELS), asks: Half::new(MOST_LEVELS) }
    }
}

impl Book {
    /// The last update that the book has gone through.
    #[must_use]
    pub fn last_update_id(&self) -> u64 {
        self.last_update_id
    }

    /// The best bid and the best ask; none while a side is empty.
    #[must_use]
    pub fn top(&self) -> Option<Top> {
        Some(Top { bid: self.best(Side::Bid)?, ask: self.best(Side::Ask)? })
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        let (key, quantity) = self.half(side).best()?;
        Some(Level { price: price(side, key), quantity })
    }

    /// The levels of a side from the best one on.
    pub fn depth(&self, side: Side) -> impl Iterator<Item = Level> {
        self.half(side).levels().map(move |(key, quantity)| Level { price: price(side, key), quantity })
    }

    /// What the best ask costs more than the best bid pays; nought for a crossed book.
    #[must_use]
    pub fn spread(&self) -> Option<Decimal> {
        let Top { bid, ask } = self.top()?;
        let units = ask.price.units().saturating_sub(bid.price.units());
        Some(if units == 0 { Decimal::ZERO } else { Price::from_units(units).decimal() })
    }

    /// Share of the bids in the quantity of the best `levels` of both sides, from 0 to 1.
    #[must_use]
    pub fn imbalance(&self, levels: usize) -> Option<f64> {
        let sum = |side| self.depth(side).take(levels).map(|level| level.quantity.to_f64()).sum::<f64>();
        let (bids, asks) = (sum(Side::Bid), sum(Side::Ask));
        (bids + asks > 0.0).then(|| bids / (bids + asks))
    }

    /// How much of the base asset is offered from the best level to a price; none if the sum has too many digits.
    #[must_use]
    pub fn volume_to(&self, side: Side, limit: Price) -> Option<Decimal> {
        let is_within = |level: &Level| key(side, level.price) >= key(side, limit);
        self.depth(side).take_while(is_within).try_fold(Decimal::ZERO, |sum, level| sum.checked_add(level.quantity))
    }

    /// What is wrong with the book; nothing for one that can be trusted.
    #[must_use]
    pub fn broken(&self) -> Option<Broken> {
        if let Some(Top { bid, ask }) = self.top()
            && bid.price >= ask.price
        {
            return Some(Broken::Crossed);
        }
        let is_beyond = |side: &Side| self.half(*side).is_beyond_edge();
        [Side::Bid, Side::Ask].into_iter().find(is_beyond).map(Broken::BeyondEdge)
    }

    /// Becomes what a snapshot says; a side with `limit` levels was cut off, so that worse ones are not known.
    pub(super) fn become_snapshot(&mut self, last_update_id: u64, bids: &[Level], asks: &[Level], limit: usize) {
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            let worst = levels.iter().map(|level| key(side, level.price)).min();
            let edge = worst.filter(|_| levels.len() >= limit).unwrap_or_default();
            // The exchange sends the best one first.
            let levels = levels.iter().rev().map(|level| (key(side, level.price), level.quantity));
            self.half_mut(side).become_levels(levels, edge);
        }
        self.last_update_id = last_update_id;
    }

    /// Goes through an update.
    pub(super) fn apply(&mut self, last_update_id: u64, bids: &[Level], asks: &[Level]) {
        for level in bids {
            self.bids.set(key(Side::Bid, level.price), level.quantity);
        }
        for level in asks {
            self.asks.set(key(Side::Ask, level.price), level.quantity);
        }
        self.last_update_id = last_update_id;
    }

    fn half(&self, side: Side) -> &Half {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

/// Greater for a better price.
fn key(side: Side, price: Price) -> u64 {
    match side {
        Side::Bid => price.units(),
        Side::Ask => !price.units(),
    }
}

fn price(side: Side, key: u64) -> Price {
    Price::from_units(match side {
        Side::Bid => key,
        Side::Ask => !key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(rows: &[(&str, &str)]) -> Vec<Level> {
        let level = |(price, quantity): &(&str, &str)| Level {
            price: price.parse().unwrap(),
            quantity: quantity.parse().unwrap(),
        };
        rows.iter().map(level).collect()
    }

    fn book(limit: usize) -> Book {
        let mut book = Book::default();
        let bids = levels(&[("100", "1.5"), ("99", "2"), ("98", "4")]);
        book.become_snapshot(7, &bids, &levels(&[("101", "0.5"), ("103", "3")]), limit);
        book
    }

    #[test]
    fn a_book_answers_what_traders_ask() {
        let book = book(5);
        let Top { bid, ask } = book.top().unwrap();
        assert_eq!((bid.price.to_string(), ask.price.to_string()), ("100.00000000".into(), "101.00000000".into()));
        assert_eq!(book.spread().unwrap().to_string(), "1.00000000");
        assert!((book.imbalance(1).unwrap() - 0.75).abs() < 1e-12);
        assert_eq!(book.volume_to(Side::Bid, "99".parse().unwrap()).unwrap().to_string(), "3.5");
        assert_eq!(book.volume_to(Side::Ask, "102.9".parse().unwrap()).unwrap().to_string(), "0.5");
        assert_eq!(book.depth(Side::Ask).map(|level| level.quantity.to_string()).collect::<Vec<_>>(), ["0.5", "3"]);
        assert_eq!(book.broken(), None);
        assert_eq!((Book::default().top(), Book::default().imbalance(5), Book::default().broken()), (None, None, None));
    }

    #[test]
    fn a_price_that_leaves_the_window_is_told() {
        for (limit, expected) in [(3, Some(Broken::BeyondEdge(Side::Bid))), (5, None)] {
            let mut book = book(limit);
            book.apply(8, &levels(&[("100", "0"), ("99", "0")]), &[]);
            assert_eq!(book.broken(), None, "98 is within the window");
            book.apply(9, &levels(&[("98", "0"), ("90", "1")]), &[]);
            assert_eq!(book.broken(), expected, "between 98 and 90 there may be others");
            book.apply(10, &levels(&[("98.5", "1")]), &[]);
            assert_eq!(book.broken(), None, "and it comes back");
        }
    }

    #[test]
    fn a_crossed_book_is_told() {
        let mut book = book(5);
        book.apply(8, &levels(&[("101", "1")]), &[]);
        assert_eq!(book.broken(), Some(Broken::Crossed));
        book.apply(9, &[], &levels(&[("101", "0")]));
        assert_eq!(book.broken(), None);
    }
}
