//! What the pure middle wants done: records to publish, gaps to tell of, and questions to the exchange.

use streamforge_events::{Clocks, DepthBatch, FeedInterrupted, Interval, Kline, Millis, Symbol, Trade};

/// Something to publish.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A trade; without clocks it was asked for.
    Trade {
        /// Whose.
        symbol: Symbol,
        /// The trade.
        row: Trade,
        /// When it came.
        clocks: Option<Clocks>,
        /// The exchange's time when it was read.
        read_at: Millis,
    },
    /// A bar that will not change any more; without clocks it was asked for.
    Bar {
        /// Whose.
        symbol: Symbol,
        /// Its interval.
        interval: Interval,
        /// The bar.
        row: Kline,
        /// When it came.
        clocks: Option<Clocks>,
        /// The exchange's time when it was read.
        read_at: Millis,
    },
    /// Differences of a book.
    Depth(DepthBatch),
    /// A gap, or what became of it.
    Gap(FeedInterrupted),
}

/// A question to the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Trades by their ids, both inclusive.
    Trades {
        /// Whose.
        symbol: Symbol,
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Bars by their open times.
    Bars {
        /// Whose.
        symbol: Symbol,
        /// Their interval.
        interval: Interval,
        /// The first open time.
        from: Millis,
        /// After the last one.
        to: Millis,
    },
    /// A snapshot of a book.
    Snapshot {
        /// Whose.
        symbol: Symbol,
    },
    /// One trade, to compare it with what came.
    Proof {
        /// Whose.
        symbol: Symbol,
        /// Which.
        id: u64,
    },
}
