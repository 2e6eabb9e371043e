//! True market data the whole way: what the exchange sent comes out, what it did not send stays out.
//!
//! Recorded data is used where it lies beside the project. Each rule is also tested with a market made here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod book;
mod calendar;
mod candles;
mod definition;
mod exact;
mod halts;
mod live;
mod recording;
mod replayed;
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;
